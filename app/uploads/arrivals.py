"""Files on their way to the library: who may send one, what of it is on the disk, what has come.

Files and folders reach the library in two ways that hold nothing in memory: a browser streams them to an
address that a page made (:mod:`app.routes.uploads`; of folders, :mod:`app.uploads.dropped_folders`), or
somebody puts them into the import folder.
"""

import os
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from app.settings import max_upload_a_day
from app.uploads.allowance import Allowance
from app.uploads.disk import RefusedError
from app.uploads.parts import Arrived, Expected, Part
from squint.errors import InputError
from squint.library import staging
from squint.library.import_folder import import_folder, importable
from squint.library.store import Library
from squint.sensitive import looks_like

MAX_TICKETS = 256
MAX_AT_ONCE, MAX_OF_ONE = 8, 4  # on their way, of all and of one person
MAX_TICKETS_OF_ONE = 64

Rename = Callable[[str], str]  # from what a user calls a file to a harmless name, or refuses it


@dataclass
class Ticket:
    """The right of one page to send one file, or one folder, at a time."""

    library: Library
    rename: Rename
    max_bytes: int
    rename_folder: Rename | None = None  # of a place that takes folders too
    owner: str = ""  # whose uploads are counted together, by `app.session.asker`
    person: int = 0  # whose page it is
    busy: bool = False
    problem: str = ""  # why the last file did not come
    begun: tuple[Expected, str] | None = None  # what goes on where it was cut off, and its key
    arrived: Arrived | None = None

    def expect(self, name: str, n_bytes: int | None) -> Expected:
        """Expect a file of a name, and a size if it is known, or refuse it."""
        harmless = self.check(name)
        self.check_size(n_bytes or 0)
        ALLOWANCE.check(self.owner, n_bytes or 0)
        return Expected(harmless, looks_like(name.rpartition(".")[0]), n_bytes)

    def begin(self, expected: Expected, told: bytes) -> int:
        """Find what came of an upload before.

        Parameters
        ----------
        expected
            What the page is about to send.
        told
            What the browser tells of its content, by which it is the same as one before.

        Returns
        -------
        How many bytes came; if it is all, they are in ``arrived``.
        """
        if not expected.n_bytes:
            raise RefusedError(400, "The file is empty.")
        self.drop()
        key = expected.key(told)
        part = Part(self.library, expected, key)
        self.begun, self.arrived = (expected, key), part.arrived
        n_bytes = part.n_bytes
        part.leave()
        return n_bytes

    def go_on(self, offset: int, n_bytes: int | None) -> Part:
        """Open what :meth:`begin` found, if it ends where the rest begins, and the rest is all of it."""
        if self.begun is None:
            raise RefusedError(409, "The server was started anew meanwhile. Give it again.")
        expected, key = self.begun
        if n_bytes is not None and offset + n_bytes != expected.n_bytes:
            raise RefusedError(400, f"The {expected.what} may have changed: give it again.")
        part = Part(self.library, expected, key)
        if part.arrived or part.n_bytes != offset:
            part.leave()
            raise RefusedError(409, f"The rest begins at byte {part.n_bytes:,}, not {offset:,}.")
        return part

    def forget(self) -> bool:
        """Remove what came of what was begun; say whether anything was."""
        if self.begun is None:
            return False
        folder = self.library.uploads / self.begun[1]
        if folder.exists():
            lock = staging.claim(folder)
            if lock is None:
                raise RefusedError(409, "It is still on its way.")
            staging.discard(self.library.home, folder)
            os.close(lock)
        self.begun = self.arrived = None
        return True

    def check(self, name: str) -> str:
        """Refuse what would not be taken for its name; else return its harmless name."""
        try:
            return self.rename(name)
        except InputError as error:
            raise RefusedError(415, str(error)) from error

    def check_size(self, n_bytes: int) -> None:
        """Refuse a file that is too large."""
        if n_bytes > self.max_bytes:
            limit = self.max_bytes / 1e6
            raise RefusedError(
                413,
                f"The file is larger than {limit:,.0f} MB, the most that this server takes "
                "(SQUINT_MAX_UPLOAD_MB). Put it into the import folder instead.",
            )

    def drop(self) -> None:
        """Remove a file that nobody took and nobody would find again."""
        if self.arrived and not self.arrived.lasting:
            self.library.unstage(self.arrived.path)
        self.arrived = None


class Uploads:
    """Tickets by an id that cannot be guessed, those that nobody asked for in a while forgotten first."""

    def __init__(self, at_most: int = MAX_TICKETS) -> None:
        self._at_most = at_most
        self._kept: OrderedDict[str, Ticket] = OrderedDict()
        self._lock = threading.Lock()

    def open(
        self,
        library: Library,
        rename: Rename,
        max_bytes: int,
        rename_folder: Rename | None = None,
        *,
        owner: str = "",
        person: int = 0,
    ) -> str:
        """Make a ticket of somebody; return its id."""
        upload_id = secrets.token_hex(16)
        with self._lock:
            own = [key for key, ticket in self._kept.items() if owner and ticket.owner == owner]
            self._drop_idle(own, len(own) + 1 - MAX_TICKETS_OF_ONE)
            self._drop_idle(list(self._kept), len(self._kept) + 1 - self._at_most)
            self._kept[upload_id] = Ticket(library, rename, max_bytes, rename_folder, owner, person)
        return upload_id

    def _drop_idle(self, keys: list[str], n: int) -> None:
        """Forget the first ``n`` of some tickets that nobody sends with."""
        for key in [key for key in keys if not self._kept[key].busy][: max(0, n)]:
            self._kept.pop(key).drop()

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
        arrived = ticket.arrived
        with suppress(OSError):  # on a full disk it is taken all the same
            staging.hold(ticket.library.home, arrived.path.parent)
        return arrived if arrived.path.exists() else None  # it may have been swept

    @contextmanager
    def one_at_a_time(self, ticket: Ticket) -> Iterator[None]:
        """Keep others from sending with the same ticket, and too many from sending at all."""
        with self._lock:
            if ticket.busy:
                raise RefusedError(409, "Another file is still on its way here.")
            if sum(other.busy for other in self._kept.values()) >= MAX_AT_ONCE:
                raise RefusedError(503, "Too many files are on their way. Try again in a few minutes.")
            own = sum(other.busy and other.owner == ticket.owner for other in self._kept.values())
            if ticket.owner and own >= MAX_OF_ONE:
                raise RefusedError(503, f"You send {own} files already. Try again when one has come.")
            ticket.busy = True
        try:
            yield
        finally:
            ticket.busy = False


def stage_import(
    library: Library, name: str, rename: Rename, endings: Sequence[str], rename_folder: Rename | None = None
) -> Path:
    """Give what the import folder holds a harmless name among the uploads; it is not copied."""
    if name not in importable(library, endings, folders=rename_folder is not None):
        raise InputError("This is no longer in the import folder.")
    source = import_folder(library) / name
    harmless = rename_folder(name) if rename_folder and source.is_dir() else rename(name)
    staged = library.upload_folder() / harmless
    staged.symlink_to(source)
    return staged


ALLOWANCE = Allowance(max_upload_a_day)
UPLOADS = Uploads()
