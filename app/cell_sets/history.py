"""A folder of versions of something, with a head that says which one counts: undo, redo, no change lost."""

import fcntl
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from squint.errors import InputError
from squint.files import write_json

_VERSIONS = 200
_TRIES = 5  # at reading a version that a change may drop meanwhile


@dataclass(frozen=True)
class Head:
    """Which versions there are, oldest first, and which of them counts."""

    versions: tuple[int, ...] = ()
    at: int = 0

    @property
    def version(self) -> int:
        """The one that counts; 0 before the first change."""
        return self.versions[self.at] if self.versions else 0


@dataclass(frozen=True)
class Version:
    """Everything after a change."""

    what: str  # the change, in words
    content: Any  # JSON; ``None`` before the first change


class History:
    """Versions below a folder, at most 200. Each change is made on what is there by then, whoever made it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def saved(self) -> datetime | None:
        """When the head was last moved."""
        path = self.folder / "head.json"
        return datetime.fromtimestamp(path.stat().st_mtime, UTC) if path.exists() else None

    def now(self) -> tuple[Head, Version]:
        """Give the version that counts."""
        for attempt in count(1):
            head = self.head()
            try:
                return head, self.read(head.version)
            except FileNotFoundError:  # a change dropped it after the head was read
                if attempt == _TRIES:
                    raise
        raise AssertionError

    def head(self) -> Head:
        """Say which versions there are."""
        path = self.folder / "head.json"
        try:
            found = json.loads(path.read_text())
            head = Head(tuple(map(int, found["versions"])), int(found["at"]))
            head.version  # noqa: B018 - fails where the head says nothing that can be
        except FileNotFoundError:
            return Head()
        except (ValueError, LookupError, TypeError) as error:
            raise _damaged(path) from error
        return head

    def read(self, version: int) -> Version:
        """Read a version."""
        if not version:
            return Version("", None)
        path = self._path(version)
        try:
            return Version(**json.loads(path.read_text()))
        except (ValueError, TypeError) as error:
            raise _damaged(path) from error

    def commit(self, change: Callable[[Any], tuple[str, Any]], sweep: Callable[[Head], None]) -> None:
        """Change what is there by now, and keep it as a new version; what was undone is dropped.

        Parameters
        ----------
        change
            Is given the content that counts; returns what it does, in words, and the new content. Nothing is
            kept where it raises.
        sweep
            Is told, still under the lock, which versions there are then.
        """
        with self._lock():
            head = self.head()
            if not head.versions:  # the state before the first change, to go back to
                head = Head((1,))
                write_json(self._path(1), asdict(Version("", None)))
            what, content = change(self.read(head.version).content)
            new = max(head.versions) + 1
            write_json(self._path(new), asdict(Version(what, content)))
            kept = (*head.versions[: head.at + 1], new)[-_VERSIONS:]
            moved = Head(kept, len(kept) - 1)
            self._move(moved)
            for version in set(head.versions) - set(kept):
                self._path(version).unlink(missing_ok=True)
            sweep(moved)

    def step(self, by: int, seen: int | None) -> str:
        """Go back (-1) or forward (1) by a change; returns which.

        Raises
        ------
        InputError
            If there is none, or another version than ``seen`` counts by now.
        """
        with self._lock():
            head = self.head()
            if seen is not None and seen != head.version:
                raise InputError("This was changed meanwhile. Look at what is there before you go on.")
            if not 0 <= head.at + by < len(head.versions):
                raise InputError("There is nothing to undo." if by < 0 else "There is nothing to do again.")
            self._move(replace(head, at=head.at + by))
            return self.read(head.versions[head.at + max(by, 0)]).what

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with (self.folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # let go when the file is closed, however this ends
            yield

    def _move(self, head: Head) -> None:
        write_json(self.folder / "head.json", asdict(head))

    def _path(self, version: int) -> Path:
        return self.folder / f"{version:08d}.json"


def _damaged(path: Path) -> InputError:
    return InputError(f"{path.parent.name}/{path.name} in the library is damaged. Restore it from a backup.")
