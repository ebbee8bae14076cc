"""Folders of a library for what is not kept yet, and whose they are.

What a process makes on its way to something else lies below ``staging/``, in folders named after their owner:
a process that holds a lock on ``locks/OWNER`` as long as it lives, however it ends. So one process can tell
what a dead one left from what another still works on. What users gave lies below ``uploads/``: it outlives
the process that took it, may be in use by several, and goes when it is removed, or nobody came back to it.
"""

import fcntl
import os
import shutil
import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

STAGING, UPLOADS, LOCKS = "staging", "uploads", "locks"
ABANDONED_S = 24 * 3600  # after so long nobody comes back
RESERVE = 500_000_000  # bytes of the disk that are left for results
_LOCK = ".lock"  # in the folder of an upload: held by who writes to it
_HELD = ".held"  # begins the names of what says which process uses an upload

_owners: dict[Path, tuple[str, int]] = {}  # this process as an owner: its name and its lock, by library
_guard = threading.Lock()


def workspace(home: Path) -> Path:
    """Make an empty folder that belongs to this process, and remove those of its own that nobody fetched."""
    owner = _owner(home)
    _sweep_own((home / STAGING).glob(f"{owner}-*"), ABANDONED_S)
    folder = home / STAGING / f"{owner}-{uuid4().hex}"
    folder.mkdir()
    return folder


def upload_folder(home: Path) -> Path:
    """Make an empty folder for something that a user gave."""
    folder = home / UPLOADS / uuid4().hex
    folder.mkdir()
    return folder


def claim(folder: Path) -> int | None:
    """Make the folder of an upload, if it is missing, and keep others from writing to it.

    Returns
    -------
    The lock, which ends with :func:`os.close` or this process; ``None`` if another holds it.
    """
    while True:
        folder.mkdir(exist_ok=True)
        with suppress(FileNotFoundError):  # it was removed just now
            return _lock(folder / _LOCK)


def hold(home: Path, folder: Path) -> None:
    """Say that this process uses an upload, until :func:`unstage`: it may do so more than once."""
    (folder / f"{_HELD}-{_owner(home)}-{uuid4().hex}").touch()
    os.utime(folder)


def unstage(home: Path, staged: Path) -> None:
    """Remove what lies in a workspace, or came as an upload and is used by nobody else."""
    folder = staged.parent
    if folder.parent == home / STAGING:
        shutil.rmtree(folder, ignore_errors=True)
    elif folder.parent == home / UPLOADS:
        for own in list(folder.glob(f"{_HELD}-{_owner(home)}-*"))[:1]:
            own.unlink(missing_ok=True)
        discard(home, folder)


def discard(home: Path, folder: Path) -> None:
    """Remove an upload at once, unless a living process uses it."""
    if not any(_is_alive(home, held.name.split("-")[1]) for held in folder.glob(f"{_HELD}-*")):
        _remove(folder)


def sweep(home: Path, older_than_s: float = ABANDONED_S) -> None:
    """Remove what dead processes staged, and what nobody came back to.

    Parameters
    ----------
    home
        Folder of the library.
    older_than_s
        How many seconds ago an upload, or what this process staged, was last written to. What other living
        processes staged is theirs to remove.
    """
    staged = defaultdict[str, list[Path]](list)
    for folder in (home / STAGING).iterdir():
        staged[folder.name.partition("-")[0]].append(folder)
    owner = _owner(home)
    _sweep_own(staged.pop(owner, []), older_than_s)
    for dead in {*staged, *(lock.name for lock in (home / LOCKS).iterdir())} - {owner}:
        _bury(home, dead, staged[dead])
    for folder in (home / UPLOADS).iterdir():
        _sweep_upload(folder, older_than_s)


def _sweep_own(folders: Iterable[Path], older_than_s: float) -> None:
    for folder in folders:
        if _age_s(folder) >= older_than_s:
            shutil.rmtree(folder, ignore_errors=True)


def _sweep_upload(folder: Path, older_than_s: float) -> None:
    if folder.name.startswith("."):  # whoever removed it did not get to its end
        shutil.rmtree(folder, ignore_errors=True)
    elif _age_s(folder) >= older_than_s and (lock := claim(folder)) is not None:
        _remove(folder)
        os.close(lock)


def _remove(folder: Path) -> None:
    """Remove an upload so that nobody finds a part of it."""
    gone = folder.with_name(f".{uuid4().hex}")
    with suppress(FileNotFoundError):  # somebody else was faster
        folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _age_s(folder: Path) -> float:
    """Give the seconds since a folder was touched; they begin anew where the clock was set back."""
    try:
        age_s = time.time() - folder.stat().st_mtime
        if age_s < 0:
            os.utime(folder)
    except FileNotFoundError:  # it was kept or removed just now
        return 0
    return max(0, age_s)


def _owner(home: Path) -> str:
    """Name this process as an owner, and make it one at first."""
    with _guard:
        if home in _owners and _is_at(_owners[home][1], home / LOCKS / _owners[home][0]):
            return _owners[home][0]
        (home / LOCKS).mkdir(exist_ok=True)
        name = uuid4().hex
        lock = _lock(home / LOCKS / name)
        if lock is None:
            raise BlockingIOError(f"{name} is locked.")  # nobody else knows the name
        _owners[home] = name, lock
        return name


def _is_alive(home: Path, owner: str) -> bool:
    path = home / LOCKS / owner
    if not path.exists():
        return False
    lock = _lock(path)
    if lock is not None:
        os.close(lock)
    return lock is None


def _bury(home: Path, owner: str, staged: list[Path]) -> None:
    """Remove what an owner staged, if it is dead; its lock is held meanwhile, so that nobody becomes it."""
    path = home / LOCKS / owner
    lock = _lock(path)
    if lock is None:
        return
    for folder in staged:
        shutil.rmtree(folder, ignore_errors=True)
    path.unlink(missing_ok=True)
    os.close(lock)


def _lock(path: Path) -> int | None:
    """Lock a file, made if it is missing; ``None`` if another holds the lock."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return None
        except OSError:
            os.close(file)
            raise
        if _is_at(file, path):
            return file
        os.close(file)  # the one that is locked was removed just now


def _is_at(file: int, path: Path) -> bool:
    """Say whether an open file is the one that lies at a path."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _forget_parent() -> None:
    """Let a forked child be an owner of its own; its parent's locks stay the parent's."""
    global _guard  # noqa: PLW0603 - a thread of the parent may have held it
    _guard = threading.Lock()
    for _, lock in _owners.values():
        os.close(lock)
    _owners.clear()


os.register_at_fork(after_in_child=_forget_parent)
