"""A library written to one file, and made of it again."""

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from squint.errors import InputError
from squint.library import database as databases
from squint.library.backup import CONTENTS, backup, restore
from squint.library.database import database, url_of
from squint.library.place import MARK, all_homes, project_home
from squint.library.records import Cohort, HistoryHead, HistoryVersion, JobRow, Original, Patient, StoredFile
from tests.helpers.postgres import Postgres

ONE, OTHER = "0a" * 8, "0b" * 8  # projects

N_FLIPS = 50


@pytest.fixture
def empty(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str], Path]:
    """Make the folder of a new library, with its records in a database of some kind."""

    def make(name: str, kind: str) -> Path:
        home = tmp_path / name
        home.mkdir()
        if kind == "postgresql":
            server: Postgres = request.getfixturevalue("server")
            word = hashlib.sha256(str(home).encode()).hexdigest()[:16]
            monkeypatch.setenv("SQUINT_DATABASE_URL", server.create(f"squint_{word}"))
        else:
            monkeypatch.delenv("SQUINT_DATABASE_URL", raising=False)
        return home

    return make


def fill(home: Path) -> None:
    original = home / "originals" / "aa" / "x.h5ad"
    original.parent.mkdir(parents=True)
    original.write_bytes(b"counts" * 1000)
    loose = home / "sections" / "0" / "cells" / "rows.npy"
    loose.parent.mkdir(parents=True)
    loose.write_bytes(b"rows")
    for left in ("staging/half", "uploads/part", "locks/owner", "import/mine.h5ad"):
        (home / left).parent.mkdir()
        (home / left).write_bytes(b"not taken")
    sha256 = hashlib.sha256(original.read_bytes()).hexdigest()
    with database(home).writing() as session:
        session.add(Patient(code="A-1", added="2026"))
        session.add(Original(sha256="aa", name="x.h5ad", n_bytes=6000, n_files=1, added="2026"))
        session.add(Cohort(name="all", added="2026"))
        session.add(HistoryHead(name="cell_sets", at=1, saved=1.5))
        session.flush()
        session.add(HistoryVersion(name="cell_sets", number=1, what="made ü", content={"sets": [1, None]}))
        session.add(StoredFile(path="originals/aa/x.h5ad", sha256=sha256, n_bytes=6000, original="aa"))
        session.add(
            JobRow(
                task="t", module="m", args="{}", key="k", lane="l", state="running", limit_s=1.0, added=0.0
            )
        )


def files_of(home: Path) -> dict[str, bytes]:
    return {
        path.relative_to(home).as_posix(): path.read_bytes()
        for folder in ("originals", "sections")
        for path in (home / folder).rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("there", ["sqlite", "postgresql"])
@pytest.mark.parametrize("here", ["sqlite", "postgresql"])
def test_a_library_is_the_same_after_backup_and_restore(
    here: str, there: str, empty: Callable[[str, str], Path], tmp_path: Path
) -> None:
    home = empty("here", here)
    fill(home)
    said = backup(home, tmp_path / "b.zip")
    assert said.rows["originals"] == 1
    assert not said.damaged
    other = empty("there", there)
    assert restore(tmp_path / "b.zip", other) == said
    assert files_of(other) == files_of(home)
    assert not {"staging", "uploads", "locks", "import"} & {path.name for path in other.iterdir()}
    assert not [path for path in other.iterdir() if path.name.startswith(".")]
    with database(other).reading() as session:
        assert session.get_one(Original, "aa").intact
        version = session.get_one(HistoryVersion, ("cell_sets", 1))
        assert version.intact
        assert (version.what, version.content) == ("made ü", {"sets": [1, None]})
        assert session.scalars(sa.select(JobRow)).all() == []
    with database(other).writing() as session:  # numbers go on after those that are taken
        session.add(Cohort(name="another", added="2026"))


@pytest.mark.parametrize(("here", "there"), [("sqlite", "postgresql"), ("postgresql", "sqlite")])
def test_projects_are_in_a_backup_and_come_out_of_it_or_nothing_does(
    here: str, there: str, empty: Callable[[str, str], Path], tmp_path: Path
) -> None:
    home = empty("here", here)
    fill(home)
    own = [project_home(home, project) for project in (ONE, OTHER)]
    for n, one in enumerate(own):
        one.mkdir(parents=True)
        fill(one)
        (one / MARK).write_text(f"mark {n}")
        with database(one).writing() as session:
            session.add(Patient(code=f"P-{n}", added=""))
    said = backup(home, tmp_path / "b.zip")
    assert said.projects == (ONE, OTHER)
    assert said.rows["patients"] == 5
    alone = backup(own[0], tmp_path / "one.zip")
    assert (alone.projects, alone.rows["patients"]) == ((), 2)
    other = empty("there", there)
    assert restore(tmp_path / "b.zip", other) == said
    assert all_homes(other) == [other, *(project_home(other, project) for project in (ONE, OTHER))]
    for before, after in zip([home, *own], all_homes(other), strict=True):
        assert files_of(after) == files_of(before)
    for n, one in enumerate(all_homes(other)[1:]):
        assert (one / MARK).read_text() == f"mark {n}"
        with database(one).reading() as session:
            assert set(session.scalars(sa.select(Patient.code))) == {"A-1", f"P-{n}"}
            assert session.get_one(Original, "aa").intact
    with zipfile.ZipFile(tmp_path / "b.zip") as archive, zipfile.ZipFile(tmp_path / "bad.zip", "w") as bad:
        for name in archive.namelist():  # the last table of the first library does not fit
            content = archive.read(name)
            if name == "records/patients.jsonl":
                content = content.replace(b"A-1", b"A-2")
            bad.writestr(name, content)
    third = empty("third", there)
    with pytest.raises(InputError, match="damaged"):
        restore(tmp_path / "bad.zip", third)
    assert all_homes(third) == [third]
    taken = project_home(third, OTHER)
    taken.mkdir(parents=True)
    fill(taken)
    with pytest.raises(InputError, match="holds a library already"):
        restore(tmp_path / "b.zip", third)
    assert not project_home(third, ONE).exists()
    with database(taken).reading() as session:  # another's
        assert session.get(Patient, "A-1") is not None


def test_there_is_no_backup_of_half_a_library(empty: Callable[[str, str], Path], tmp_path: Path) -> None:
    home = empty("here", "sqlite")
    fill(home)
    path = tmp_path / "nowhere" / "b.zip"
    with pytest.raises(InputError, match="could not be written"):
        backup(home, path)
    (tmp_path / "b.zip").write_bytes(b"precious")
    with pytest.raises(InputError, match="is there already"):
        backup(home, tmp_path / "b.zip")
    assert (tmp_path / "b.zip").read_bytes() == b"precious"


def test_what_was_damaged_before_is_named(empty: Callable[[str, str], Path], tmp_path: Path) -> None:
    home = empty("here", "sqlite")
    fill(home)
    path = home / "originals" / "aa" / "x.h5ad"
    path.write_bytes(b"Counts" + path.read_bytes()[6:])
    assert backup(home, tmp_path / "changed.zip").damaged == ("originals/aa/x.h5ad",)
    path.unlink()
    assert backup(home, tmp_path / "gone.zip").damaged == ("originals/aa/x.h5ad",)


def test_a_library_is_not_written_over(empty: Callable[[str, str], Path], tmp_path: Path) -> None:
    home = empty("here", "sqlite")
    fill(home)
    backup(home, tmp_path / "b.zip")
    with pytest.raises(InputError, match="holds a library already"):
        restore(tmp_path / "b.zip", home)
    rows_only = empty("rows", "sqlite")
    with database(rows_only).writing() as session:
        session.add(Patient(code="B", added=""))
    with pytest.raises(InputError, match="database holds a library already"):
        restore(tmp_path / "b.zip", rows_only)


def why_refused(path: Path, home: Path) -> str:
    try:
        restore(path, home)
    except InputError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("seed", range(3))
def test_a_damaged_backup_is_refused_and_leaves_nothing(
    seed: int, empty: Callable[[str, str], Path], tmp_path: Path
) -> None:
    home = empty("here", "sqlite")
    fill(home)
    path, other = tmp_path / "b.zip", empty("there", "sqlite")
    backup(home, path)
    whole = path.read_bytes()
    n_refused = 0
    for at in np.random.default_rng(seed).integers(8 * len(whole), size=N_FLIPS).tolist():
        content = bytearray(whole)
        content[at // 8] ^= 1 << at % 8
        path.write_bytes(content)
        if why := why_refused(path, other):
            assert "backup" in why
            n_refused += 1
            names = {one.name for one in other.iterdir()}
            assert names <= {f"{databases.FILE}{end}" for end in ("", "-wal", "-shm", ".lock")}
            with database(other).reading() as session:
                assert session.scalars(sa.select(Patient)).all() == []
        else:  # a bit that says nothing of the content, as the date of a file
            assert files_of(other) == files_of(home)
            with database(other).reading() as session:
                assert session.get_one(Original, "aa").intact
            other = empty(f"there {at}", "sqlite")
    assert n_refused > N_FLIPS / 2


@pytest.mark.parametrize("name", ["files/../../out", "/files/x", "files/a\\b", "other/x"])
def test_a_name_that_leads_elsewhere_is_refused(
    name: str, empty: Callable[[str, str], Path], tmp_path: Path
) -> None:
    said = {"squint": "0", "revision": databases.HEAD, "made": "", "rows": {}, "damaged": []}
    kept = {"sha256": hashlib.sha256(b"x").hexdigest(), "n_bytes": 1}
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr(name, b"x")
        archive.writestr(CONTENTS, json.dumps({**said, "files": {name: kept}}))
    with pytest.raises(InputError):
        restore(tmp_path / "b.zip", empty("there", "sqlite"))
    assert not (tmp_path / "out").exists()


def test_a_backup_of_a_newer_squint_is_refused(empty: Callable[[str, str], Path], tmp_path: Path) -> None:
    said = {"squint": "9", "revision": "9999", "made": "", "rows": {}, "damaged": [], "files": {}}
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr(CONTENTS, json.dumps(said))
    home = empty("there", "sqlite")
    with pytest.raises(InputError, match="newer squint"):
        restore(tmp_path / "b.zip", home)
    with database(home).reading() as session:  # its tables are still there
        assert session.scalars(sa.select(Patient)).all() == []


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_backup_is_refused(
    content: bytes, empty: Callable[[str, str], Path], tmp_path: Path
) -> None:
    (tmp_path / "b.zip").write_bytes(content)
    with pytest.raises(InputError, match="no backup"):
        restore(tmp_path / "b.zip", empty("there", "sqlite"))


def test_the_url_is_that_of_the_setting(empty: Callable[[str, str], Path]) -> None:
    assert url_of(empty("x", "postgresql")).startswith("postgresql+psycopg://")
