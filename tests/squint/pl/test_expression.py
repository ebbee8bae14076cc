"""Figures of genes: every gene is there, each name is readable, and nothing is hidden."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from squint import pl
from squint.pl._labels import spread

HOSTILE = "<img src=x onerror=alert(1)>"


def table_of(n_genes: int = 60, seed: int = 0) -> pd.DataFrame:
    """Make a comparison: some genes higher in each group, one beyond what a computer tells from 0."""
    rng = np.random.default_rng(seed)
    fold = rng.normal(0, 1.5, n_genes)
    table = pd.DataFrame(
        {
            "mean_group": rng.random(n_genes),
            "mean_reference": rng.random(n_genes),
            "log2_fold_change": fold,
            "share_group": rng.random(n_genes),
            "share_reference": rng.random(n_genes),
            "auc": 0.5 + np.tanh(fold) / 2.1,
            "q": 10.0 ** (-20 * np.abs(fold)),
        },
        index=pd.Index([f"G{i}" for i in range(n_genes)], name="gene"),
    )
    table.loc["G0", ["log2_fold_change", "auc", "q"]] = 3.0, 0.99, 0.0
    table.attrs = {"group": ["tumour core"], "reference": ["tumour", "stroma"]}
    return table


def genes_of(figure: go.Figure) -> list[str]:
    return [gene for trace in figure.data if trace.customdata is not None for gene in trace.customdata]


def keys_of(figure: go.Figure) -> list[str]:
    return [trace.name for trace in figure.data if trace.name and trace.showlegend is not False]


def named(figure: go.Figure) -> list[str]:
    return [note.text for note in figure.layout.annotations if note.showarrow is not False]


def symbol_of(figure: go.Figure, gene: str) -> tuple[str, str]:
    for trace in figure.data:
        if trace.customdata is not None and gene in trace.customdata:
            return trace.marker.symbol[list(trace.customdata).index(gene)], trace.marker.color
    raise AssertionError(gene)


def test_the_volcano_shows_every_gene_once_in_one_of_three_colours() -> None:
    table = table_of()
    figure = pl.volcano(table)
    assert sorted(genes_of(figure)) == sorted(table.index)
    up = (table["q"] < 0.05) & (table["log2_fold_change"] >= 1)
    down = (table["q"] < 0.05) & (table["log2_fold_change"] <= -1)
    assert keys_of(figure)[:3] == [
        f"higher in tumour core · {up.sum()} genes",
        f"higher in tumour, stroma · {down.sum()} genes",
        f"neither · {(~up & ~down).sum()} genes",
    ]
    assert len({trace.marker.color for trace in figure.data if trace.customdata is not None}) == 3


def test_the_volcano_says_which_side_is_which() -> None:
    words = [note.text for note in pl.volcano(table_of(), group="high", reference="low").layout.annotations]
    assert {"higher in high →", "← higher in low"} <= set(words)
    words = [note.text for note in pl.volcano(table_of()).layout.annotations]
    assert {"higher in tumour core →", "← higher in tumour, stroma"} <= set(words)


def test_marked_genes_are_diamonds_with_a_name_and_missing_ones_are_counted() -> None:
    figure = pl.volcano(table_of(), marked=("G3", "G4", "not measured"))
    assert symbol_of(figure, "G3")[0] == symbol_of(figure, "G4")[0] == "diamond"
    assert symbol_of(figure, "G5")[0] == "circle"
    assert {"<b>G3</b>", "<b>G4</b>"} <= set(named(figure))
    assert "marked · 2 of 3 tested" in keys_of(figure)


def test_the_selected_gene_is_ringed_and_named() -> None:
    table = table_of()
    figure = pl.volcano(table, selected="G7")
    (ring,) = [trace for trace in figure.data if trace.name == "selected"]
    assert ring.x[0] == table.loc["G7", "log2_fold_change"]
    assert "<b>G7</b>" in named(figure)
    assert len(pl.volcano(table, selected="nothing").data) == len(figure.data)


def test_a_q_of_zero_is_drawn_at_the_edge_and_said() -> None:
    figure = pl.volcano(table_of())
    assert symbol_of(figure, "G0")[0] == "triangle-up"
    assert any("drawn at the edge · 1 gene" in word for word in keys_of(figure))
    assert max(max(trace.y) for trace in figure.data if trace.customdata is not None) == 300
    assert figure.layout.yaxis.range[1] > 300
    moderate = pl.volcano(table_of().drop("G0"))
    assert not any("edge" in word for word in keys_of(moderate))


def test_at_most_eight_genes_of_each_side_are_named_besides_marked_ones() -> None:
    figure = pl.volcano(table_of(400))
    sides = np.sign([note.x for note in figure.layout.annotations if note.showarrow is not False])
    assert ((sides > 0).sum(), (sides < 0).sum()) == (8, 8)


def test_cut_offs_are_drawn_and_decide() -> None:
    figure = pl.volcano(table_of(), q=1e-10, fold=2.0)
    lines = [shape for shape in figure.layout.shapes if shape.name == "cut-off"]
    assert sorted(line.x0 for line in lines if line.x0 == line.x1) == [-2, 2]
    assert [line.y0 for line in lines if line.y0 == line.y1] == pytest.approx([10])
    for trace in figure.data:
        if trace.customdata is not None and trace.marker.color != pl.LIGHT.missing:
            assert (np.abs(trace.x) >= 2).all()
            assert (np.asarray(trace.y) > 10).all()


def test_a_table_across_patients_can_be_drawn_and_untested_genes_are_left_out() -> None:
    table = table_of()[["log2_fold_change", "q"]].assign(se=0.1)
    table.loc["G2", "q"] = np.nan
    figure = pl.volcano(table, group="core", reference="rim")
    assert sorted(genes_of(figure)) == sorted(table.index.drop("G2"))
    assert named(figure)


def test_a_volcano_without_any_gene_is_empty() -> None:
    figure = pl.volcano(table_of().iloc[:0])
    assert genes_of(figure) == []
    assert np.isfinite(figure.layout.yaxis.range).all()


@given(st.lists(st.floats(0, 430), max_size=26))
def test_labels_stay_apart_and_within_the_axes(heights: list[float]) -> None:
    placed = spread(np.sort(np.array(heights))[::-1], 430)
    assert (np.diff(placed) <= -16 + 1e-9).all()
    assert ((placed >= 8 - 1e-9) & (placed <= 422 + 1e-9)).all()


def dots(hostile: str = "a") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "gene": ["G0", "G0", "G1", "G1"],
            "group": [hostile, "b", hostile, "b"],
            "n_cells": [1_200, 30, 1_200, 30],
            "mean": [1.0, 3.0, 5.0, 5.0],
            "share": [0.4, 0.1, 0.2, 0.0],
        }
    )


def test_dots_have_the_share_as_area_and_the_mean_as_colour() -> None:
    figure = pl.dot_plot(dots())
    (trace,) = figure.data
    area = np.asarray(trace.marker.size) ** 2
    np.testing.assert_allclose(area / area[0], np.array([4, 1, 2, 0]) / 4)
    assert list(trace.marker.color) == [1, 3, 5, 5]
    assert genes_of(figure) == ["G0", "G0", "G1", "G1"]
    assert figure.layout.xaxis.ticktext == ("G0", "G1")
    assert figure.layout.yaxis.ticktext == ("a · n = 1,200", "b · n = 30")


def test_the_key_of_the_dots_is_drawn_to_scale() -> None:
    figure = pl.dot_plot(dots())
    (trace,) = figure.data
    circles = [shape for shape in figure.layout.shapes if shape.name == "key"]
    words = [note.text for note in figure.layout.annotations if "%" in note.text]
    assert words == ["50 %", "25 %", "10 %"]
    across = [circle.x1 - circle.x0 for circle in circles]
    assert across[2] == pytest.approx(trace.marker.size[1])  # the 10 % of G0 in b


def test_colours_of_dots_may_be_per_gene_and_then_say_so() -> None:
    figure = pl.dot_plot(dots(), per_gene=True)
    assert list(figure.data[0].marker.color) == [0, 1, 0, 0]
    assert "per gene" in figure.layout.coloraxis.colorbar.title.text
    assert "scaled" in pl.dot_plot(dots()).layout.coloraxis.colorbar.title.text


def test_long_names_of_genes_below_the_dots_slant_into_room_of_their_own() -> None:
    few = pl.dot_plot(dots()).layout
    table = pd.concat([dots().assign(gene=f"SERPINE{i}") for i in range(13)])
    many = pl.dot_plot(table).layout
    assert few.xaxis.tickangle == 0
    assert many.xaxis.tickangle == -45
    assert many.margin.b > 8 * 7.5 * np.sin(np.pi / 4)  # as deep as the names of 8 or 9 letters
    room = [layout.height - layout.margin.t - layout.margin.b for layout in (few, many)]
    assert room[0] == room[1]


def test_violins_say_how_many_cells_and_how_many_without_a_count() -> None:
    cells = {"a": np.array([0.0, 0, 0, 2, np.nan]), "b": np.array([])}
    figure = pl.violins(cells, gene="LDHA")
    assert figure.layout.yaxis.ticktext == ("a<br>n = 4 · 75 % without a count", "b<br>n = 0")
    np.testing.assert_allclose(figure.data[0].x, np.log1p([0, 0, 0, 2]))
    assert figure.data[0].points == "all"
    assert figure.layout.xaxis.title.text.startswith("LDHA: counts per cell")


def test_violins_of_many_cells_are_drawn_from_some_with_the_same_quantiles() -> None:
    cells = np.random.default_rng(0).gamma(1, 2, 50_000)
    figure = pl.violins({"a": cells}, gene="LDHA")
    assert len(figure.data[0].x) == 2_000
    assert figure.data[0].points is False
    assert "n = 50,000" in figure.layout.yaxis.ticktext[0]
    assert "drawn from 2,000" in figure.layout.xaxis.title.text
    shares = [0, 0.1, 0.5, 0.9, 1]
    drawn = np.quantile(np.expm1(figure.data[0].x), shares)
    np.testing.assert_allclose(drawn, np.quantile(cells, shares), rtol=0.01)
    assert "drawn from" not in pl.violins({"a": cells[:100]}, gene="LDHA").layout.xaxis.title.text


@pytest.mark.parametrize("style", [pl.LIGHT, pl.DARK, pl.PRINT])
def test_hostile_names_are_shown_as_text(style: pl.Style) -> None:
    table = table_of().rename(index={"G0": HOSTILE})
    figures = [
        pl.volcano(table, marked=(HOSTILE,), selected=HOSTILE, group=HOSTILE, reference=HOSTILE, style=style),
        pl.dot_plot(dots(HOSTILE).replace("G1", HOSTILE), style=style),
        pl.violins({HOSTILE: np.arange(9.0)}, gene=HOSTILE, style=style),
    ]
    for figure in figures:
        shown = figure.for_each_trace(lambda trace: trace.update(customdata=None))  # names, never drawn
        assert "<img" not in shown.to_json().replace("\\u003c", "<")


@pytest.mark.parametrize("style", [pl.LIGHT, pl.DARK, pl.PRINT])
def test_text_is_large_enough_to_read(style: pl.Style) -> None:
    figures = [
        pl.volcano(table_of(), style=style),
        pl.dot_plot(dots(), style=style),
        pl.violins({"a": np.arange(9.0)}, gene="LDHA", style=style),
    ]
    for figure in figures:
        assert figure.layout.font.size >= 12
        for axis in (figure.layout.xaxis, figure.layout.yaxis):
            assert axis.tickfont.size >= 12
        assert all(note.font.size >= 12 for note in figure.layout.annotations)
