"""A file, or the files of a folder, as a stream of bytes is written to them, which may have begun earlier."""

import hashlib
from io import FileIO
from pathlib import Path
from typing import NamedTuple, Protocol

from app.uploads.disk import write_all
from squint import files as whole_files


class File(NamedTuple):
    """A file of a folder."""

    name: str  # relative to the folder, with "/"
    n_bytes: int


class Content(Protocol):
    """What is written."""

    n_bytes: int  # so many lie on the disk

    def write(self, block: memoryview) -> None:
        """Go on where the last block, or what was there at first, ended."""

    def close(self) -> None:
        """Let go of the file that is being written."""

    def sha256(self) -> str:
        """Hash all of it; what was there at first is read from the disk."""


class FileContent:
    """One file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("ab", buffering=0)
        self.n_bytes = self._file.tell()
        self._begun_here = not self.n_bytes
        self._digest = hashlib.sha256()  # of what is written here

    def write(self, block: memoryview) -> None:
        """Add to the file."""
        write_all(self._file, block)
        self.n_bytes += len(block)
        self._digest.update(block)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def sha256(self) -> str:
        """Hash the content."""
        return self._digest.hexdigest() if self._begun_here else whole_files.sha256(self._path)


class FolderContent:
    """The files of a folder, one after the other; those before the one being written are complete."""

    def __init__(self, folder: Path, files: tuple[File, ...]) -> None:
        self.n_bytes = 0
        self._folder, self._files = folder, files
        self._waiting = iter(files)
        self._file: FileIO | None = None  # the one that is being written
        self._name, self._left = "", 0  # its name, and how many bytes of it are still to come
        self._begun_here, self._digest = True, hashlib.sha256()  # of what of it is written here
        self._digests: dict[str, bytes] = {}  # of files of which all was written here
        self._made = {folder}
        folder.mkdir(exist_ok=True)
        self._go_on()

    def write(self, block: memoryview) -> None:
        """Go on with the file at which the last block ended, and with those after it."""
        while block and self._file:
            part, block = block[: self._left], block[self._left :]
            write_all(self._file, part)
            self._digest.update(part)
            self.n_bytes += len(part)
            self._left -= len(part)
            self._go_on()

    def _go_on(self) -> None:
        """Where a file is complete, open the next that is not; those that are empty are complete at once."""
        while not self._left:
            if self._file:
                self._file.close()
                if self._begun_here:
                    self._digests[self._name] = self._digest.digest()
            file = next(self._waiting, None)
            if file is None:
                self._file = None
                return
            path = self._folder / file.name
            if path.parent not in self._made:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._made.add(path.parent)
            self._file = path.open("ab", buffering=0)
            there = self._file.tell()
            self.n_bytes += there
            self._name, self._left = file.name, file.n_bytes - there
            self._begun_here, self._digest = not there, hashlib.sha256()

    def close(self) -> None:
        """Close the file that is being written."""
        if self._file:
            self._file.close()

    def sha256(self) -> str:
        """Hash names, sizes and contents, in the order of the names."""
        digest = hashlib.sha256()
        for file in sorted(self._files, key=lambda file: file.name.split("/")):
            content = self._digests.get(file.name)
            if content is None:
                content = bytes.fromhex(whole_files.sha256(self._folder / file.name))
            digest.update(f"{file.name} {file.n_bytes}\n".encode() + content)
        return digest.hexdigest()
