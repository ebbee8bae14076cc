"""What a token is stays the same words, whatever sections are shown beside each other."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from anndata import AnnData
from streamlit.testing.v1 import AppTest

import squint
from app.requests import SumTokens, Tokenise
from squint import keys, tl
from squint.errors import InputError
from squint.library import ingest, token_naming
from squint.library.profiles import (
    described_by,
    details,
    lacking,
    sums_path,
    token_names,
    token_profiles,
    without_number,
)
from squint.library.records import TokenRun
from squint.library.store import Library
from squint.stats.token_profiles import add_up, describe
from tests.helpers.app import maps
from tests.helpers.engine import Worker

Open = Callable[..., AppTest]


def model_of(library: Library) -> str:
    """Hash of the model that gave the tokens."""
    with library.database.reading() as session:
        return session.scalars(sa.select(TokenRun.model)).first() or ""


def with_other_panel(library: Library, worker: Worker, toy: AnnData, n_genes: int = 30) -> str:
    """Add a section that measures some of the 40 genes; return its id."""
    part = toy[toy.obs["section_id"] == "TOY-L-2", :n_genes].copy()
    part.obs["section_id"] = "OTHER"
    path = library.home / "other.h5ad"
    squint.write(part, path)
    patient = str(part.obs["patient_id"].iloc[0])
    labels = ingest.Labels({patient: patient}, {})
    (clean,) = ingest.clean(squint.read(path), labels)
    section_id = ingest.add(library, clean, labels)[0].id
    assert worker.ask(Tokenise((section_id,), worker.model), library).result(120) == [section_id]
    return section_id


def test_a_description_is_that_of_the_tool_where_all_sections_measure_the_same(
    loaded: Library, worker: Worker
) -> None:
    worker.wait_ready()
    found = token_profiles(loaded, model_of(loaded))
    sections = loaded.sections()
    parts = []
    for section in sections:
        part = squint.read(loaded.folder(section.id) / "section.h5ad")
        tokens = loaded.tokens(section.id, model_of(loaded))
        part.obs[keys.TOKEN] = tokens[keys.TOKEN].astype(str).to_numpy()
        part.obs[keys.SECTION] = section.title
        parts.append(part)
    import anndata  # noqa: PLC0415

    together = anndata.concat(parts)
    tl.token_profiles(together)
    pd.testing.assert_frame_equal(found.drop(columns="name"), together.uns[keys.PROFILES])
    first = found.iloc[0]
    assert first["name"].startswith(f"{found.index[0]} {first['top_types'].split(' ')[0]}")


@pytest.mark.parametrize(("n_genes", "counts"), [(30, True), (20, False)])
def test_genes_of_a_token_are_those_of_the_sections_that_measure_them(
    loaded: Library,
    worker: Worker,
    toy: AnnData,
    n_genes: int,
    counts: bool,  # noqa: FBT001
) -> None:
    model = model_of(loaded)
    before = token_profiles(loaded, model)
    unmeasured = set(toy.var_names[n_genes:])
    told = {token: details(loaded, model, token).genes for token in before.index}
    other = with_other_panel(loaded, worker, toy, n_genes)
    for token, genes in told.items():
        now = details(loaded, model, token).genes
        kept = genes.index[genes.index.isin(unmeasured)]
        pd.testing.assert_frame_equal(now.loc[kept], genes.loc[kept])
    # half of the model's genes are too few for tokens to mean much, so for what they mean too
    assert (other in {section.id for section in described_by(loaded, model)}) == counts
    loaded.delete(other)
    pd.testing.assert_frame_equal(token_profiles(loaded, model), before)


def test_words_do_not_depend_on_what_is_shown(
    visit: Open, loaded: Library, worker: Worker, toy: AnnData
) -> None:
    with_other_panel(loaded, worker, toy)
    every = [section.id for section in loaded.sections()]
    described, legends = [], []
    for shown in (every, every[:2], every[-1:]):
        app = visit("tokens")
        app.multiselect("shown").set_value(shown).run()
        assert not app.exception
        table = next(frame.value for frame in app.dataframe if "top_genes" in frame.value)
        described.append(table.set_index("token")[["n_cells", "share", "top_genes", "top_types", "sections"]])
        (entries,) = (shown_map["scale"]["entries"] for shown_map in maps(app).values())
        legends.append({entry["label"]: entry["name"] for entry in entries})
    for table, legend in zip(described[1:], legends[1:], strict=True):
        pd.testing.assert_frame_equal(table.sort_index(), described[0].loc[table.index].sort_index())
        assert all(legends[0].get(token, name) == name for token, name in legend.items())
    assert legends[0].items() <= token_names(loaded, model_of(loaded)).items()


def test_sums_of_an_earlier_library_are_made_when_asked_for(loaded: Library, worker: Worker) -> None:
    model = model_of(loaded)
    before = token_profiles(loaded, model)
    gone = [section.id for section in loaded.sections()][:2]
    for section_id in gone:
        sums_path(loaded, section_id, model).unlink()
    assert sorted(lacking(loaded, model)) == sorted(gone)
    worker.ask(SumTokens(tuple(gone), model), loaded).result(120)
    assert lacking(loaded, model) == []
    pd.testing.assert_frame_equal(token_profiles(loaded, model), before)


def test_damaged_sums_are_told_of(loaded: Library) -> None:
    model = model_of(loaded)
    path = sums_path(loaded, loaded.sections()[0].id, model)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match="damaged"):
        token_profiles(loaded, model)


def test_a_gene_is_not_judged_by_sections_that_lack_it() -> None:
    """By hand: token 1 of the first section has all of A; a section without A must not hide that."""
    tokens = pd.Series(["0", "1"])
    first = add_up(np.array([[0.0, 10.0], [10.0, 0.0]]), ["A", "B"], tokens)
    second = add_up(np.array([[1000.0], [1.0]]), ["B"], tokens)
    table = describe({"first": first, "second": second}, n_genes=1)
    assert table.loc["1", "top_genes"] == "A"
    assert table.loc["0", "top_genes"] == "B"
    assert table["n_cells"].tolist() == [2, 2]
    assert table["top_types"].tolist() == ["", ""]


def test_a_name_that_users_gave_takes_the_place_of_the_main_type(loaded: Library) -> None:
    model = model_of(loaded)
    before = dict(token_names(loaded, model))
    first = next(iter(before))
    token_naming.name(loaded, model, first, "glomerulus", "")
    token_naming.name(loaded, model, "99", "in no section", "")
    after = dict(token_names(loaded, model))
    assert after == before | {first: f"{first} · glomerulus", "99": "99 · in no section"}
    assert token_profiles(loaded, model).loc[first, "name"] == f"{first} · glomerulus"
    assert without_number(first, after[first]) == "glomerulus"
    assert [without_number(token, name) for token, name in (("7", "7 tumour 60%"), ("7", "7"))] == [
        "tumour 60%",
        "",
    ]
    token_naming.undo(loaded, model, first)
    token_naming.undo(loaded, model, "99")
    assert dict(token_names(loaded, model)) == before
