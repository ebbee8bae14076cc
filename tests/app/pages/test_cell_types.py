"""The page of cell types: cells named in each way, names changed by hand, labelings kept and put in use."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button

from app import session
from app.cell_sets.store import CellSets
from app.requests import TrainModel
from squint import datasets, keys
from squint.library import gene_sets, ingest, labelings, relabeling
from squint.library.labelings import KnownLabeling, Made
from squint.library.store import Library, Section
from tests.helpers.app import csv_of, maps, settled, words
from tests.helpers.engine import Worker
from tests.helpers.gene_sets import add as add_gene_sets

Open = Callable[..., AppTest]
PAGE = "cell_types"
SETS = b"""tubule\tx\tLRP2\tCUBN\tSLC34A1\tALDOB
fibroblast\tx\tCOL1A1\tCOL1A2\tCOL3A1\tDCN\tLUM
vessel\tx\tPECAM1\tVWF\tCDH5\tKDR
macrophage\tx\tCD68\tCD163\tC1QA\tC1QB
"""


@pytest.fixture(scope="module")
def cohort() -> AnnData:
    return datasets.toy(n_cells=800, n_sections=2)


def put(library: Library, cohort: AnnData, number: int, *, typed: bool, **more: Any) -> Section:
    """Put one of the toy sections into the library."""
    name = cohort.obs["section_id"].cat.categories[number]
    part = cohort[cohort.obs["section_id"] == name].copy()
    part.obs = part.obs[["section_id", "patient_id", *(["cell_type"] if typed else [])]].assign(**more)
    part.obs = part.obs.copy()
    part.uns = cohort.uns
    labels = ingest.Labels({str(one): str(one) for one in cohort.obs["patient_id"].unique()}, {}, "kidney")
    return ingest.add(library, next(iter(ingest.clean(part, labels))), labels)[0]


@pytest.fixture
def bare(library: Library, cohort: AnnData) -> Section:
    """Add a section without cell types."""
    return put(library, cohort, 0, typed=False)


@pytest.fixture
def typed(library: Library, cohort: AnnData) -> Section:
    """Add a section with the types of its file."""
    return put(library, cohort, 1, typed=True)


def sound(app: AppTest) -> AppTest:
    assert not app.exception
    assert not app.error, words(app)
    return app


def opened(visit: Open, section: Section) -> AppTest:
    """Open the page at a section, and wait for what it computes."""
    return sound(settled(visit(PAGE, section=section.id)))


def named(app: AppTest) -> AppTest:
    """Name cells in the way that is chosen."""
    sound(app)
    assert not app.button("types-begin").disabled, words(app)
    app.button("types-begin").click().run()
    assert app.button("types-begin").disabled  # one at a time
    return settled(app)


def by(app: AppTest, section: Section, way: str) -> AppTest:
    return app.segmented_control(f"types-way-{section.id}").set_value(way).run()


def in_use(library: Library, section: Section) -> KnownLabeling:
    return next(one for one in labelings.known(library, section.id) if one.in_use)


def types_of(library: Library, section: Section) -> list[str | None]:
    return [word if isinstance(word, str) else None for word in library.cells(section.id)[keys.CELL_TYPE]]


def table(app: AppTest) -> pd.DataFrame:
    return next(one for one in app.dataframe if (one.key or "").startswith("types-table")).value


def select(app: AppTest, rows: Iterable[str]) -> AppTest:
    """Select rows of the table of names by their types."""
    shown = next(one for one in app.dataframe if (one.key or "").startswith("types-table"))
    places = [list(shown.value["Type"]).index(row) for row in rows]
    app.session_state[shown.key] = {"selection": {"rows": places, "columns": [], "cells": []}}
    return sound(app.run())


def write(app: AppTest, place: str, text: str) -> AppTest:
    """Write a name beside a button, and press it."""
    field = next(one for one in app.text_input if (one.key or "").startswith(f"types-{place}-name"))
    field.set_value(text)
    return app.button(f"types-{place}").click().run()


def test_a_section_without_types_is_proposed_and_offers_ways(
    visit: Open, typed: Section, bare: Section
) -> None:
    app = sound(visit(PAGE))
    assert app.session_state[session.TYPED] == bare.id
    assert "has no cell types yet" in words(app)
    assert app.segmented_control(f"types-way-{bare.id}").options == [
        "Clusters", "Marker genes", "Another section", "A table",
    ]  # fmt: skip
    assert "n = 400 cells, 1 section, 1 patient" in words(app)
    assert not app.dataframe
    app.selectbox(session.TYPED).set_value(typed.id).run()
    assert "the cell types in the file" in words(sound(app))


def test_cells_are_named_by_clusters(visit: Open, library: Library, bare: Section) -> None:
    app = opened(visit, bare)
    app.slider(f"types-resolution-{bare.id}").set_value(0.5).run()
    named(app)
    sound(app)
    labeling = in_use(library, bare)
    assert (labeling.name, labeling.method) == ("Clusters", "clusters")
    assert "resolution 0.5" in labeling.how
    assert f"In use: {labeling.words}" in words(app).replace("**", "")
    shown = table(app)
    assert shown["Cells"].sum() == 400
    assert shown["Cells"].is_monotonic_decreasing
    assert shown["Confidence"].between(0, 1).all()
    assert "Genes that set each type apart" in words(app)
    assert len(app.get("plotly_chart")) == 1
    assert app.text_input(f"types-title-{bare.id}-Clusters-1").value == "Clusters 2"


def test_cells_are_named_by_gene_sets_of_the_library_with_their_evidence(
    visit: Open, library: Library, bare: Section
) -> None:
    add_gene_sets(library, SETS, "own.gmt")
    app = by(opened(visit, bare), bare, "Marker genes")
    assert "Species: **human**" in words(app)
    assert app.selectbox(f"types-tissue-{bare.id}-human").value == "kidney"
    app.radio(f"types-markers-{bare.id}").set_value("Gene sets of the library").run()
    assert app.button("types-begin").disabled
    offered = app.multiselect(f"types-sets-{bare.id}")
    offered.set_value([one for one in library_sets(library) if one.startswith("own")]).run()
    assert "4 of 4 can be named" in words(app)
    sound(named(app))
    labeling = in_use(library, bare)
    assert labeling.method == "markers"
    assert "own: tubule" in labeling.how
    scores = next(one.value for one in app.dataframe if "Best lineage" in one.value)
    assert set(scores["Named"]) <= {*library_sets(library), "unknown: weak"}
    weak = scores[scores["Named"] == "unknown: weak"]["Cluster"]
    assert {f"unknown {cluster}" for cluster in weak} <= set(table(app)["Type"])
    assert {"Scores of the markers", "Markers"} <= {one.value for one in app.subheader}
    head, rows = csv_of(app, "marker_scores")
    assert "Cell types: " in head
    assert {"cluster", "set", "score", "margin"} <= set(rows)


def library_sets(library: Library) -> list[str]:
    return list(gene_sets.find_sets(library))


def test_types_are_carried_over_from_a_labelled_section(
    visit: Open, library: Library, bare: Section, typed: Section
) -> None:
    app = by(opened(visit, bare), bare, "Another section")
    assert "shared genes" in app.selectbox(f"types-teacher-{bare.id}").options[0]
    app.slider(f"types-least-{bare.id}").set_value(0.7).run()
    sound(named(app))
    labeling = in_use(library, bare)
    assert labeling.method == "transfer"
    assert f"carried over from {typed.title}" in labeling.how
    assert set(types_of(library, bare)) - {None} <= set(types_of(library, typed))
    judged = labeling.facts["facts"]["calibration"]
    assert "How often it was right" in words(app)
    assert f"**{judged['balanced_accuracy']:.2f}**" in words(app)
    assert f"**{judged['n_cells']:,}** cells" in words(app)


def test_a_section_that_shares_too_few_genes_is_not_offered(
    visit: Open, library: Library, cohort: AnnData, bare: Section
) -> None:
    other = cohort[:, :12].copy()
    other.var_names = [*cohort.var_names[:5], *(f"OTHER{i}" for i in range(7))]
    put(library, other, 1, typed=True)
    app = by(opened(visit, bare), bare, "Another section")
    assert "fewer than 10 genes are shared" in words(app)
    assert app.button("types-begin").disabled


def test_cells_are_named_by_a_table_whose_columns_are_told_or_asked(
    visit: Open, library: Library, bare: Section
) -> None:
    app = by(opened(visit, bare), bare, "A table")
    assert app.button("types-begin").disabled
    ids = library.cells(bare.id).index
    given = pd.DataFrame({"id": ids, "label": np.where(np.arange(len(ids)) % 2, "odd", "even")})
    content = given.to_csv(index=False).encode()
    app.file_uploader(f"types-file-{bare.id}-0").set_value(("my types.csv", content, "text/csv")).run()
    cells, types = (one for one in app.selectbox if one.label.startswith("Column with"))
    assert (cells.value, types.value) == (None, "label")
    assert app.button("types-begin").disabled
    cells.set_value("id").run()
    sound(named(app))
    assert types_of(library, bare) == given["label"].tolist()
    assert "column 'label'" in in_use(library, bare).how
    assert "The table: column 'label' names cells by 'id'" in words(app)
    assert list(library.staging.iterdir()) == []
    assert app.file_uploader(f"types-file-{bare.id}-1").value is None


def closing(app: AppTest) -> list[Button]:
    """Find what closes the words on a task that did not come to its end."""
    return [one for one in app.button if one.label == "Close"]


def test_a_table_of_other_cells_is_refused_in_words(visit: Open, library: Library, bare: Section) -> None:
    app = by(opened(visit, bare), bare, "A table")
    content = b"cell_id,cell_type\nnobody-1,a\nnobody-2,b\n"
    app.file_uploader(f"types-file-{bare.id}-0").set_value(("other.csv", content, "text/csv")).run()
    named(app)
    assert not app.exception
    (error,) = app.error
    assert "given.csv names 0 of the section's 400 cells" in error.value.replace("\\", "")
    assert labelings.known(library, bare.id) == []
    closing(app)[0].click().run()
    assert not sound(app).button("types-begin").disabled  # the file is there still, for other columns


def test_the_instruments_clusters_are_offered_where_there_are_some(
    visit: Open, library: Library, cohort: AnnData
) -> None:
    section = put(library, cohort, 0, typed=False, cluster=np.resize(["1", "2", "3"], 400))
    app = by(opened(visit, section), section, "Instrument's clusters")
    sound(named(app))
    assert in_use(library, section).method == "instrument"
    assert set(types_of(library, section)) == {"cluster 1", "cluster 2", "cluster 3"}
    assert "Confidence" not in table(app)


def test_intensities_are_named_by_a_table_alone(visit: Open, library: Library, cohort: AnnData) -> None:
    proteins = cohort.copy()
    proteins.X = proteins.X * np.float32(0.3)
    proteins.uns = {keys.PROVENANCE: {**cohort.uns[keys.PROVENANCE], "values": "intensities"}}
    section = put(library, proteins, 0, typed=False)
    assert section.values == "intensities"
    app = opened(visit, section)
    assert app.segmented_control(f"types-way-{section.id}").options == ["A table"]
    assert "holds intensities" in words(app)
    content = pd.DataFrame({"cell": library.cells(section.id).index, "type": "x"}).to_csv(index=False)
    app.file_uploader(f"types-file-{section.id}-0").set_value(("t.csv", content.encode(), "text/csv")).run()
    sound(named(app))
    assert set(types_of(library, section)) == {"x"}
    assert "genes are not compared" in words(app)


def test_the_names_of_the_file_are_changed_in_a_copy_and_back(
    visit: Open, library: Library, typed: Section
) -> None:
    before = types_of(library, typed)
    app = opened(visit, typed)
    first, second, third = list(table(app)["Type"])[:3]
    assert "The names of the file stay as they are" in words(app)
    assert app.button("types-undo").disabled
    select(app, [first])
    write(app, "rename", "New name")
    sound(settled(app))
    assert in_use(library, typed).method == "own"
    assert types_of(library, typed) == ["New name" if word == first else word for word in before]
    assert labelings.of_file(library, typed.id).names.count("New name") == 0
    select(app, [second, third])
    write(app, "merge", "Both")
    sound(settled(app))
    assert types_of(library, typed).count("Both") == before.count(second) + before.count(third)
    select(app, ["Both"])
    app.button("types-clear").click().run()
    sound(settled(app))
    n = types_of(library, typed).count(None)
    assert n == before.count(second) + before.count(third)
    assert list(table(app)["Type"])[-1] == "no name"
    select(app, ["no name"])
    write(app, "fill", "Rest")
    sound(settled(app))
    assert types_of(library, typed).count("Rest") == n
    for _ in range(4):
        assert not app.button("types-undo").disabled
        app.button("types-undo").click().run()
        sound(settled(app))
    assert types_of(library, typed) == before
    assert app.button("types-undo").disabled
    app.button("types-redo").click().run()
    assert types_of(library, typed) == ["New name" if word == first else word for word in before]
    assert "changed once by hand" in in_use(library, typed).words


def test_a_type_is_split_by_clusters_and_by_a_cell_set(visit: Open, library: Library, typed: Section) -> None:
    app = opened(visit, typed)
    largest = table(app)["Type"].iloc[0]
    n = types_of(library, typed).count(largest)
    half = np.arange(0, typed.n_cells, 2)
    CellSets(library).make("half", {typed.id: half})
    select(app, [largest])
    app.segmented_control("types-split-way").set_value("By a cell set").run()
    app.button("types-split").click().run()
    sound(settled(app))
    now = types_of(library, typed)
    assert now.count(f"{largest} in half") + now.count(f"{largest} outside half") == n
    assert {i % 2 for i, word in enumerate(now) if word == f"{largest} in half"} == {0}
    app.button("types-undo").click().run()
    select(sound(settled(app)), [largest])
    app.segmented_control("types-split-way").set_value("By clusters").run()
    app.slider("types-split-resolution").set_value(3.0).run()
    app.button("types-split").click().run()
    sound(settled(app))
    parts = [word for word in types_of(library, typed) if word and word.startswith(largest)]
    assert len(parts) == n
    assert len(set(parts)) > 1


def test_what_cannot_be_is_said_and_changes_nothing(visit: Open, library: Library, typed: Section) -> None:
    before = types_of(library, typed)
    app = opened(visit, typed)
    first, second = list(table(app)["Type"])[:2]
    select(app, [first])
    write(app, "rename", second)
    assert "is there already" in words(app)
    assert labelings.known(library, typed.id) == []  # nor is there a copy
    select(app.run(), list(table(app)["Type"]))
    app.button("types-clear").click().run()
    assert "No cell would have a name" in words(app)
    assert types_of(library, typed) == before


def test_a_change_upon_somebody_elses_is_refused(visit: Open, library: Library, typed: Section) -> None:
    labelings.copy_of_file(library, typed.id)
    app = opened(visit, typed)
    first = table(app)["Type"].iloc[0]
    select(app, [first])
    seen = in_use(library, typed)
    relabeling.change(library, seen, "renamed by another", labelings.of_file(library, typed.id))
    write(app, "rename", "Mine")
    assert "Somebody changed these names meanwhile" in words(app)
    assert "Mine" not in types_of(library, typed)


def test_labelings_are_put_in_use_renamed_exported_and_deleted(
    visit: Open, library: Library, typed: Section
) -> None:
    before = types_of(library, typed)
    halves = pd.Categorical(np.resize(["a", "b"], typed.n_cells))
    sure = np.linspace(0, 1, typed.n_cells, dtype=np.float32)
    key = labelings.add(library, typed.id, Made("Halves", "file", "by a test", halves, sure))
    app = opened(visit, typed)
    assert "As in the section's file" in words(app)
    head, rows = csv_of(app, "cell_labels")
    assert "Halves: by a test" in head
    assert rows["cell_type"].tolist() == list(halves)
    assert np.allclose(rows["confidence"], sure)
    assert rows["cell"].astype(str).tolist() == list(library.cells(typed.id).index)
    app.button("labeling-use-none").click().run()
    assert types_of(library, typed) == before
    sound(settled(app)).button(f"labeling-use-{key}").click().run()
    assert types_of(library, typed) == list(halves)
    for name in ("Jane 1970-01-01", "Quarters"):
        settled(app).button(f"labeling-rename-{key}").click().run()
        app.text_input(f"labeling-name-{key}").set_value(name)
        app.button("labeling-save").click().run()
        assert ("looks like" in words(app)) == (name != "Quarters")
    assert in_use(library, typed).name == "Quarters"
    sound(settled(app)).button(f"labeling-delete-{key}").click().run()
    app.button("labeling-delete-for-good").click().run()
    assert labelings.known(library, typed.id) == []
    assert types_of(library, typed) == before


def test_a_damaged_labeling_is_said_and_can_be_deleted(visit: Open, library: Library, typed: Section) -> None:
    before = types_of(library, typed)
    labeling = labelings.copy_of_file(library, typed.id)
    path = library.folder(typed.id) / "labelings" / labeling.id / "0.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    app = settled(visit(PAGE, section=typed.id))
    assert not app.exception
    assert "Delete it, and name the cells again" in words(app)
    assert keys.CELL_TYPE not in library.cells(typed.id)
    assert "types-begin" in {button.key for button in app.button}
    app.button(f"labeling-delete-{labeling.id}").click().run()
    app.button("labeling-delete-for-good").click().run()
    assert labelings.known(library, typed.id) == []
    assert types_of(library, typed) == before
    assert "the cell types in the file" in words(sound(settled(app)))


def test_what_is_selected_is_highlighted_on_the_map(visit: Open, typed: Section) -> None:
    app = opened(visit, typed)
    third = table(app)["Type"].iloc[2]
    select(app, [third])
    (shown,) = maps(app).values()
    assert [one["label"] for one in shown["scale"]["entries"] if not one["label"].startswith("__")] == [third]


def test_a_naming_that_is_cancelled_leaves_nothing(
    visit: Open, library: Library, bare: Section, worker: Worker
) -> None:
    app = opened(visit, bare)
    before = worker.ask(TrainModel((bare.id,), 5, "busy"), library)  # what is asked for next waits for it
    app.button("types-begin").click().run()
    (job,) = app.session_state["_jobs"].values()
    job.cancel()
    before.cancel()
    settled(app)
    assert not app.exception
    assert "cancelled" in words(app)
    assert labelings.known(library, bare.id) == []
    closing(app)[0].click().run()
    assert closing(sound(app)) == []


@pytest.mark.usefixtures("bare")
def test_other_pages_send_here_where_types_are_lacking(visit: Open) -> None:
    def links(app: AppTest) -> list[str]:
        return [one.proto.label for one in app.get("page_link")]

    app = sound(visit("sections"))
    assert "Name the cells" in links(app)
    tokens = app.switch_page("../pages/differential_expression.py").run()
    assert "Go to Cell types" in links(tokens)
