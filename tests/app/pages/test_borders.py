"""The page of borders: empty and lacking in test_pages.py and here, loaded, drawn, exported, refused."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from anndata import AnnData
from streamlit.testing.v1 import AppTest

from app.cell_sets.store import CellSets
from app.engine.client import jobs_of
from squint import keys, tl
from squint.library import section as sections_of
from squint.library.jobs import DONE
from squint.library.records import SectionRow
from squint.library.store import Library
from squint.stats import border
from tests.helpers.app import csv_of
from tests.helpers.app import words as marked

Open = Callable[..., AppTest]
PAGE = "borders"
BINS = {"around-min_cells": 1, "around-min_patch": 1}


def words(app: AppTest) -> str:
    """All text of a page, without marks of bold."""
    return marked(app).replace("**", "")


def checked(app: AppTest) -> AppTest:
    assert not app.exception
    assert not app.error
    return app


def visited(visit: Open, by: str = "Cell type") -> AppTest:
    app = checked(visit(PAGE))
    app.segmented_control("border_of").set_value(by)
    for key, value in BINS.items():
        app.number_input(key).set_value(value)
    return checked(app.run())


def test_a_type_has_a_border_and_the_table_is_the_tools(visit: Open, loaded: Library, toy: AnnData) -> None:
    app = visited(visit)
    assert app.multiselect("inside-cell_type").value == ["tumour"]
    app.multiselect("around-genes").set_value(["CA9"]).run()
    said = words(checked(app))
    assert "Border of cell type tumour: n = 4 sections, 2 patients" in said
    assert "95 % intervals over sections" in said
    assert "Nor are sections of one patient independent: n = 2 patients" in said
    head, table = csv_of(app, "border")
    together = toy[[cell for one in loaded.sections() for cell in loaded.cells(one.id).index]].copy()
    tl.score_gene_set(together, ["LDHA", "MMP14", "PFKFB3"])
    first = list(app.multiselect("around-types").value)
    width = float(app.number_input[0].value)
    tl.border_profile(
        together,
        keys.CELL_TYPE,
        group="tumour",
        measures=tl.Measures(["CA9"], {"Aggressive kidney cancer": keys.SET_SCORE}, {keys.CELL_TYPE: first}),
        bins=tl.DistanceBins(width, 10 * width, 1),
        min_patch=1,
    )
    expected = together.uns[keys.BORDER_PROFILE]["profile"]
    merged = table.merge(expected, on=["kind", "name", "from"], suffixes=("", "_tool"))
    assert len(merged) == len(table) == len(expected)
    for column in ("mean", "low", "high", "n_cells", "n_sections"):
        np.testing.assert_allclose(merged[column], merged[f"{column}_tool"], atol=1e-4)
    for part in ("inside: cell type tumour", "LDHA, MMP14, PFKFB3", "Student's 95 %", "about as abundant"):
        assert part in head
    _, each = csv_of(app, "border_sections")
    assert set(each["section_id"]) == set(toy.obs["section_id"].cat.categories)
    assert set(table["kind"]) == {border.GENE, border.SET, border.TYPE}


def test_tokens_and_scores_have_borders(visit: Open, loaded: Library) -> None:
    del loaded
    app = visited(visit, "Token")
    tokens = app.multiselect("around-tokens")
    tokens.set_value(app.multiselect("inside-squint_token").value).run()
    assert "Border of token" in words(checked(app))
    app.segmented_control("border_of").set_value("Activation score").run()
    assert "Border of activation score above 0.75" in words(checked(app))


def test_a_drawn_set_has_the_border_of_its_outline(visit: Open, loaded: Library) -> None:
    section = loaded.sections()[0]
    cells = loaded.cells(section.id)[["x", "y"]].to_numpy(dtype=float)
    low, high = np.quantile(cells, 0.2, axis=0), np.quantile(cells, 0.7, axis=0)
    ring = np.array([low, [high[0], low[1]], high, [low[0], high[1]]])
    rows = np.flatnonzero(((cells >= low) & (cells <= high)).all(axis=1))
    CellSets(loaded).make("Core", {section.id: rows}, {section.id: [(ring,)]}, "drawn")
    app = visited(visit, "Cell set")
    said = words(app)
    assert "Border of cell set Core: n = 1 section, 1 patient" in said
    assert "The border is the outline that was drawn" in said
    assert "Of one section there is no interval" in said
    assert "there is no border, in" in said
    _, table = csv_of(app, "border")
    assert table["low"].isna().all()
    assert table["n_cells"].max() <= section.n_cells


def test_that_there_is_no_border_is_an_answer_and_no_failure(visit: Open, loaded: Library) -> None:
    app = visited(visit)
    app.number_input("around-min_patch").set_value(100_000)
    app = checked(app.run())
    assert "There is no border of cell type" in words(app)
    assert not any(word in words(app) for word in ("did not work", "Try again"))
    assert {job.state for job in jobs_of(loaded).list() if job.task == "border_profile"} == {DONE}


@pytest.mark.usefixtures("loaded")
def test_nothing_asked_is_said(visit: Open) -> None:
    app = visited(visit)
    for key in ("around-sets", "around-types"):
        app.multiselect(key).set_value([])
    assert "Choose at least one gene" in words(checked(app.run()))


def test_unknown_units_are_not_put_on_one_axis(visit: Open, loaded: Library) -> None:
    one = loaded.sections()[0]
    with loaded.database.writing() as session:
        sections_of.fill(session.get(SectionRow, one.id), replace(one, unit="unknown"))
    app = checked(visit(PAGE))
    assert "is not known, so distances there cannot be compared" in words(app)
    app = checked(app.multiselect("shown").set_value([one.id]).run())
    assert "in patches of fewer than 20 cells" in words(app)  # these sections are small
    for key, value in BINS.items():
        app.number_input(key).set_value(value)
    assert "units of the section" in words(checked(app.run()))
