"""A disk that is full is told of, wherever it strikes, and nothing is there by half."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from squint.library import backup as backups
from squint.library import ingest, originals, results, retention
from squint.library.database import database
from squint.library.records import Note
from squint.library.spare import SPARE
from squint.library.store import Library
from squint.library.tables import write_table
from squint.library.token_runs import new_run
from squint.library.verify import verify
from tests.helpers.sections import LABELS, parts_of
from tests.helpers.small_disk import (
    PAGE,
    SmallDisk,
    library_on,
    refusal_of,
    refused_until_there_is_room,
    small_disk,
)

pytestmark = pytest.mark.slow

MODEL = "ab" * 32


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", "64m") as mounted:
        yield mounted


@pytest.fixture
def library(disk: SmallDisk) -> Iterator[Library]:
    with library_on(disk) as made:
        yield made


@pytest.fixture
def parts(section: AnnData, tmp_path: Path) -> list[AnnData]:
    """Give two sections that are not in the library."""
    return parts_of(section, tmp_path)


def noise(n_bytes: int) -> bytes:
    """Give bytes that nothing makes smaller."""
    return np.random.default_rng(0).bytes(n_bytes)


def test_a_section_with_its_original(
    library: Library, disk: SmallDisk, parts: list[AnnData], tmp_path: Path
) -> None:
    upload = tmp_path / "upload.h5ad"
    upload.write_bytes(noise(300_000))

    def keep() -> None:
        original = originals.stage(library, upload)
        try:
            ingest.add_all(library, [ingest.Part(parts[0], recipe={"part": 0})], LABELS, original)
        finally:
            library.unstage(original.folder / original.name)

    assert refused_until_there_is_room(disk, library, keep) > 10
    (one,) = library.sections()
    assert originals.find(library, one.id) is not None
    assert list(library.staging.iterdir()) == []


def test_tokens(library: Library, disk: SmallDisk, parts: list[AnnData]) -> None:
    one, _ = ingest.add(library, parts[0], LABELS)

    path = library.tokens_path(one.id, MODEL)
    first, second = (pd.DataFrame({"distance": np.random.default_rng(i).random(20_000)}) for i in range(2))

    def keep(table: pd.DataFrame) -> None:
        with library.staged() as staged:
            write_table(table, staged / path.name)
            run = new_run(one.id, one.sha256, MODEL, "", {"n_codes": len(table)})
            library.put(staged, path.parent, one.id, run)

    for table in (first, second):  # over those that are there too, which stay meanwhile
        assert refused_until_there_is_room(disk, library, lambda table=table: keep(table)) > 10
        pd.testing.assert_frame_equal(library.tokens(one.id, MODEL), table)


class Sum(results.Computation):
    """A computation."""

    name = "sum"


def test_a_result(library: Library, disk: SmallDisk, parts: list[AnnData]) -> None:
    one, _ = ingest.add(library, parts[0], LABELS)
    asked = Sum((one.id,))
    tables = {name: pd.DataFrame({"x": np.random.default_rng(0).random(10_000)}) for name in ("one", "two")}

    def keep() -> None:
        assert results.find(library, asked) is None
        results.keep(library, asked, {"n": 1}, tables)

    assert refused_until_there_is_room(disk, library, keep) > 10
    found = results.find(library, asked)
    assert found is not None
    assert found.facts == {"n": 1}
    pd.testing.assert_frame_equal(found.table("two"), tables["two"])


def test_a_full_disk_can_be_cleared(library: Library, disk: SmallDisk, parts: list[AnnData]) -> None:
    two = [ingest.add(library, part, LABELS)[0] for part in parts]
    results.keep(library, Sum((two[0].id,)), {}, {"one": pd.DataFrame({"x": [1.0]})})
    disk.leave(0)
    assert "disk is full" in str(refusal_of(lambda: library.delete(two[0].id)))
    assert library.sections() == sorted(two, key=lambda one: one.patient)
    disk.clear()
    for delete in (
        lambda: retention.prune(library, 0),
        lambda: library.delete(two[0].id),
        lambda: library.delete(two[1].id),
    ):
        library.sweep()
        assert (library.home / SPARE).exists()
        disk.leave(0)
        delete()
        assert not (library.home / SPARE).exists()
        assert verify(library).problems == ()
        disk.clear()
    assert library.sections() == []
    assert list(library.results.iterdir()) == []


def test_rows(library: Library, disk: SmallDisk) -> None:
    def note() -> None:
        with library.database.writing() as session:
            for i in range(300):
                session.add(Note(id=f"{i}", about="x", text="a" * 2000, added=""))

    assert refused_until_there_is_room(disk, library, note) > 10


def test_a_new_library(disk: SmallDisk) -> None:
    for room in range(0, 800_000, 5 * PAGE):
        home = disk.folder / f"home{room}"
        disk.leave(room)
        refusal = refusal_of(lambda home=home: Library(home))
        assert refusal is None or "disk is full" in refusal
        disk.clear()
        assert Library(home).sections() == []
        database(home).close()
        if refusal is None:
            return
    pytest.fail("there was never enough room")


def test_a_backup(library: Library, disk: SmallDisk, parts: list[AnnData]) -> None:
    ingest.add(library, parts[0], LABELS)
    path, home = disk.folder / "backup.zip", disk.folder / "again"

    def beside() -> list[str]:
        return sorted(path.name for path in disk.folder.iterdir())

    def back_up() -> None:
        backups.backup(library.home, path)

    assert refused_until_there_is_room(disk, library, back_up, rest=beside) > 5

    def there() -> list[str]:
        return [p for p in home.rglob("*") if p.is_file() and not p.name.startswith("library.sqlite")]

    refused_until_there_is_room(disk, library, lambda: backups.restore(path, home), rest=there)
    assert [one.id for one in Library(home).sections()] == [one.id for one in library.sections()]
    database(home).close()
