"""Maps coloured by the score of a gene set: what is shown, said and exported, and what is refused."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from streamlit.testing.v1 import AppTest

from app.maps import views
from app.maps.card import card
from app.maps.served import MAPS
from app.requests import ScoreGeneSet
from squint import keys, tl
from squint.library import gene_sets
from squint.library.results import find
from squint.library.store import Library
from tests.helpers.app import csv_of, maps
from tests.helpers.app import words as marked

Open = Callable[..., AppTest]
SET = "Aggressive kidney cancer"
WAYS = (("sections", "plain_colour"), ("tokens", "colour"))


def words(app: AppTest) -> str:
    """All text of a page, without marks of bold."""
    return marked(app).replace("**", "")


def by_set(visit: Open, page: str = "sections", key: str = "plain_colour") -> AppTest:
    app = visit(page)
    app.segmented_control(key).set_value("Gene set").run()
    assert not app.exception
    assert not app.error
    return app


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(("page", "key"), WAYS)
def test_cells_are_coloured_by_the_score_on_one_scale(visit: Open, page: str, key: str) -> None:
    app = by_set(visit, page, key)
    said = words(app)
    assert "3 of the 3 genes of Aggressive kidney cancer are measured in all 4 sections" in said
    assert "Tirosh et al. 2016" in said
    (shown,) = maps(app).values()
    assert shown["scale"]["kind"] == "numbers"
    assert shown["scale"]["title"] == f"{SET}: score of the cell (scale of log1p)"
    app.toggle("smoothed").set_value(True).run()
    (smoothed,) = maps(app).values()
    assert "mean score of the neighbourhood" in smoothed["scale"]["title"]


def test_the_export_holds_the_scores_of_the_tool_and_how_they_were_made(
    visit: Open, loaded: Library, toy: AnnData
) -> None:
    app = by_set(visit)
    head, table = csv_of(app, "sections")
    sections = loaded.sections()
    together = toy[[cell for section in sections for cell in loaded.cells(section.id).index]].copy()
    tl.score_gene_set(together, ["LDHA", "MMP14", "PFKFB3"])
    for column, key in (
        ("set score", keys.SET_SCORE),
        ("set score, neighbourhood", "squint_set_score_smoothed"),
    ):
        expected = together.obs[key].reindex(table["cell"]).to_numpy()
        np.testing.assert_allclose(table[column], expected, atol=1e-4)
    for said in (SET, "LDHA, MMP14, PFKFB3", "coverage: 3 of 3 genes", "about as abundant", "percentile"):
        assert said in head
    shown = MAPS.get(app.session_state["_map-sections"])
    assert shown is not None
    lines = dict(card(shown, 0, 3))
    assert float(lines["set score"]) == pytest.approx(table["set score"][3], rel=0.01)


def test_scores_are_found_again_whatever_the_order(visit: Open, loaded: Library) -> None:
    by_set(visit)
    ids = [section.id for section in loaded.sections()]
    asked = ScoreGeneSet(tuple(ids), ("LDHA", "MMP14", "PFKFB3"))
    assert asked == ScoreGeneSet(tuple(reversed(ids)), ("PFKFB3", "MMP14", "LDHA", "LDHA"))
    assert find(loaded, asked) is not None


def test_sets_that_are_hardly_measured_are_refused_or_doubted(visit: Open, loaded: Library) -> None:
    few = ("LDHA", "MMP14", *(f"X{i}" for i in range(4)))
    hardly = ("LDHA", "MMP14", "CA9", *(f"X{i}" for i in range(20)))
    gene_sets.add(loaded, "own.gmt", {"few": few, "hardly": hardly})
    app = by_set(visit)
    app.selectbox("gene_set").set_value("own: few").run()
    assert "2 of the set's 6 genes are measured in all sections" in words(app)
    (shown,) = maps(app).values()
    assert "counts" in shown["scale"]["title"]
    app.selectbox("gene_set").set_value("own: hardly").run()
    assert not app.exception
    said = words(app)
    assert "3 of the 23 genes" in said
    assert "Not measured: X0, X1" in said
    assert "may not stand for" in said


def test_cells_without_counts_are_grey_and_counted(loaded: Library) -> None:
    section = loaded.sections()[0]
    cells = views.cells_of(loaded, [section])
    scores = pd.DataFrame({"score": np.arange(section.n_cells, dtype=np.float32), "smoothed": np.float32(1)})
    scores.loc[:4, "score"] = np.nan
    view = views.by_gene_set([section], cells, scores, "S", {}, smoothed=False)
    assert view.panels[0].missing.sum() == 5
    assert view.panels[0].missing_name == "no counts"
