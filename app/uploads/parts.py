"""Uploads on the disk: what has come of one so far, whose rest may come later, also after a restart.

Each lies in a folder below ``uploads/`` of the library, named by a key, which is the same when the same file
is given again, by whomever: a hash of its name and size, of when it was changed last, and of samples of what
it holds. Beside what has come lies a note of what is expected. Only what is complete takes a name that is not
hidden, and is handed to a reader.
"""

import hashlib
import json
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from app.uploads.contents import Content, File, FileContent, FolderContent
from app.uploads.disk import RefusedError, check_room, disk_errors
from squint.errors import InputError
from squint.files import write_json
from squint.library import staging
from squint.library.store import Library

NOTE, PART = ".note.json", ".part"  # names that nothing which came has: those do not begin with a dot
_BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Expected:
    """A file or folder that is about to come."""

    name: str  # harmless
    likeness: str | None  # what its name looked like, if it may have named a person
    n_bytes: int | None  # if they are known
    files: tuple[File, ...] | None = None  # of a folder, in the order in which they come
    left_alone: tuple[str, ...] = ()  # files of a folder that are not sent, as nothing here reads them
    too_large: tuple[File, ...] = ()  # transcripts that are not sent, as the folder is too large with them

    def key(self, told: bytes) -> str:
        """Name it by what is expected, and by what a browser tells of what it holds."""
        digest = hashlib.sha256(json.dumps([self.name, self.n_bytes, self.files]).encode() + b"\n")
        digest.update(told)
        return digest.hexdigest()

    @property
    def what(self) -> str:
        """A word for it."""
        return "file" if self.files is None else "folder"


@dataclass(frozen=True)
class Arrived:
    """A file or folder that has come whole, in a folder of its own."""

    path: Path
    n_bytes: int
    sha256: str  # of a folder: of the names and contents of its files
    likeness: str | None  # what its name looked like, if it may have named a person
    n_files: int | None = None  # of a folder
    left_alone: tuple[str, ...] = ()  # files of a folder that were not sent, as nothing here reads them
    too_large: tuple[File, ...] = ()  # transcripts that were not sent, as the folder is too large with them
    lasting: bool = False  # whether it is found when it is given again

    @property
    def name(self) -> str:
        """Its harmless name."""
        return self.path.name


class Part:
    """What has come of an upload so far, which nobody else writes to meanwhile.

    It ends with one of :meth:`finish`, :meth:`leave` and :meth:`discard`.

    Parameters
    ----------
    library
        Where it lies.
    expected
        What is to come.
    key
        By which it is found again; ``None``: never, so that it must come at once.

    Raises
    ------
    RefusedError
        If another writes to it, or there is no room for the rest.
    """

    def __init__(self, library: Library, expected: Expected, key: str | None = None) -> None:
        self.arrived: Arrived | None = None  # if it was complete already
        self._home, self._expected, self._lasting = library.home, expected, key is not None
        self._folder = library.uploads / (key or uuid4().hex)
        self._content: Content | None = None
        with disk_errors():
            lock = staging.claim(self._folder)
        if lock is None:
            raise RefusedError(409, f"This {expected.what} is being sent already, perhaps from another page.")
        self._lock = lock
        try:
            with disk_errors():
                self._open()
        except BaseException:
            self.discard()
            raise
        try:
            check_room(self._folder, (expected.n_bytes or 0) - self.n_bytes)
        except RefusedError:
            self.leave()
            raise

    @property
    def n_bytes(self) -> int:
        """How many bytes lie on the disk."""
        return self.arrived.n_bytes if self.arrived else self._content.n_bytes if self._content else 0

    def write(self, block: bytearray) -> None:
        """Add what came next, as long as it is expected and the disk has room."""
        check_room(self._folder, len(block))
        if self._content is None or self.n_bytes + len(block) > (self._expected.n_bytes or float("inf")):
            raise RefusedError(400, self._changed("More"))
        with disk_errors():
            self._content.write(memoryview(block))
            os.utime(self._folder)

    def finish(self) -> Arrived:
        """Return all of it."""
        if self.n_bytes < (self._expected.n_bytes or 0):
            raise RefusedError(400, self._changed("Less"))
        if self._content is None or not self.n_bytes:
            raise RefusedError(400, "The file is empty.")
        with disk_errors():
            self._content.close()
            sha256 = self._content.sha256()
            self._write_note(sha256, self.n_bytes)
            arrived = self._arrive(sha256, self.n_bytes)
        os.close(self._lock)
        return arrived

    def leave(self) -> bool:
        """Let go of it; say whether it stays for later."""
        if not (self._lasting and self.n_bytes):
            self.discard()
            return False
        if self._content:
            self._content.close()
        os.close(self._lock)
        return True

    def discard(self) -> None:
        """Remove what has come, unless it is complete and in use."""
        if self._content:
            self._content.close()
        staging.discard(self._home, self._folder)
        os.close(self._lock)

    def _open(self) -> None:
        """Go on with what there is, if it is what is expected; else begin anew."""
        note = self._read_note()
        if note is None:
            for old in (PART, self._expected.name):
                _clear(self._folder / old)
            self._write_note("", self._expected.n_bytes)
        elif note["sha256"]:
            self.arrived = self._arrive(note["sha256"], note["n_bytes"])
            return
        part, files = self._folder / PART, self._expected.files
        self._content = FileContent(part) if files is None else FolderContent(part, files)

    def _arrive(self, sha256: str, n_bytes: int) -> Arrived:
        """Give what is complete its name: at once, or when a process that noted so was killed before."""
        expected, path = self._expected, self._folder / self._expected.name
        if not path.exists():
            (self._folder / PART).rename(path)
        n_files = None if expected.files is None else len(expected.files)
        return Arrived(
            path,
            n_bytes,
            sha256,
            expected.likeness,
            n_files,
            expected.left_alone,
            expected.too_large,
            lasting=self._lasting,
        )

    def _changed(self, what: str) -> str:
        return f"{what} came than the {self._expected.what} held. It may have changed: give it again."

    def _note(self) -> dict[str, Any]:
        """Tell what must not have changed for the rest to be taken.

        When the machine goes down, the end of what was written may not reach the disk: so the boot counts.
        """
        return {"name": self._expected.name, "boot": _boot()}

    def _write_note(self, sha256: str, n_bytes: int | None) -> None:
        try:
            write_json(self._folder / NOTE, {**self._note(), "n_bytes": n_bytes, "sha256": sha256})
        except InputError as error:
            raise error.__cause__ or error from None

    def _read_note(self) -> dict[str, Any] | None:
        """Read the note, if what it says holds."""
        with suppress(OSError, ValueError, TypeError):
            note: dict[str, Any] = dict(json.loads((self._folder / NOTE).read_text()))
            if note.items() >= self._note().items() and {"n_bytes", "sha256"} <= note.keys():
                return note
        return None


def _clear(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)


def _boot() -> str:
    try:
        return _BOOT.read_text().strip()
    except OSError:  # not on Linux
        return ""
