"""Files on their way to the staging folder: who may send one, how it is written, what has come.

Files and folders reach the library in two ways that hold nothing in memory: a browser streams them to an
address that a page made (:mod:`app.routes.uploads`; of folders, :mod:`app.uploads.dropped_folders`), or
somebody puts them into the import folder.
"""

import hashlib
import secrets
import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path

from squint.errors import InputError
from squint.library.import_folder import import_folder, importable
from squint.library.store import Library
from squint.sensitive import looks_like

MAX_TICKETS = 256
MAX_AT_ONCE = 8
RESERVE = 500_000_000  # bytes of the disk that are left for results
_ABANDONED_S = 24 * 3600  # after so long nobody comes back to an upload

Rename = Callable[[str], str]  # from what a user calls a file to a harmless name, or refuses it


class RefusedError(InputError):
    """A file that is not taken, with the status of the answer."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


@dataclass(frozen=True)
class Arrived:
    """A file or folder that has come whole, in a staging folder of its own."""

    path: Path
    n_bytes: int
    sha256: str  # of a folder: of the names and contents of its files
    likeness: str | None  # what its name looked like, if it may have named a person
    n_files: int | None = None  # of a folder
    left_alone: tuple[str, ...] = ()  # files of a folder that were not sent, as nothing here reads them

    @property
    def name(self) -> str:
        """Its harmless name."""
        return self.path.name


class Arrival:
    """A file as it is written: all of it, or nothing."""

    def __init__(self, library: Library, name: str, likeness: str | None) -> None:
        self.n_bytes = 0
        self._likeness = likeness
        self._digest = hashlib.sha256()
        with disk_errors():
            self._path = library.workspace() / name
            self._file = self._path.open("wb", buffering=0)

    def write(self, block: bytearray) -> None:
        """Add to the file, as long as the disk has room."""
        check_room(self._path.parent, len(block))
        with disk_errors():
            write_all(self._file, memoryview(block))
        self._digest.update(block)
        self.n_bytes += len(block)

    def finish(self) -> Arrived:
        """Return the complete file."""
        if not self.n_bytes:
            raise RefusedError(400, "The file is empty.")
        with disk_errors():
            self._file.close()
        return Arrived(self._path, self.n_bytes, self._digest.hexdigest(), self._likeness)

    def discard(self) -> None:
        """Remove what was written."""
        self._file.close()
        shutil.rmtree(self._path.parent, ignore_errors=True)


@dataclass
class Ticket:
    """The right of one page to send one file, or one folder, at a time."""

    library: Library
    rename: Rename
    max_bytes: int
    rename_folder: Rename | None = None  # of a place that takes folders too
    busy: bool = False
    problem: str = ""  # why the last file did not come
    arrived: Arrived | None = None

    def expect(self, name: str, n_bytes: int | None) -> Arrival:
        """Begin to write a file of a name, and a size if it is known."""
        harmless = self.check(name, n_bytes)
        self.make_way()
        return Arrival(self.library, harmless, looks_like(name.rpartition(".")[0]))

    def check(self, name: str, n_bytes: int | None) -> str:
        """Refuse what would not be taken; else return its harmless name."""
        try:
            harmless = self.rename(name)
        except InputError as error:
            raise RefusedError(415, str(error)) from error
        self.check_size(n_bytes or 0)
        check_room(self.library.staging, n_bytes or 0)
        return harmless

    def check_size(self, n_bytes: int) -> None:
        """Refuse a file that is too large."""
        if n_bytes > self.max_bytes:
            limit = self.max_bytes / 1e6
            raise RefusedError(
                413,
                f"The file is larger than {limit:,.0f} MB, the most that this server takes "
                "(SQUINT_MAX_UPLOAD_MB). Put it into the import folder instead.",
            )

    def make_way(self) -> None:
        """Remove what came before and was not taken, here and by pages that are long closed."""
        self.drop()
        self.library.sweep(older_than_s=_ABANDONED_S)

    def drop(self) -> None:
        """Remove a file that nobody took."""
        if self.arrived:
            self.library.unstage(self.arrived.path)
        self.arrived = None


class Uploads:
    """Tickets by an id that cannot be guessed, those that nobody asked for in a while forgotten first."""

    def __init__(self, at_most: int = MAX_TICKETS) -> None:
        self._at_most = at_most
        self._kept: OrderedDict[str, Ticket] = OrderedDict()
        self._lock = threading.Lock()

    def open(
        self, library: Library, rename: Rename, max_bytes: int, rename_folder: Rename | None = None
    ) -> str:
        """Make a ticket; return its id."""
        upload_id = secrets.token_hex(16)
        with self._lock:
            idle = [key for key, ticket in self._kept.items() if not ticket.busy]
            for key in idle[: max(0, len(self._kept) + 1 - self._at_most)]:
                self._kept.pop(key).drop()
            self._kept[upload_id] = Ticket(library, rename, max_bytes, rename_folder)
        return upload_id

    def get(self, upload_id: str) -> Ticket | None:
        """Return a ticket, if it still counts."""
        with self._lock:
            if upload_id in self._kept:
                self._kept.move_to_end(upload_id)
            return self._kept.get(upload_id)

    def take(self, upload_id: str) -> Arrived | None:
        """Return the file that came, if one did, and forget the ticket."""
        with self._lock:
            ticket = self._kept.get(upload_id)
            if ticket is None or ticket.busy or ticket.arrived is None:
                return None
            del self._kept[upload_id]
        return ticket.arrived if ticket.arrived.path.exists() else None  # it may have been swept

    @contextmanager
    def one_at_a_time(self, ticket: Ticket) -> Iterator[None]:
        """Keep others from sending with the same ticket, and too many from sending at all."""
        with self._lock:
            if ticket.busy:
                raise RefusedError(409, "Another file is still on its way here.")
            if sum(other.busy for other in self._kept.values()) >= MAX_AT_ONCE:
                raise RefusedError(503, "Too many files are on their way. Try again in a few minutes.")
            ticket.busy = True
        try:
            yield
        finally:
            ticket.busy = False


def check_room(folder: Path, n_bytes: int) -> None:
    """Refuse what the disk has no room for."""
    left = room(folder)
    if n_bytes > left:
        raise RefusedError(
            507,
            f"The server's disk has room for {left / 1e6:,.0f} MB more. "
            "Delete what is no longer needed, or ask for a larger disk.",
        )


def room(folder: Path) -> int:
    """Give how many bytes more may be written where a folder is."""
    with disk_errors():
        return max(0, shutil.disk_usage(folder).free - RESERVE)


def write_all(file: RawIOBase, left: memoryview) -> None:
    """Write to a file that is not buffered, which may take less at a time than it is given."""
    while left:
        left = left[file.write(left) or 0 :]


@contextmanager
def disk_errors() -> Iterator[None]:
    """Say in words that the disk refused."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or "it failed").lower()
        raise RefusedError(
            507, f"The server's disk could not take the file: {reason}. Nothing was kept."
        ) from error


def stage_import(
    library: Library, name: str, rename: Rename, endings: Sequence[str], rename_folder: Rename | None = None
) -> Path:
    """Give what the import folder holds a harmless name in the staging folder; it is not copied."""
    if name not in importable(library, endings, folders=rename_folder is not None):
        raise InputError("This is no longer in the import folder.")
    source = import_folder(library) / name
    harmless = rename_folder(name) if rename_folder and source.is_dir() else rename(name)
    staged = library.workspace() / harmless
    staged.symlink_to(source)
    return staged


UPLOADS = Uploads()
