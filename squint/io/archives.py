"""Zip archives, unpacked whole or not at all."""

import hashlib
import math
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO
from uuid import uuid4

from squint.errors import InputError
from squint.files import why_refused
from squint.io.folders import (
    MAX_ENTRIES,
    check_mode,
    check_name,
    check_names,
    is_junk,
    is_left_alone,
    quoted,
    too_many,
)

MAX_RATIO = 200  # unpacked to packed; tables of counts, mostly zeros and commas, reach some tens
SLACK = 10_000_000  # bytes that any archive may unpack to, whatever its own size
_BLOCK = 1 << 20
_OTHERS = {
    b"\x1f\x8b": "a gzip file",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!": "a rar archive",
    b"\xfd7zXZ": "an xz file",
    b"BZh": "a bzip2 file",
    b"\x28\xb5\x2f\xfd": "a zstd file",
}
_ENCRYPTED = 1 | 1 << 6 | 1 << 13  # bits of an entry: its content, strongly, or its name
_END, _END_BYTES = b"PK\5\6", 22
_END_64, _END_64_BYTES = b"PK\6\6", 56
_LOCATOR_64, _LOCATOR_64_BYTES = b"PK\6\7", 20
_ENTRY_BYTES = 46
_MOST_PER_ENTRY = 400  # bytes of the directory for an entry with a long name and all its extra fields
# What zipfile was seen to raise where bytes were flipped or missing.
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, struct.error, ValueError, RuntimeError)


def unpack(path: Path, folder: Path, *, max_bytes: int) -> Path:
    """Unpack a zip archive: all that a reader may need of it, or nothing.

    Files of :data:`squint.io.folders.LEFT_ALONE` and those that operating systems leave behind are not
    unpacked. An archive inside the archive stays a file.

    Parameters
    ----------
    path
        The archive.
    folder
        Where its content goes: an empty folder, or a name that is free. The folder above must exist.
    max_bytes
        How many bytes may come out.

    Returns
    -------
    What to read: ``folder``, or the one folder or file in it, if there is only one.

    Raises
    ------
    InputError
        If it is no zip archive, is encrypted, damaged or compressed in another way than by deflate, holds
        anything but plain files with fit names, or grows too large; nothing is left in ``folder`` then.
    """
    staging = folder.with_name(f".{uuid4().hex}.tmp")
    try:
        with _plainly(path.name):
            with _opened(path) as archive:
                entries = _checked(archive, path.name)
                staging.mkdir()
                _write(archive, entries, staging, _budget(path, max_bytes))
            staging.rename(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    inside = list(folder.iterdir())
    return inside[0] if len(inside) == 1 else folder


def left_alone(path: Path) -> list[str]:
    """List the files of an archive that :func:`unpack` does not unpack, as nothing here needs them.

    Parameters
    ----------
    path
        The archive.

    Returns
    -------
    Their names in alphabetical order.

    Raises
    ------
    InputError
        If it is no zip archive.
    """
    with _plainly(path.name), _opened(path) as archive:
        names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
    return sorted(name for name in names if is_left_alone(name) and not is_junk(name))


def contents(path: Path) -> dict[str, int]:
    """Look at every entry of an archive, as :func:`unpack` does; nothing is unpacked.

    Parameters
    ----------
    path
        The archive.

    Returns
    -------
    Of each file that is no leftover of an operating system, by its name, the bytes that it says it has:
    :func:`unpack` refuses one that has others.

    Raises
    ------
    InputError
        As :func:`unpack`, but for what only unpacking shows.
    """
    with _plainly(path.name), _opened(path) as archive:
        found = _fit(archive, path.name)
        return {entry.filename: entry.file_size for entry in found if not is_junk(entry.filename)}


def copy_in(archive: zipfile.ZipFile, entry: str | zipfile.ZipInfo, source: IO[bytes]) -> tuple[str, int]:
    """Copy a file into an archive that is being written.

    Returns
    -------
    The hash of what was copied, as 64 hexadecimal digits, and its bytes.
    """
    digest, n_bytes = hashlib.sha256(), 0
    with archive.open(entry, "w", force_zip64=True) as target:
        while block := source.read(_BLOCK):
            target.write(block)
            digest.update(block)
            n_bytes += len(block)
    return digest.hexdigest(), n_bytes


def _opened(path: Path) -> zipfile.ZipFile:
    """Open an archive whose directory was found short enough to be read."""
    with path.open("rb") as file:
        start = file.read(8)
        file.seek(257)
        tar = file.read(5) == b"ustar"
        other = "a tar archive" if tar else next((w for m, w in _OTHERS.items() if start.startswith(m)), "")
        if other:
            raise InputError(f"{path.name} is {other}, which is not read: unpack it, and give the folder.")
        if start[:4] not in {b"PK\3\4", _END}:
            raise InputError(
                f"{path.name} is no zip archive, or has something else before it. Pack the folder as .zip, "
                "or give the folder itself."
            )
        _check_directory(file, path.name)
    return zipfile.ZipFile(path)


def _check_directory(file: BinaryIO, name: str) -> None:
    """Count the entries before the directory is read into memory, where each takes half a kilobyte."""
    size = file.seek(0, 2)
    tail_bytes = min(size, _END_BYTES + 0xFFFF + _END_64_BYTES + _LOCATOR_64_BYTES)
    file.seek(size - tail_bytes)
    tail = file.read(tail_bytes)
    at = tail.rfind(_END)
    if at < 0 or len(tail) < at + _END_BYTES:
        raise InputError(f"{name} is incomplete: its end is missing. Send it again.")
    n_entries, n_bytes, start, n_comment = struct.unpack_from("<HLLH", tail, at + 10)
    if at + _END_BYTES + n_comment != len(tail):
        raise InputError(f"{name} is incomplete, or has something else after it. Pack it again.")
    before = at - _LOCATOR_64_BYTES - _END_64_BYTES
    if before >= 0 and tail.startswith(_LOCATOR_64, at - _LOCATOR_64_BYTES):
        if not tail.startswith(_END_64, before):
            raise InputError(f"{name} is damaged: its directory is not where it should be. Pack it again.")
        n_entries, n_bytes, start = struct.unpack_from("<3Q", tail, before + 32)
        at = before
    if n_entries > MAX_ENTRIES or n_bytes > MAX_ENTRIES * _MOST_PER_ENTRY:
        raise too_many(name)
    if start + n_bytes != size - tail_bytes + at:
        raise InputError(f"{name} is damaged, or has something else before it. Pack it again.")
    file.seek(start)
    if _count(file.read(n_bytes)) > MAX_ENTRIES:  # whatever number it says
        raise too_many(name)


def _count(directory: bytes) -> int:
    n_entries = at = 0
    while at + _ENTRY_BYTES <= len(directory):
        at += _ENTRY_BYTES + sum(struct.unpack_from("<3H", directory, at + 28))
        n_entries += 1
    return n_entries


def _checked(archive: zipfile.ZipFile, source: str) -> list[zipfile.ZipInfo]:
    """Give the files to unpack, after every entry was looked at."""
    files = _fit(archive, source)
    wanted = [e for e in files if not is_junk(e.filename) and not is_left_alone(e.filename)]
    if not wanted:
        raise InputError(f"{source} holds no file that could be read. Pack the whole folder.")
    return wanted


def _fit(archive: zipfile.ZipFile, source: str) -> list[zipfile.ZipInfo]:
    """Give all files, after every entry was looked at."""
    entries = archive.infolist()
    for entry in entries:
        name = entry.orig_filename  # with what follows a NUL
        check_name(name.removesuffix("/"), source)
        mode = entry.external_attr >> 16
        if stat.S_IFMT(mode) and stat.S_ISDIR(mode) != entry.is_dir():
            raise InputError(f"{source} is refused: {quoted(name)} is neither a file nor a folder.")
        if stat.S_IFMT(mode) and not entry.is_dir():
            check_mode(mode, name, source)
        if entry.flag_bits & _ENCRYPTED:
            raise InputError(f"{source} is encrypted: unpack it, and give the folder.")
        if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise InputError(
                f"{source} is refused: {quoted(name)} is compressed in an unusual way. Unpack it, and give "
                "the folder."
            )
    starts = {entry.header_offset for entry in entries}
    if starts and 0 not in starts:
        raise InputError(f"{source} has something else before it. Pack the folder again.")
    files = [entry for entry in entries if not entry.is_dir()]
    check_names((entry.filename for entry in files), source)
    return files


def _budget(path: Path, max_bytes: int) -> int:
    return min(max_bytes, MAX_RATIO * path.stat().st_size + SLACK)


def _write(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo], folder: Path, budget: int) -> None:
    """Write files into an empty folder, counting what really comes out."""
    source = Path(archive.filename or "").name
    too_large = InputError(
        f"{source} unpacks to more than {math.ceil(budget / 1e6):,} MB: more than there is room for, or than "
        "such a file should hold. Unpack it, and give the folder."
    )
    if sum(entry.file_size for entry in entries) > budget:
        raise too_large
    left = budget
    made = {folder}
    for entry in entries:
        target = folder / entry.filename
        if target.parent not in made:
            target.parent.mkdir(parents=True, exist_ok=True)
            made.add(target.parent)
        with archive.open(entry) as packed, target.open("xb") as file:
            while block := packed.read(min(_BLOCK, left + 1)):
                left -= len(block)
                if left < 0:
                    raise too_large
                file.write(block)
            if file.tell() != entry.file_size:
                raise InputError(f"{source} is damaged: {quoted(entry.filename)} is not as long as it says.")


@contextmanager
def _plainly(name: str) -> Iterator[None]:
    """Say in one line what a damaged archive or the disk raises."""
    try:
        yield
    except InputError:
        raise
    except OSError as error:
        what = why_refused(error)
        raise InputError(f"{name} could not be unpacked: {what}. Nothing of it was kept.") from error
    except DAMAGED as error:
        raise InputError(
            f"{name} is damaged or incomplete: it could not be unpacked. Pack or send it again."
        ) from error
