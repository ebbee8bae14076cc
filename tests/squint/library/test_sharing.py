"""The same file in several projects: stored once, and whole in each."""

import multiprocessing
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from anndata import AnnData

from squint.errors import InputError
from squint.files import Moves
from squint.io.content import Answers
from squint.library import adding, ingest, originals, sharing
from squint.library.adding import Kept
from squint.library.database import database as database_of
from squint.library.place import all_homes, project_home
from squint.library.store import Library
from squint.library.verify import verify
from squint.pp import QualityFilter

ONE, OTHER = "0a" * 8, "0b" * 8  # projects

LABELS = ingest.Labels({"P1": "A-1", "P2": "A-2"}, {})
UM = Answers(unit="um")


@pytest.fixture
def path(section: AnnData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write two sections into one file."""
    path = tmp_path_factory.mktemp("given") / "two.h5ad"
    section.write_h5ad(path)
    return path


@pytest.fixture
def others(library: Library) -> Callable[[str], Library]:
    """Give the library of a project beside the first."""
    return lambda project: Library(project_home(library.home, project))


def keep(library: Library, path: Path, name: str = "two.h5ad") -> list[Kept]:
    staged = library.upload_folder() / name
    shutil.copyfile(path, staged)
    try:
        settled = adding.read(staged, UM)
        return adding.keep(library, staged, settled, LABELS, UM, QualityFilter(), lambda *_: None)
    finally:
        library.unstage(staged)


def keep_at_once(home: Path, path: Path, together: "threading.Barrier") -> None:
    library = Library(home)
    staged = library.upload_folder() / f"{os.getpid()}.h5ad"
    shutil.copyfile(path, staged)
    settled = adding.read(staged, UM)
    together.wait(60)
    adding.keep(library, staged, settled, LABELS, UM, QualityFilter(), lambda *_: None)
    library.unstage(staged)


def original_of(library: Library) -> Path:
    (path,) = library.originals.glob("*/*")
    return path


def whole(library: Library) -> None:
    """See that a library has both sections, one original, and that all is as it was kept."""
    assert len(library.sections()) == 2
    found = [originals.find(library, one.id) for one in library.sections()]
    assert found == [original_of(library)] * 2
    assert verify(library).problems == ()
    assert not list(library.home.rglob("*.tmp"))


def test_the_same_file_in_two_projects_is_stored_once_and_each_deletes_its_own(
    library: Library, others: Callable[[str], Library], path: Path
) -> None:
    second = others(ONE)
    keep(library, path)
    keep(second, path, "another_name.h5ad")
    first_file, second_file = original_of(library), original_of(second)
    assert first_file.samefile(second_file)
    assert second_file.name == "another_name.h5ad"
    assert first_file.stat().st_nlink == 2
    whole(library)
    whole(second)
    library.delete(*[one.id for one in library.sections()])
    assert not list(library.originals.iterdir())
    whole(second)
    assert second_file.read_bytes() == path.read_bytes()
    keep(library, path)  # and comes back
    assert original_of(library).samefile(second_file)
    whole(library)


@pytest.mark.filterwarnings("ignore::pandas.errors.SettingWithCopyWarning")  # of anndata's own, with threads
@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_the_same_file_at_the_same_moment_in_two_projects_and_twice_in_one(
    library: Library, others: Callable[[str], Library], path: Path, kind: str
) -> None:
    homes = [others(ONE).home, others(ONE).home, others(OTHER).home]
    whom = multiprocessing.get_context("spawn") if kind == "processes" else threading
    together = whom.Barrier(len(homes))
    if kind == "processes":
        for home in homes:
            database_of(home).close()
    run = whom.Process if kind == "processes" else threading.Thread
    doing = [run(target=keep_at_once, args=(home, path, together)) for home in homes]
    for one in doing:
        one.start()
    for one in doing:
        one.join(120)
        assert getattr(one, "exitcode", 0) == 0
    for project in (ONE, OTHER):
        whole(others(project))
    assert original_of(others(ONE)).samefile(original_of(others(OTHER)))
    assert library.sections() == []


def test_a_folder_is_shared_file_by_file(
    library: Library, others: Callable[[str], Library], tmp_path_factory: pytest.TempPathFactory
) -> None:
    given = tmp_path_factory.mktemp("given") / "run"
    (given / "below").mkdir(parents=True)
    (given / "a.csv").write_text("a")
    (given / "below" / "b.csv").write_text("b")
    kept = []
    for one in (library, others(ONE)):
        named = given.with_name(f"run of {one.home.name}")
        shutil.copytree(given, named)
        incoming = originals.stage(one, named)
        with Moves(one.workspace()) as moves, one.database.writing() as session:
            originals.place(one, session, incoming, moves)
        sharing.share(one, incoming.sha256)
        kept.append(one.originals / incoming.sha256 / named.name)
    for name in ("a.csv", "below/b.csv"):
        assert (kept[0] / name).samefile(kept[1] / name)


def test_what_is_damaged_there_is_not_shared(
    library: Library, others: Callable[[str], Library], path: Path
) -> None:
    keep(library, path)
    damaged = original_of(library)
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    second = others(ONE)
    keep(second, path)
    assert not damaged.samefile(original_of(second))
    whole(second)


def test_without_links_each_has_its_own_bytes(
    library: Library, others: Callable[[str], Library], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    keep(library, path)
    second = others(ONE)
    with monkeypatch.context() as patch:
        patch.setattr(os, "link", refuse)
        keep(second, path)
    assert not original_of(library).samefile(original_of(second))
    whole(second)
    assert sharing.share_all(library.home) == path.stat().st_size  # where it can be done later
    assert original_of(library).samefile(original_of(second))
    assert sharing.share_all(library.home) == 0
    whole(library)
    whole(second)


def test_the_quota_is_of_all_projects_and_counts_what_is_stored_once_once(
    library: Library,
    others: Callable[[str], Library],
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keep(library, path)
    n_bytes, original = library.used_bytes(), path.stat().st_size
    second = others(ONE)
    monkeypatch.setenv("SQUINT_QUOTA_GB", str((2 * n_bytes - original + 10_000) / 1e9))
    keep(second, path)
    assert second.used_bytes() == pytest.approx(n_bytes, rel=0.05)  # as if it were alone
    third = others(OTHER)
    with pytest.raises(InputError, match="All projects together hold"):
        keep(third, path)
    assert third.sections() == []
    assert not list(third.originals.iterdir())
    assert all_homes(library.home) == [library.home, second.home, third.home]
    library.delete(*[one.id for one in library.sections()])
    assert len(keep(third, path)) == 2
    assert np.isclose(third.used_bytes(), n_bytes, rtol=0.05)
