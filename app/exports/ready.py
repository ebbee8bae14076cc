"""Files that were made to be taken home: they wait on the disk, as nobody may fetch them."""

import weakref
from pathlib import Path

from squint.errors import InputError
from squint.library.store import Library


class Ready:
    """A file of one session, which goes with what remembers it: with its session at the latest.

    Parameters
    ----------
    library
        Where it waits.
    made
        Where it is; it is taken from there.

    Raises
    ------
    OSError
        If it is gone.
    """

    def __init__(self, library: Library, made: Path) -> None:
        self._path = library.workspace() / made.name
        self._end = weakref.finalize(self, library.unstage, self._path)
        made.replace(self._path)
        self.n_bytes = self._path.stat().st_size

    def read(self) -> bytes:
        """Give the content.

        Raises
        ------
        InputError
            If nobody fetched it in a day.
        """
        try:
            return self._path.read_bytes()
        except OSError as error:
            raise InputError(f"{self._path.name} is gone. Make it again.") from error

    def forget(self) -> None:
        """Remove it."""
        self._end()


def taken(library: Library, *made: Path) -> tuple[Ready, ...]:
    """Take files that a worker left in one folder, which goes: with the worker, it would be gone later.

    Raises
    ------
    InputError
        If one is gone already.
    """
    try:
        return tuple(Ready(library, path) for path in made)
    except OSError as error:
        raise InputError("The file is gone. Make it again.") from error
    finally:
        library.unstage(made[0])
