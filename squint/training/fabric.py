"""Open a group of processes that train one model together."""

import logging

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy

from squint.errors import InputError


def open_group(device: str, n_devices: int, n_nodes: int = 1) -> Fabric:
    """Start the other processes of this machine, and wait for those of all machines.

    Each process runs the command that this one was started with, and comes back from here with a rank of its
    own. Under ``torchrun`` they run already.

    Parameters
    ----------
    device
        ``"auto"``, ``"cpu"`` or ``"cuda"``.
    n_devices
        Processes on each machine: one for each GPU, or as many as share the cores.
    n_nodes
        Machines; each must be started with the same command, told of the first by MASTER_ADDR, MASTER_PORT
        and NODE_RANK.

    Raises
    ------
    InputError
        If there are fewer GPUs.
    """
    n_gpus = torch.cuda.device_count()
    on_gpu = device == "cuda" or (device == "auto" and n_gpus > 0)
    if on_gpu and n_devices > n_gpus:
        raise InputError(f"--devices {n_devices}: there are {n_gpus} GPUs here. Take fewer, or --device cpu.")
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    fabric = Fabric(
        accelerator="cuda" if on_gpu else "cpu",
        devices=n_devices,
        num_nodes=n_nodes,
        # The codebook's buffers are added up where they change, so they need not be sent at every step.
        strategy=DDPStrategy(forward_sync_buffers=False),
    )
    fabric.launch()
    return fabric
