"""How much memory a task may take while it reads what strangers made."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from squint.errors import InputError
from squint.io.folders import stored_bytes
from squint.io.hdf5 import memory_budget
from squint.io.unpacking import allowed_bytes

_WORK = 3  # times what a file unpacks to is in memory at once, while it is checked
_SPLIT = "Split it into sections, or write it again with anndata."
_STATUS = Path("/proc/self/status")


def reading_limit(path: Path) -> int:
    """Give the bytes that reading a file may take: by its size, and never more than half of the memory."""
    return min(memory_budget(), _WORK * allowed_bytes(stored_bytes(path)))


@contextmanager
def memory_limit(n_bytes: int, advice: str = _SPLIT) -> Iterator[None]:
    """Let this process take so much more memory than it holds now, and no more.

    A second wall: what a file unpacks to is weighed before. Behind this one the worker lives, and the model
    that it holds with it; without, the system ends some process of its own choice.

    Parameters
    ----------
    n_bytes
        How much more.
    advice
        What to do where that is too little, as a sentence.

    Raises
    ------
    InputError
        In place of a ``MemoryError`` inside.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = _held() + n_bytes
    if soft != resource.RLIM_INFINITY:
        limit = min(limit, soft)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
    try:
        yield
    except MemoryError as error:
        raise InputError(
            f"This needs more than the {n_bytes / 1e9:,.1f} GB of memory that it may take. {advice}"
        ) from error
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _held() -> int:
    """Give the bytes of private memory that this process can write to, which the limit counts."""
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmData:"))
    return int(line.split()[1]) * 1024
