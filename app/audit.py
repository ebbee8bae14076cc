"""What the dashboard writes into the audit log: who saw, exported and was refused what.

What is changed in a library is noted where all changes pass (:mod:`squint.library.noting`). What leaves is
noted by :func:`note` before it does, or it does not leave. What is seen and what was refused is written
behind the page, within a second: a crash may lose that, and nothing else.
"""

import logging
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from cachetools import LRUCache

from squint.errors import InputError
from squint.library import audit
from squint.library.acting import Actor, actor
from squint.library.chain import ADDRESS, CELLS, EXPORTED, NOT_DONE, REFUSED, SEEN, Entry, harmless_id
from squint.library.place import root_of

SOON_S, AGAIN_S = 0.2, 5.0  # before what waits is written, and after the log could not be
SAID_S = 60.0  # for so long pages say that it could not
MOST_WAITING = 20_000  # rows, while the log cannot be written
_MOST_VISITS = 200_000  # of which it is known what was seen

_log = logging.getLogger(__name__)
Visit = tuple[str, str, str, str]  # session, page, library and section


class Behind:
    """Rows that wait to be written, in the order in which they came; the same refusal is counted."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[Path, Actor, Entry], int] = {}  # how often
        self._problems: dict[Path, tuple[float, str]] = {}  # when and why a log could not be written
        self._seen = LRUCache[Visit, bool](_MOST_VISITS)
        self._lock, self._some = threading.Lock(), threading.Event()
        self._writing = threading.Lock()
        self._thread: threading.Thread | None = None

    def is_new(self, visit: Visit) -> bool:
        """Say whether a section is seen for the first time on a page in a session."""
        with self._lock:
            is_new = visit not in self._seen
            self._seen[visit] = True
        return is_new

    def put(self, home: Path, who: Actor, entry: Entry) -> None:
        """Have a row written soon."""
        with self._lock:
            key = (home, who, entry)
            if len(self._waiting) >= MOST_WAITING and key not in self._waiting:
                _log.error("The audit log cannot be written, and %d rows wait: one is lost.", MOST_WAITING)
                return
            self._waiting[key] = self._waiting.get(key, 0) + 1
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._write_for_ever, name="audit", daemon=True)
                self._thread.start()
        self._some.set()

    def flush(self) -> None:
        """Write all that waits now.

        Raises
        ------
        InputError
            If a log cannot be written: what is of it goes on waiting.
        """
        problem: InputError | None = None
        with self._writing:
            with self._lock:
                taken, self._waiting = self._waiting, {}
            for home, who in dict.fromkeys((home, who) for home, who, _ in taken):
                of_it = {key: n for key, n in taken.items() if key[:2] == (home, who)}
                try:
                    self.write(home, [_times(entry, n) for (*_, entry), n in of_it.items()], who)
                except InputError as error:
                    problem = error
                    if root_of(home).exists():  # else there is no server any more
                        with self._lock:
                            self._waiting = {**of_it, **self._waiting}
        if problem is not None:
            raise problem

    def write(self, home: Path, entries: Sequence[Entry], who: Actor) -> None:
        """Write rows now; remember why that was not possible."""
        root = root_of(home)
        try:
            audit.note(home, *entries, who=who)
        except InputError as error:
            self._problems[root] = time.monotonic(), str(error)
            raise
        self._problems.pop(root, None)

    def problem(self, home: Path) -> str:
        """Say why the log of a library could not be written, if that was a moment ago."""
        when, why = self._problems.get(root_of(home), (0.0, ""))
        return why if why and time.monotonic() - when < SAID_S else ""

    def _write_for_ever(self) -> None:
        pause = threading.Event()
        while True:
            self._some.wait()
            pause.wait(SOON_S)
            self._some.clear()
            try:
                self.flush()
            except Exception as error:  # noqa: BLE001 - it waits, and what else comes is written
                _log.error("The audit log could not be written: %s", error)
                pause.wait(AGAIN_S)
                self._some.set()


BEHIND = Behind()


def note(home: Path, action: str, kind: str, key: str = "", *, sections: Sequence[str] = ()) -> None:
    """Note something that is about to be done, by whoever uses this session.

    Parameters
    ----------
    home
        Folder of the library that it is done with.
    action, kind
        Of :mod:`squint.library.chain`.
    key
        Id of the object.
    sections
        Ids of the sections that it is of: each has a row.

    Raises
    ------
    InputError
        If the log cannot be written: then it must not be done.
    """
    BEHIND.write(home, entries(action, kind, key, sections), actor())


def entries(action: str, kind: str, key: str = "", sections: Sequence[str] = ()) -> list[Entry]:
    """Give the rows of something that is of some sections, or of none."""
    of = [*dict.fromkeys(sections)] or [""]
    return [Entry(action, kind, key, section) for section in of]


def seen(home: Path, section_ids: Sequence[str]) -> None:
    """Note that sections, or what was computed of them, are shown: once a session, page and section."""
    who = actor()
    for section in section_ids:
        if BEHIND.is_new((who.session, who.place, str(home), section)):
            BEHIND.put(home, who, Entry(SEEN, CELLS, section, section))


def refused(home: Path, kind: str = ADDRESS, key: object = "") -> None:
    """Note that something was not allowed, or not found as it is another's; what is no id is left out."""
    BEHIND.put(home, actor(), Entry(REFUSED, kind, harmless_id(key), outcome=NOT_DONE))


def exported(home: Path, kind: str, key: str = "", sections: Sequence[str] = ()) -> None:
    """Note that something leaves the dashboard, before it does."""
    note(home, EXPORTED, kind, key, sections=sections)


def why_not(home: Path) -> str:
    """Say why nothing can be exported now; nothing if it can, as far as is known."""
    return BEHIND.problem(home)


def _times(entry: Entry, n: int) -> Entry:
    return entry if n == 1 else Entry(entry.action, entry.kind, entry.id, entry.section, n, entry.outcome)
