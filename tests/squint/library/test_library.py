"""The library on both databases: nothing by half, damage told of its section alone, deleted for good."""

import json
import shutil
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from anndata import AnnData

from squint import keys
from squint.errors import InputError
from squint.files import Moves
from squint.library import database as databases
from squint.library import earlier, identity, ingest, keeping, originals
from squint.library.database import FILE
from squint.library.graphs import neighbours
from squint.library.records import Mark, SectionRow, TokenRun
from squint.library.recovery import recover
from squint.library.store import DATA, GENES, Library, Section
from squint.library.tables import write_table
from squint.library.token_runs import new_run
from tests.helpers.sections import LABELS, add_sections, parts_of

MODEL, GENES_OF_MODEL = "c" * 64, "d" * 64
N_FLIPS = 150


@pytest.fixture
def two(library: Library, section: AnnData, tmp_path: Path) -> list[Section]:
    """Add two sections."""
    return add_sections(library, section, tmp_path)


def put_tokens(library: Library, section: Section, model: str = MODEL, genes: str = GENES_OF_MODEL) -> None:
    staged, path = library.workspace(), library.tokens_path(section.id, model)
    tokens = pd.DataFrame({keys.TOKEN: np.arange(section.n_cells) % 3, keys.DISTANCE: 0.5})
    write_table(tokens, staged / path.name)
    run = new_run(section.id, section.sha256, model, genes, {"n_codes": 3, "gene_overlap": float("nan")})
    library.put(staged, path.parent, section.id, run)


def flip(path: Path, place: int) -> None:
    """Flip one bit of a file."""
    content = bytearray(path.read_bytes())
    content[place // 8 % len(content)] ^= 1 << place % 8
    path.write_bytes(content)


def everything(library: Library, section_id: str) -> dict[str, Any]:
    """Read all that is read of a section."""
    tokens = library.tokens(section_id, MODEL)
    return {
        "section": asdict(library.get(section_id)),
        "cells": library.cells(section_id).to_json(),
        "genes": [(gene, counts_of(library, section_id, gene)) for gene in library.genes(section_id)],
        "cell": library.counts_of(section_id, 0)[1].tolist(),
        "graph": neighbours(library, section_id).toarray().tolist(),
        "tokens": None if tokens is None else tokens.to_json(),
    }


def counts_of(library: Library, section_id: str, gene: str) -> list[float]:
    counts = library.gene(section_id, gene)
    assert counts is not None
    return counts.tolist()


def test_a_section_kept_by_two_at_once_is_there_once(
    library: Library, section: AnnData, tmp_path: Path
) -> None:
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        folder.mkdir()
    parts = [
        parts_of(section, folder) for folder in folders
    ]  # pandas' own bookkeeping is not made for threads

    def add(one: list[AnnData]) -> None:
        for part in one:
            ingest.add(library, part, LABELS)

    threads = [threading.Thread(target=add, args=(one,)) for one in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(library.sections()) == 2
    assert library.damaged() == []
    assert not list(library.staging.iterdir())


def test_what_a_crash_left_goes_at_the_next_start(library: Library, two: list[Section]) -> None:
    for folder in (library.sections_folder, library.results, library.models, library.originals):
        (folder / "0123456789abcdef").mkdir()
    recover(library)
    assert {folder.name for folder in library.sections_folder.iterdir()} == {one.id for one in two}
    assert not [*library.results.iterdir(), *library.models.iterdir(), *library.originals.iterdir()]
    assert library.sections() == two


def test_a_section_without_its_folder_is_told_of_and_can_be_deleted(
    library: Library, two: list[Section]
) -> None:
    shutil.rmtree(library.folder(two[0].id))
    assert library.sections() == two[1:]
    assert [(one.id, one.why) for one in library.damaged()] == [(two[0].id, "Its folder is missing.")]
    library.delete(two[0].id)
    assert library.damaged() == []


def test_a_record_that_was_changed_marks_its_section_alone(library: Library, two: list[Section]) -> None:
    with library.database.engine.connect() as connection, connection.begin():
        table = SectionRow.__table__
        connection.execute(sa.update(table).where(table.c.id == two[0].id).values(n_cells=16))
    assert library.sections() == two[1:]
    (damaged,) = library.damaged()
    assert (damaged.id, damaged.title) == (two[0].id, two[0].id)
    with pytest.raises(InputError, match="is damaged"):
        library.get(two[0].id)


def test_a_damaged_section_that_is_added_again_is_whole(
    library: Library, two: list[Section], section: AnnData, tmp_path: Path
) -> None:
    before = everything(library, two[0].id)
    flip(library.folder(two[0].id) / GENES, 4_000)
    with pytest.raises(InputError, match=r"genes\.h5 in the library is damaged"):
        library.genes(two[0].id)
    assert library.sections() == two[1:]
    add_sections(library, section, tmp_path)
    after = everything(library, two[0].id)
    assert {**after, "section": None} == {**before, "section": None}


def test_tokens_by_a_model_that_is_gone_are_stale_and_never_read(
    library: Library, two: list[Section]
) -> None:
    other = "e" * 64
    put_tokens(library, two[0])
    put_tokens(library, two[1], model=other)
    assert library.tokenised(two, MODEL) == two[:1]
    assert library.tokens(two[1].id, MODEL) is None
    assert library.stale_tokens(MODEL, GENES_OF_MODEL, [MODEL]) == {
        two[1].id: "tokens by a model that is not here (eeeeeeeeeeee): stale"
    }
    put_tokens(library, two[1], genes="f" * 64)  # of the same weights, with another list of genes
    assert library.tokenised(two, MODEL) == two[1:]
    assert set(library.stale_tokens(MODEL, "f" * 64, [MODEL])) == {two[0].id}


def test_tokens_by_another_model_that_is_here_wait_for_it(library: Library, two: list[Section]) -> None:
    other = "e" * 64
    put_tokens(library, two[0], model=other)
    assert library.stale_tokens(MODEL, GENES_OF_MODEL, [MODEL, other]) == {}
    assert library.token_facts(two[0].id, MODEL) is None  # so that the gallery offers to tokenise
    assert library.tokens(two[0].id, MODEL) is None
    assert library.tokens(two[0].id, other) is not None
    with library.database.writing() as session:  # the data changed since
        run = session.scalars(sa.select(TokenRun)).one()
        run.data_sha256 = "0" * 64
    assert library.tokens(two[0].id, other) is None
    assert library.stale_tokens(other, GENES_OF_MODEL, [MODEL, other]) == {
        two[0].id: "tokens of other data: stale"
    }


def test_damaged_tokens_are_as_none_and_can_be_made_again(library: Library, two: list[Section]) -> None:
    put_tokens(library, two[0])
    flip(library.tokens_path(two[0].id, MODEL), 900)
    with pytest.raises(InputError, match="damaged"):
        library.tokens(two[0].id, MODEL)
    assert library.tokens(two[0].id, MODEL) is None
    assert library.stale_tokens(MODEL, GENES_OF_MODEL, [MODEL]) == {two[0].id: "tokens are damaged"}
    assert library.sections() == two
    put_tokens(library, two[0])
    assert library.tokens(two[0].id, MODEL) is not None


def test_deletion_leaves_no_byte(library: Library, section: AnnData, tmp_path: Path) -> None:
    planted = "PLANTEDBARCODE"
    section.obs_names = [f"{planted}{i}" for i in range(section.n_obs)]
    section.write_h5ad(library.staging / "upload.h5ad")
    incoming = originals.stage(library, library.staging / "upload.h5ad")
    kept = add_sections(library, section, tmp_path)
    for one in kept:  # as if they had been kept of it
        with library.database.writing() as session:
            session.get_one(SectionRow, one.id).organ = planted
    with Moves(library.workspace()) as moves, library.database.writing() as session:
        originals.place(library, session, incoming, moves)
        for one in kept:
            session.get_one(SectionRow, one.id).original = incoming.sha256
    (library.staging / "upload.h5ad").unlink()
    assert (library.originals / incoming.sha256 / "upload.h5ad").stat().st_nlink == 1
    for one in kept:
        put_tokens(library, one)
        folder = library.workspace()
        (folder / "table").write_text(planted)
        keeping.keep_result(library, folder, f"of-{one.id}", json.dumps(planted), [one.id])
    library.delete(kept[0].id)
    assert originals.find(library, kept[1].id) is not None  # the other section is of it too
    library.delete(kept[1].id)
    assert library.used_bytes() == 0
    left = [
        path for path in library.home.rglob("*") if path.is_file() and planted.encode() in path.read_bytes()
    ]
    assert left == []
    assert not [*library.results.iterdir(), *library.originals.iterdir(), *library.sections_folder.iterdir()]


def test_a_result_of_a_section_that_is_gone_is_not_kept(library: Library, two: list[Section]) -> None:
    library.delete(two[0].id)
    with pytest.raises(InputError, match="no longer"):
        keeping.keep_result(library, library.workspace(), "late", "{}", [one.id for one in two])
    assert not list(library.results.iterdir())


def test_a_full_library_takes_nothing_more(
    library: Library, section: AnnData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SQUINT_QUOTA_GB", "0.00001")
    with pytest.raises(InputError, match=r"0\.00 of 0\.00 GB \(SQUINT_QUOTA_GB\)"):
        add_sections(library, section, tmp_path)
    assert not [*library.sections(), *library.damaged()]
    assert not [*library.sections_folder.iterdir(), *library.staging.iterdir()]
    monkeypatch.setenv("SQUINT_QUOTA_GB", "much")
    with pytest.raises(InputError, match="number of gigabytes"):
        add_sections(library, section, tmp_path)


def test_a_folder_of_another_library_is_refused(library: Library, two: list[Section]) -> None:
    assert two
    identity._seen.clear()
    (library.home / identity.FILE).unlink()
    with pytest.raises(InputError, match="is not the one that the database knows of"):
        Library(library.home)


def test_a_folder_that_is_deleted_meanwhile_is_told_of(library: Library) -> None:
    (library.home / identity.FILE).unlink()
    with pytest.raises(InputError, match="was deleted or replaced"):
        Library(library.home)


def old_layout(library: Library, kept: list[Section]) -> None:
    """Bring a library to the layout of squint before it had a database."""
    for one in kept:
        folder = library.folder(one.id)
        facts = {k: v for k, v in asdict(one).items() if k not in ("n_left_out", "quality")}
        (folder / earlier.META).write_text(json.dumps({**facts, "unit": "um (assumed)"}, indent=1))
        (folder / "graph.npz").unlink()
        notes = {"model_sha256": MODEL, "gene_overlap": 1.0, "share_beyond_p99": {"s": 0.0}, "n_codes": 3}
        library.tokens_path(one.id, MODEL).with_suffix(".json").write_text(json.dumps(notes))
        (folder / "tokens" / "eeeeeeeeeeee.json").write_text(json.dumps({"problem": "does not fit"}))
        (folder / "tokens" / "ffffffffffff.json").write_text("")
        (folder / "scores").mkdir()
        (folder / "scores" / "run.parquet").write_text("old")
    (library.results / "run.json").write_text("{}")
    (library.home / earlier.SAMPLES).touch()
    with library.database.writing() as session:
        session.execute(sa.delete(SectionRow))
        session.execute(sa.delete(Mark))
    (library.home / identity.FILE).unlink()
    identity._seen.clear()
    earlier._done.clear()


def test_a_library_without_a_database_is_taken_over(library: Library, two: list[Section]) -> None:
    for one in two:
        put_tokens(library, one)
    before = [everything(library, one.id) for one in two]
    old_layout(library, two)
    opened: list[Library] = []
    threads = [threading.Thread(target=lambda: opened.append(Library(library.home))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 3
    recover(opened[0])
    after = [everything(opened[0], one.id) for one in two]
    for values in before:
        values["section"] |= {"unit": "unknown"}
    assert after == before
    assert opened[0].samples_imported()
    left = {
        path.name for path in library.home.rglob("*") if path.suffix == ".json" or path.name == "run.parquet"
    }
    assert left == set()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ('{"id": "x"', "damaged"),
        ('{"id": 1}', "damaged"),
        ("[]", "damaged"),
        ('{"stain": "H&E"}', "newer squint"),
        (None, "damaged"),
    ],
)
def test_an_old_section_that_is_not_understood_is_told_of_alone(
    library: Library, two: list[Section], content: str | None, why: str
) -> None:
    for one in two:
        put_tokens(library, one)
    old_layout(library, two)
    meta = library.folder(two[0].id) / earlier.META
    if content is None:
        meta.unlink()
    else:
        meta.write_text(content)
    opened = Library(library.home)
    assert [one.id for one in opened.sections()] == [two[1].id]
    (damaged,) = opened.damaged()
    assert damaged.id == two[0].id
    assert why in damaged.why
    opened.delete(two[0].id)
    assert opened.damaged() == []


@pytest.mark.parametrize("name", [DATA, GENES, "cells.parquet", "graph.npz", "tokens"])
def test_a_flipped_bit_in_a_file_changes_no_value(tmp_path: Path, section: AnnData, name: str) -> None:
    library = Library(tmp_path / "home")
    one = add_sections(library, section, tmp_path)[0]
    put_tokens(library, one)
    right = everything(library, one.id)
    path = library.tokens_path(one.id, MODEL) if name == "tokens" else library.folder(one.id) / name
    whole = path.read_bytes()
    for place in np.random.default_rng(0).integers(0, 8 * len(whole), N_FLIPS):
        flip(path, int(place))
        with pytest.raises(InputError, match="damaged"):
            everything(library, one.id)
        path.write_bytes(whole)
        with library.database.writing() as session:  # as rebuilding does
            session.get_one(SectionRow, one.id).damage = ""
        if name == "tokens":
            put_tokens(library, one)
            whole = path.read_bytes()
    assert everything(library, one.id) == right


def test_a_flipped_bit_in_the_database_changes_no_value(tmp_path: Path, section: AnnData) -> None:
    library = Library(tmp_path / "home")
    kept = add_sections(library, section, tmp_path)
    for one in kept:
        put_tokens(library, one)
    right = {one.id: everything(library, one.id) for one in kept}
    library.database.close()
    path = library.home / FILE
    whole = path.read_bytes()
    said = 0
    used, rng = np.flatnonzero(np.frombuffer(whole, np.uint8)), np.random.default_rng(1)  # the rest is room
    for at in rng.choice(used, N_FLIPS):
        place = 8 * int(at) + int(rng.integers(8))
        for beside in ("-wal", "-shm"):
            path.with_name(FILE + beside).unlink(missing_ok=True)
        path.write_bytes(whole)
        flip(path, place)
        found: dict[str, Any] = {}
        try:
            opened = Library(library.home)
            recover(opened)
            for one in opened.sections():
                found[one.id] = everything(opened, one.id)
            assert {*found, *(one.id for one in opened.damaged())} == set(right)
        except InputError:
            said += 1
        finally:
            if (kept_open := databases._open.pop(databases.url_of(library.home), None)) is not None:
                kept_open.close()
            identity._seen.clear()
            earlier._done.clear()
        for section_id, values in found.items():
            assert {**values, "tokens": None} == {**right[section_id], "tokens": None}
            assert values["tokens"] in (None, right[section_id]["tokens"])
        assert all(library.folder(one.id).is_dir() for one in kept)
    assert said > 0
