"""Figures of sections and patients beside each other."""

import numpy as np
import pandas as pd
import pytest

from squint import datasets, keys, pl, tl
from squint.pl import DARK, LIGHT

NAMES = {"TOY-H-1": "one <b>", "TOY-L-1": "two"}


@pytest.fixture(scope="module")
def result() -> dict:
    """Compare toy sections by the types of their cells, as if these were tokens."""
    adata = datasets.toy(n_cells=1_200, n_sections=4)
    tl.section_distances(adata, token_key=keys.CELL_TYPE, n_draws=99)
    found: dict = adata.uns[keys.SECTION_DISTANCES]
    return found


def test_the_table_of_distances_is_in_the_order_of_the_tree_with_dots_beyond_chance(result: dict) -> None:
    figure = pl.section_distances(result, names=NAMES, style=DARK)
    order = result["order"]
    heat = next(trace for trace in figure.data if trace.type == "heatmap")
    expected = result["distance"].to_numpy()[np.ix_(order, order)]
    off = ~np.eye(len(order), dtype=bool)
    np.testing.assert_allclose(np.array(heat.z)[off], expected[off])
    assert np.isnan(np.diag(heat.z)).all()
    halves = result["sections"]["halves"].to_numpy()[order]
    assert [note.text for note in figure.layout.annotations] == [f"½ {half:.2f}" for half in halves]
    dots = next(trace for trace in figure.data if trace.name == "beyond chance")
    assert len(dots.x) == int((result["q"].to_numpy() <= pl.SMALL_Q).sum())
    labels = " ".join(figure.layout.yaxis.ticktext)
    assert "one &lt;b&gt;" in labels
    assert "<b>" not in labels


def test_the_plane_has_every_section_once_in_the_colour_of_its_patient(result: dict) -> None:
    patients = {str(name): str(name)[:5] for name in result["sections"].index}
    figure = pl.section_plane(result, patients, marked={"TOY-H": "reference"}, simulated=list(patients))
    assert {trace.name for trace in figure.data} == {"TOY-H · reference · simulated", "TOY-L · simulated"}
    assert sum(len(trace.x) for trace in figure.data) == len(patients)
    symbols = {trace.name.split(" ")[0]: set(trace.marker.symbol) for trace in figure.data}
    assert symbols == {"TOY-H": {"square-open"}, "TOY-L": {"circle-open"}}
    said = "<br>".join(note.text for note in figure.layout.annotations)
    assert all(name in said for name in patients)


def test_points_that_lie_on_each_other_share_a_label(result: dict) -> None:
    table = result["sections"].assign(x=0.0, y=0.0)
    patients = {str(name): "A" for name in table.index}
    figure = pl.section_plane({**result, "sections": table}, patients)
    assert len(figure.layout.annotations) == 1


def test_compositions_add_up_and_rare_kinds_share_grey() -> None:
    rng = np.random.default_rng(0)
    shares = pd.DataFrame(rng.dirichlet(np.ones(12), 3), ["a", "b", "c"], [str(i) for i in range(12)])
    figure = pl.section_composition(shares, {"a": 10, "b": 20, "c": 30}, kinds={"0": "0 tumour"})
    assert len(figure.data) == 8
    total = np.sum([trace.x for trace in figure.data], axis=0)
    np.testing.assert_allclose(total, 100)
    assert figure.data[-1].name == "5 others"
    assert figure.data[-1].marker.color == LIGHT.rest


def test_diversity_shows_each_interval_that_is_known_and_marks_the_references() -> None:
    table = pd.DataFrame({"n_cells": [900, 40]}, ["a", "b"])
    for number, value in (("richness", 9.0), ("shannon", 5.0), ("simpson", 4.0)):
        table[number], table[f"{number}_low"], table[f"{number}_high"] = value, [value - 1, np.nan], np.nan
        table.loc["a", f"{number}_high"] = value + 2
    figure = pl.section_diversity(table, names={"a": "A <b>"}, marked={"a": "reference"})
    assert [list(trace.x) for trace in figure.data] == [[9, 9], [5, 5], [4, 4]]
    for trace in figure.data:
        assert list(trace.error_x.array) == [2, 0]
        assert list(trace.error_x.arrayminus) == [1, 0]
        assert trace.customdata[1] == "no interval, 40 cells"
        assert trace.marker.symbol[0] != trace.marker.symbol[1]
    assert list(figure.layout.yaxis.ticktext) == ["A &lt;b&gt; · <b>reference</b>", "b"]
    assert figure.layout.xaxis.range[0] == 0


def test_scores_of_sections_say_the_shares_below_and_above() -> None:
    scores = pd.DataFrame({"section": ["a", "a", "b"], "score": [0.0, 0.9, 0.5], "n": [3, 1, 8]})
    figure = pl.activation_by_section(scores, names={"a": "A"}, marked={"a": "reference"})
    said = [note.text for note in figure.layout.annotations]
    assert "75.0% · 25.0%" in said
    assert "0.0% · 0.0%" in said
    assert "A · 4<br><b>reference</b>" in figure.layout.yaxis.ticktext
    assert len(figure.layout.shapes) == 2


def patients() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "patient": list("abcdef"),
            "group": ["x", "x", "x", "x", "y", "y"],
            "value": [0.1, 0.2, 0.3, 0.9, 0.5, 0.6],
            "number": range(6),
            "left_out": [False, False, False, True, False, False],
        }
    )


def test_a_group_of_three_has_a_mean_and_its_interval_and_one_of_two_has_none() -> None:
    figure = pl.by_patient_group(patients(), measure="share", percent=True)
    means = [trace for trace in figure.data if trace.error_x.array is not None]
    assert len(means) == 1
    assert means[0].x[0] == pytest.approx(20)
    assert means[0].error_x.array[0] == pytest.approx(4.302653 * 10 / np.sqrt(3))
    assert list(figure.layout.yaxis.ticktext) == ["x · n = 3", "y · n = 2"]
    assert list(figure.data[0].marker.symbol) == ["circle"] * 3 + ["circle-open"]


def test_every_patient_has_a_point_beside_a_number() -> None:
    figure = pl.beside_number(patients(), measure="share", number="age <b>", percent=True)
    assert list(figure.data[0].y) == pytest.approx([10, 20, 30, 90, 50, 60])
    assert figure.layout.xaxis.title.text == "age &lt;b&gt;"


def test_names_that_would_lie_on_each_other_are_left_to_the_pointer() -> None:
    table = pd.DataFrame({"patient": list("abc"), "group": "x", "value": [0.1, 0.101, 0.9]})
    figure = pl.by_patient_group(table, measure="share")
    assert list(figure.data[0].text) == ["a", "", "c"]
    assert list(figure.data[0].hovertext) == ["a", "b", "c"]
