"""Folders that are given as a source: what may lie in them, and what of it is left alone.

One set of rules for names serves folders on the disk, archives, and what a browser says it will send.
"""

import os
import re
import stat
import unicodedata
from collections.abc import Iterable
from fnmatch import translate
from pathlib import Path

from squint.errors import InputError

# A SpatialData store with an image of 50,000 x 50,000 pixels in four channels, in chunks of 256, has 150,000
# files; to look at half a million takes seconds. An instrument's own folder has some hundreds.
MAX_ENTRIES = 500_000
MAX_DEPTH = 32  # folders in each other: a chunk of a table in a SpatialData store lies at most a dozen deep
MAX_NAME, MAX_PATH = 255, 2_000  # bytes of one name, and of a name with all folders above it

LEFT_ALONE = (
    "transcripts.parquet",  # Xenium: each transcript by itself, tens of gigabytes
    "transcripts.csv*",
    "transcripts.zarr*",
    "detected_transcripts.*",  # MERSCOPE
    "*_tx_file.csv*",  # CosMx
    "points/*/points.parquet*",  # SpatialData; its descriptions stay, so that the store agrees with itself
    "morphology.ome.tif",  # Xenium: the stack of all focal planes, beside the plane in focus
    "*.bam",  # Visium and Visium HD: reads
    "*.bam.bai",
    "*.fastq*",
    "*.fq",
    "*.fq.gz",
)
"""Files that no reader of cells opens, because they are huge and no cell needs them.

Patterns of the file's name, or of its last folders and name. They are not unpacked before somebody asks for
them, and of them a browser sends only transcripts that the map may draw, where there is room for these.
"""

_LEFT_ALONE = re.compile("|".join(translate(f"*/{pattern}") for pattern in LEFT_ALONE))
_DRIVE = re.compile(r"[A-Za-z]:")
_KEPT = {
    ".zattrs",
    ".zgroup",
    ".zarray",
    ".zmetadata",
    ".",
    "..",
}  # of zarr; and what is no name, to be refused
_OF_SYSTEMS = {"__macosx", "thumbs.db", "desktop.ini"}


def is_left_alone(name: str) -> bool:
    """Say whether a file is one of :data:`LEFT_ALONE`, by its name relative to the source's folder."""
    return _LEFT_ALONE.match(f"/{name.casefold()}") is not None


def is_junk(name: str) -> bool:
    """Say whether a file was left by an operating system or a tool: hidden, but for those of zarr."""
    return any(
        (part.startswith(".") and part not in _KEPT) or part.casefold() in _OF_SYSTEMS
        for part in name.split("/")
    )


def stored_bytes(path: Path) -> int:
    """Give the bytes of a file, or of the files of a folder that a reader may open; 0 of what is neither."""
    if path.is_file():
        return path.stat().st_size
    found = (part for part in path.rglob("*") if part.is_file() and not part.is_symlink())
    return sum(part.stat().st_size for part in found if not is_left_alone(part.relative_to(path).as_posix()))


def check_name(name: str, source: str) -> None:
    """Refuse a relative name, with ``/`` between folders, that could lead elsewhere or hide what it is.

    Parameters
    ----------
    name
        The name.
    source
        What holds the file, for the message.

    Raises
    ------
    InputError
        If the name is absolute or begins with a drive, goes up, is too long or too deep, or has an empty
        part, a backslash, a control character or what is no text.
    """
    parts = name.split("/")
    wrong = (
        "it leads out of the folder"
        if not name or name.startswith("/") or ".." in parts or _DRIVE.match(name)
        else "it has an empty part or a backslash"
        if "" in parts or "." in parts or "\\" in name
        else f"it lies more than {MAX_DEPTH} folders deep"
        if len(parts) > MAX_DEPTH
        else _wrong_letters(name)
    )
    if wrong:
        raise InputError(f"{source} is refused: {quoted(name)} is no fit name: {wrong}.")


def _wrong_letters(name: str) -> str:
    try:
        length = len(name.encode())
    except UnicodeEncodeError:  # of bytes that are no UTF-8, or half of a letter
        return "it is no text"
    if not name.isprintable() and any(unicodedata.category(letter) in {"Cc", "Zl", "Zp"} for letter in name):
        return "it has a control character"
    if length > MAX_PATH or any(len(part.encode()) > MAX_NAME for part in name.split("/")):
        return "it is too long"
    return ""


def check_names(names: Iterable[str], source: str) -> None:
    """Refuse names of files that are not fit, or that cannot all lie in one folder.

    Parameters
    ----------
    names
        Of files, relative to one folder.
    source
        What holds them, for messages.

    Raises
    ------
    InputError
        As :func:`check_name`; and if two names are the same, or differ only in upper and lower case or in how
        a letter is composed, if one is a file and the folder of another, or if there are too many.
    """
    files: dict[str, str] = {}
    above: dict[str, str] = {}
    for name in names:
        check_name(name, source)
        if (same := _alike(name)) in files:
            raise InputError(f"{source} is refused: {quoted(files[same])} and {quoted(name)} have one name.")
        files[same] = name
        if len(files) > MAX_ENTRIES:
            raise too_many(source)
        folder = name.rpartition("/")[0]
        while folder:
            known = above.setdefault(_alike(folder), folder)
            if known != folder:
                raise InputError(f"{source} is refused: {quoted(known)} and {quoted(folder)} have one name.")
            folder = folder.rpartition("/")[0]
    if both := files.keys() & above.keys():
        raise InputError(f"{source} is refused: {quoted(files[min(both)])} is both a file and a folder.")


def _alike(name: str) -> str:
    """Give what a name has in common with those that some disk takes for the same."""
    return unicodedata.normalize("NFC", name).casefold()


def check(folder: Path) -> None:
    """Refuse a folder that holds anything but plain files and folders with fit names.

    Nothing is opened: to be called before a reader opens anything in a folder that others made.

    Parameters
    ----------
    folder
        The folder; it may itself be a link.

    Raises
    ------
    InputError
        If there is a link, device, pipe or socket, a file that would run as another user, a name that
        :func:`check_name` refuses, or too many files; or if a folder cannot be looked into.
    """
    n_entries = 0
    waiting = [("", os.fspath(folder))]
    while waiting:
        prefix, path = waiting.pop()
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    n_entries += 1
                    if n_entries > MAX_ENTRIES:
                        raise too_many(folder.name)
                    name = prefix + entry.name
                    check_name(name, folder.name)
                    mode = entry.stat(follow_symlinks=False).st_mode
                    if stat.S_ISDIR(mode):
                        waiting.append((f"{name}/", entry.path))
                    else:
                        check_mode(mode, name, folder.name)
        except OSError as error:
            what = (error.strerror or "the disk refused").lower()
            raise InputError(
                f"{folder.name} cannot be looked through: {what}. Check who may read it."
            ) from error


def check_mode(mode: int, name: str, source: str) -> None:
    """Refuse what is no plain file by its mode, or would run as another user.

    Raises
    ------
    InputError
        If it is so.
    """
    if not stat.S_ISREG(mode):
        kind = "a link" if stat.S_ISLNK(mode) else "neither a file nor a folder"
        raise InputError(f"{source} is refused: {quoted(name)} is {kind}. Put the file itself there.")
    if mode & (stat.S_ISUID | stat.S_ISGID):
        raise InputError(f"{source} is refused: {quoted(name)} would run as another user (setuid or setgid).")


def too_many(source: str) -> InputError:
    """Make the error about a source of too many files."""
    return InputError(
        f"{source} holds more than {MAX_ENTRIES:,} files and folders. Give only what is needed."
    )


def quoted(name: str) -> str:
    """Give a name for a message: in quotes, its odd letters escaped, and shortened."""
    return repr(name if len(name) <= 80 else f"{name[:40]}…{name[-39:]}")
