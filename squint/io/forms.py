"""One thing that a folder holds in several forms: the first that is sound is read, and others are said."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from squint.errors import InputError
from squint.io.findings import Findings

T = TypeVar("T")


def existing(folder: Path, *names: str) -> list[Path]:
    """List which of some files or folders there are, in letters of any case, links to nowhere included."""
    try:
        there = {entry.name.lower(): entry for entry in sorted(folder.iterdir(), reverse=True)}
    except OSError:
        return []
    there |= {entry.name: entry for entry in there.values()}  # as they are called here goes first
    return [there[key] for name in names if (key := name if name in there else name.lower()) in there]


def first_sound(found: Sequence[Path], read: Callable[[Path], T], findings: Findings) -> tuple[T, Path]:
    """Read the first of several forms that is not damaged.

    Parameters
    ----------
    found
        Files or folders; at least one.
    read
        Reads one, or raises an InputError.
    findings
        Added to: what is damaged.

    Returns
    -------
    What was read, and from where.

    Raises
    ------
    InputError
        If none can be read: why the first cannot.
    """
    errors = []
    for path in found:
        try:
            taken = read(path)
        except InputError as error:
            errors.append((path, error))
            continue
        for other, reason in errors:
            findings.leave_out(other.name, None, f"{path.name} was read instead: {reason}", other.name)
        return taken, path
    raise errors[0][1]


def real_folder(folder: Path, *parts: str) -> Path | None:
    """Give a folder below another; None if there is none, or a link leads to it."""
    for part in parts:
        folder /= part
        if folder.is_symlink() or not folder.is_dir():
            return None
    return folder
