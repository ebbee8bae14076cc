"""Folders that a browser sends: first what they hold, then all files that are wanted, in one stream.

One stream, because thousands of small files, as a zarr store has them, take no longer so than one large file,
and because a folder that is cut off on its way then goes on as a whole.
"""

import secrets
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from cachetools import LRUCache

from app.uploads.arrivals import ALLOWANCE, Ticket
from app.uploads.contents import File
from app.uploads.disk import RefusedError, room
from app.uploads.parts import Expected
from squint.errors import InputError
from squint.io.folders import check_names, is_junk, is_left_alone, quoted
from squint.io.transcript_files import fastest, form_of, is_drawn
from squint.sensitive import looks_like

MAX_FILES = 100_000  # of a folder that is sent; 10 MB of names
MAX_LISTING = 16 << 20  # bytes of all names
_MAX_WAITING = 8  # folders that are listed and not sent yet
_SOURCE = "The folder"


@dataclass(frozen=True)
class Listing(Expected):
    """What is wanted of a folder."""

    unwanted: tuple[int, ...] = ()  # places of the files in what the browser listed that are not


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

    Transcripts that the map may draw are wanted where the folder is no more than the server takes with them.

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
        junk = {file for file in listed if is_junk(file.name)}
        left = {file for file in listed if file not in junk and is_left_alone(file.name)}
        drawn = _drawn(left)
        others = [file for file in listed if file not in junk and file not in left]
        fits = _sum([*others, *drawn]) <= min(ticket.max_bytes, room(ticket.library.uploads))
        too_large = set() if fits else drawn
        left -= drawn
        not_sent = junk | left | too_large
        unwanted = tuple(i for i, file in enumerate(listed) if file in not_sent)
        files = tuple(file for file in listed if file not in not_sent)
        check_names((file.name for file in files), _SOURCE)
    except InputError as error:
        raise RefusedError(415, str(error)) from error
    except ValueError as error:
        raise RefusedError(400, "What the browser says of the folder cannot be read.") from error
    return Listing(
        harmless,
        looks_like(name.removesuffix(".zarr")),
        _size(ticket, files),
        files,
        tuple(sorted(file.name for file in left)),
        tuple(sorted(too_large)),
        unwanted,
    )


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


def _drawn(files: Iterable[File]) -> set[File]:
    """Give those with transcripts that the map may draw, of several alike the one that is read fastest."""
    drawn = {file.name: file for file in files if is_drawn(file.name)}
    chosen = set(fastest(drawn).values())
    return {file for name, file in drawn.items() if name in chosen or form_of(name) is None}


def _sum(files: Iterable[File]) -> int:
    return sum(file.n_bytes for file in files)


def _size(ticket: Ticket, files: tuple[File, ...]) -> int:
    """Sum the bytes of the files, or refuse them."""
    n_bytes = _sum(files)
    if not n_bytes:
        raise RefusedError(400, "The folder holds no file that could be read.")
    if n_bytes > ticket.max_bytes:
        largest = max(files, key=lambda file: file.n_bytes)
        raise RefusedError(
            413,
            f"The folder has {n_bytes / 1e6:,.0f} MB, and this server takes {ticket.max_bytes / 1e6:,.0f} MB "
            f"(SQUINT_MAX_UPLOAD_MB). Its largest file is {quoted(largest.name)} with "
            f"{largest.n_bytes / 1e6:,.0f} MB. Leave out what is not needed, or put the folder into the "
            "import folder.",
        )
    ALLOWANCE.check(ticket.owner, n_bytes)
    return n_bytes
