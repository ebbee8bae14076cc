"""What the processes of one training tell each other; alone, a process tells itself.

Ranks are those of `torch.distributed`, whose group `squint.training.fabric` opens.
"""

import torch.distributed as dist
from torch import Tensor


def is_alone() -> bool:
    """Tell whether this process trains by itself."""
    return not (dist.is_available() and dist.is_initialized())


def rank() -> int:
    """Give this process's number, from 0."""
    return 0 if is_alone() else dist.get_rank()


def n_ranks() -> int:
    """Count the processes."""
    return 1 if is_alone() else dist.get_world_size()


def add_up(tensor: Tensor) -> Tensor:
    """Put the sum over all processes into a tensor, and give it."""
    if not is_alone():
        dist.all_reduce(tensor)
    return tensor


def least(tensor: Tensor) -> Tensor:
    """Put the least over all processes into a tensor, and give it."""
    if not is_alone():
        dist.all_reduce(tensor, dist.ReduceOp.MIN)
    return tensor


def take_from_first(tensor: Tensor) -> None:
    """Overwrite a tensor by that of process 0."""
    if not is_alone():
        dist.broadcast(tensor, 0)


def leave() -> None:
    """Leave the group: from here on the process is alone."""
    if not is_alone():
        dist.destroy_process_group()
