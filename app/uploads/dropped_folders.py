"""Folders that a browser sends: first what they hold, then all files that are wanted, in one stream.

One stream, because thousands of small files, as a zarr store has them, take no longer so than one large file,
and because a folder that is cut off on its way is then gone as a whole.
"""

import hashlib
import secrets
import shutil
import threading
from dataclasses import dataclass
from io import FileIO
from typing import NamedTuple
from urllib.parse import unquote

from cachetools import LRUCache

from app.uploads.arrivals import Arrived, RefusedError, Ticket, check_room, disk_errors, write_all
from squint.errors import InputError
from squint.io.folders import check_names, is_junk, is_left_alone, quoted
from squint.sensitive import looks_like

MAX_FILES = 100_000  # of a folder that is sent; 10 MB of names
MAX_LISTING = 16 << 20  # bytes of all names
_MAX_WAITING = 8  # folders that are listed and not sent yet
_SOURCE = "The folder"


class File(NamedTuple):
    """A file of a folder that is wanted."""

    name: str  # relative to the folder, with "/"
    n_bytes: int


@dataclass(frozen=True)
class Listing:
    """What is wanted of a folder."""

    name: str  # harmless
    likeness: str | None  # what its name looked like, if it may have named a person
    files: tuple[File, ...]  # in the order in which they come
    unwanted: tuple[int, ...]  # places of the others in what the browser listed
    left_alone: tuple[str, ...]  # of the others, names of those that nothing here reads

    @property
    def n_bytes(self) -> int:
        """How many bytes will come."""
        return sum(file.n_bytes for file in self.files)


class Listings:
    """Listings by an id, until their files come; the oldest forgotten first."""

    def __init__(self) -> None:
        self._kept = LRUCache[str, tuple[Ticket, Listing]](_MAX_WAITING)
        self._lock = threading.Lock()

    def put(self, ticket: Ticket, listing: Listing) -> str:
        """Keep a listing; return its id."""
        listing_id = secrets.token_hex(8)
        with self._lock:
            self._kept[listing_id] = ticket, listing
        return listing_id

    def take(self, ticket: Ticket, listing_id: str) -> Listing:
        """Return a listing and forget it, or refuse an id of another page's or of none."""
        with self._lock:
            owner, listing = self._kept.get(listing_id, (None, None))
            if listing is None or owner is not ticket:
                raise RefusedError(409, "The folder was given too long ago. Give it again.")
            del self._kept[listing_id]
        return listing


def list_folder(ticket: Ticket, name: str, lines: bytes) -> Listing:
    """Decide what is wanted of a folder, or refuse it.

    Parameters
    ----------
    ticket
        Of the page that wants to send it.
    name
        The folder's.
    lines
        One line a file: its size in bytes, a space, and its percent-encoded name relative to the folder.

    Raises
    ------
    RefusedError
        If there are too many files or bytes, or a name is not fit.
    """
    if ticket.rename_folder is None:
        raise RefusedError(415, "Folders are not taken here. Give a file.")
    if lines.count(b"\n") > MAX_FILES:
        raise too_many()
    try:
        harmless = ticket.rename_folder(name)
        listed = [_file(line) for line in lines.decode("ascii").splitlines()]
        unwanted = tuple(i for i, file in enumerate(listed) if is_junk(file.name) or is_left_alone(file.name))
        others = set(unwanted)
        files = tuple(file for i, file in enumerate(listed) if i not in others)
        check_names((file.name for file in files), _SOURCE)
    except InputError as error:
        raise RefusedError(415, str(error)) from error
    except ValueError as error:
        raise RefusedError(400, "What the browser says of the folder cannot be read.") from error
    left = sorted(listed[i].name for i in unwanted if not is_junk(listed[i].name))
    listing = Listing(harmless, looks_like(name.removesuffix(".zarr")), files, unwanted, tuple(left))
    _check_size(ticket, listing)
    return listing


def too_many() -> RefusedError:
    """Make the error about a folder of too many files."""
    return RefusedError(
        413,
        f"The folder holds more than {MAX_FILES:,} files. Pack it as .zip, or put it into the import folder.",
    )


def _file(line: str) -> File:
    size, _, name = line.partition(" ")
    if not (size.isdigit() and len(size) <= 20):
        raise ValueError(size)
    return File(unquote(name, errors="strict"), int(size))


def _check_size(ticket: Ticket, listing: Listing) -> None:
    n_bytes = listing.n_bytes
    if not n_bytes:
        raise RefusedError(400, "The folder holds no file that could be read.")
    if n_bytes > ticket.max_bytes:
        largest = max(listing.files, key=lambda file: file.n_bytes)
        raise RefusedError(
            413,
            f"The folder has {n_bytes / 1e6:,.0f} MB, and this server takes {ticket.max_bytes / 1e6:,.0f} MB "
            f"(SQUINT_MAX_UPLOAD_MB). Its largest file is {quoted(largest.name)} with "
            f"{largest.n_bytes / 1e6:,.0f} MB. Leave out what is not needed, or put the folder into the "
            "import folder.",
        )
    check_room(ticket.library.staging, n_bytes)


class FolderArrival:
    """A folder as it is written: all of it, or nothing."""

    def __init__(self, ticket: Ticket, listing: Listing) -> None:
        self.n_bytes = 0
        self._listing = listing
        self._waiting = iter(listing.files)
        self._file: FileIO | None = None  # the one that is being written
        self._name, self._left = "", 0  # its name, and how many bytes of it are still to come
        self._digest = hashlib.sha256()
        self._digests: dict[str, bytes] = {}  # of files that are complete
        ticket.make_way()
        with disk_errors():
            self._folder = ticket.library.workspace() / listing.name
            self._made = {self._folder}
            try:
                self._folder.mkdir()
                self._go_on()
            except OSError:
                self.discard()
                raise

    def write(self, block: bytearray) -> None:
        """Go on with the file at which the last block ended, and with those after it."""
        check_room(self._folder.parent, len(block))
        self.n_bytes += len(block)
        if self.n_bytes > self._listing.n_bytes:
            raise RefusedError(400, "More came than the folder held. It may have changed: give it again.")
        left = memoryview(block)
        with disk_errors():
            while left and self._file:
                part, left = left[: self._left], left[self._left :]
                write_all(self._file, part)
                self._digest.update(part)
                self._left -= len(part)
                self._go_on()

    def _go_on(self) -> None:
        """Where a file is complete, begin the next one; those that are empty are complete at once."""
        while not self._left:
            if self._file:
                self._file.close()
                self._digests[self._name] = self._digest.digest()
            file = next(self._waiting, None)
            if file is None:
                self._file = None
                return
            path = self._folder / file.name
            if path.parent not in self._made:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._made.add(path.parent)
            self._file = path.open("xb", buffering=0)
            self._name, self._left, self._digest = file.name, file.n_bytes, hashlib.sha256()

    def finish(self) -> Arrived:
        """Return the complete folder."""
        if self._file:
            raise RefusedError(400, "Less came than the folder held. It may have changed: give it again.")
        digest = hashlib.sha256()
        for file in sorted(self._listing.files, key=lambda file: file.name.split("/")):
            digest.update(f"{file.name} {file.n_bytes}\n".encode() + self._digests[file.name])
        listing = self._listing
        return Arrived(
            self._folder,
            self.n_bytes,
            digest.hexdigest(),
            listing.likeness,
            len(listing.files),
            listing.left_alone,
        )

    def discard(self) -> None:
        """Remove what was written."""
        if self._file:
            self._file.close()
        shutil.rmtree(self._folder.parent, ignore_errors=True)
