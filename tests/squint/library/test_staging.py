"""What is not kept yet: whose it is, and when it goes."""

import multiprocessing
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from squint.library import staging
from squint.library.staging import ABANDONED_S
from squint.library.store import Library
from tests.helpers.paths import ROOT


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "home")


@contextmanager
def another(library: Library, work: str) -> Iterator[tuple["subprocess.Popen[str]", Path]]:
    """Let another process stage something, by an expression that gives a path; it lives until killed."""
    script = f"""
        import sys, time
        from pathlib import Path
        from squint.library import staging
        from squint.library.store import Library
        library = Library(Path(sys.argv[1]))
        print({work}, flush=True)
        time.sleep(600)
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(library.home)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process, Path(process.stdout.readline().strip())
        finally:
            process.kill()


def kill(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.wait(20)


def age(folder: Path, seconds: float) -> None:
    at = time.time() - seconds
    os.utime(folder, (at, at))


def test_a_workspace_of_a_living_process_stays_and_of_a_killed_one_goes(library: Library) -> None:
    with another(library, "library.workspace()") as (process, folder):
        (folder / "x.h5ad").write_bytes(b"half a section")
        age(folder, 10 * ABANDONED_S)
        library.sweep(older_than_s=0)
        assert (folder / "x.h5ad").read_bytes() == b"half a section"  # and others can read it
        kill(process)
        library.sweep()
        assert not folder.exists()
        assert library.sections() == []
    assert len(list((library.home / "locks").iterdir())) == 1  # this process's


@pytest.mark.parametrize("what_sweeps", ["sweep", "workspace"])  # a worker makes workspaces, and never sweeps
def test_what_this_process_staged_goes_by_age(library: Library, what_sweeps: str) -> None:
    old, young = library.workspace(), library.workspace()
    age(old, ABANDONED_S + 1)
    age(young, ABANDONED_S - 60)
    getattr(library, what_sweeps)()
    assert not old.exists()
    assert young.exists()


def test_what_earlier_versions_staged_has_no_owner_and_goes(library: Library) -> None:
    (library.staging / ("0" * 32)).mkdir()
    library.sweep()
    assert not list(library.staging.iterdir())


def _stage(home: Path, sender: "multiprocessing.connection.Connection") -> None:
    sender.send(staging.workspace(home))
    time.sleep(600)


def test_a_forked_process_is_an_owner_of_its_own(library: Library) -> None:
    mine = library.workspace()
    fork = multiprocessing.get_context("fork")
    receiver, sender = fork.Pipe(duplex=False)
    child = fork.Process(target=_stage, args=(library.home, sender))
    child.start()
    theirs: Path = receiver.recv()
    library.sweep(older_than_s=ABANDONED_S)
    assert theirs.exists()
    child.kill()
    child.join(20)
    library.sweep(older_than_s=ABANDONED_S)
    assert not theirs.exists()
    assert mine.exists()


def test_a_lock_that_somebody_removed_is_made_anew(library: Library) -> None:
    library.workspace()
    for lock in (library.home / "locks").iterdir():
        lock.unlink()
    folder = library.workspace()
    with another(library, "library.sweep(older_than_s=0)"):
        assert folder.exists()


def test_an_upload_outlives_its_process_and_goes_after_a_day(library: Library) -> None:
    with another(library, "library.upload_folder()") as (process, folder):
        kill(process)
    library.sweep()
    assert folder.exists()
    age(folder, ABANDONED_S + 1)
    library.sweep()
    assert not folder.exists()


def test_a_clock_that_was_set_back_lets_the_day_begin_anew(library: Library) -> None:
    folder = library.upload_folder()
    age(folder, -1000 * ABANDONED_S)  # touched in a time to come
    library.sweep(older_than_s=60)
    assert folder.exists()
    assert abs(folder.stat().st_mtime - time.time()) < 60


def test_an_upload_that_is_written_to_is_not_swept(library: Library) -> None:
    folder = library.upload_folder()
    lock = staging.claim(folder)
    assert lock is not None
    assert staging.claim(folder) is None
    age(folder, 2 * ABANDONED_S)
    library.sweep()
    assert folder.exists()
    os.close(lock)
    age(folder, 2 * ABANDONED_S)
    library.sweep()
    assert not folder.exists()


def test_an_upload_goes_when_the_last_that_uses_it_lets_go(library: Library) -> None:
    folder = library.upload_folder()
    staged = folder / "x.h5ad"
    staged.touch()
    staging.hold(library.home, folder)
    staging.hold(library.home, folder)
    library.unstage(staged)
    assert staged.exists()
    library.unstage(staged)
    assert not list(library.uploads.iterdir())


def test_an_upload_that_another_living_process_uses_stays(library: Library) -> None:
    folder = library.upload_folder()
    staged = folder / "x.h5ad"
    staged.touch()
    staging.hold(library.home, folder)
    hold = f"staging.hold(library.home, Path({str(folder)!r}))"
    with another(library, hold) as (process, _):
        library.unstage(staged)
        assert staged.exists()
        kill(process)
        library.unstage(staged)
        assert not list(library.uploads.iterdir())


def test_what_was_half_removed_is_removed_at_the_next_sweep(library: Library) -> None:
    (library.uploads / ".gone" / "part").mkdir(parents=True)
    library.sweep()
    assert not list(library.uploads.iterdir())


def test_unstaging_touches_nothing_else(library: Library, tmp_path: Path) -> None:
    outside = tmp_path / "elsewhere" / "file"
    outside.parent.mkdir()
    outside.touch()
    library.unstage(outside)
    library.unstage(library.sections_folder / "x" / "file")
    assert outside.exists()
    assert library.sections_folder.exists()
