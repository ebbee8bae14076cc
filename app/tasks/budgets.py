"""How much memory tasks may take that need little more for a large section than for a small one."""

from pathlib import Path

from squint.errors import InputError

READING = 2 * 2**30  # bytes, for files of outlines, regions and gene sets: they are far smaller than sections
DRAWING = 4 * 2**30  # for pictures and prints, of a million cells too
LARGEST = 64_000_000  # bytes of such a file


def check_size(path: Path, name: str) -> None:
    """Refuse a file that is too large to be looked at, before it is read.

    Raises
    ------
    InputError
        If it is.
    """
    if path.stat().st_size > LARGEST:
        raise InputError(f"{name} is larger than {LARGEST // 1_000_000} MB. Keep what you need of it.")
