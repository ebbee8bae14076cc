"""Which device computes."""

import logging

import torch

from squint.errors import InputError

logger = logging.getLogger(__name__)


def pick_device(name: str) -> torch.device:
    """Turn ``"auto"``, ``"cpu"`` or ``"cuda"`` into a device.

    Raises
    ------
    InputError
        If a GPU is asked for and none can be used.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        if torch.version.cuda is not None:
            logger.warning("The CPU is used: this torch is built for CUDA, but finds no GPU that it can use.")
        return torch.device("cpu")
    if name not in {"cpu", "cuda"}:
        raise InputError(f"Device {name!r}: auto, cpu or cuda.")
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("Device cuda: no GPU can be used here. Take --device cpu or auto.")
    return torch.device(name)
