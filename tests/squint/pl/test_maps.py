"""Maps the right way up, on one scale, with at most eight colours."""

import subprocess
import sys

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from anndata import AnnData
from hypothesis import given
from hypothesis import strategies as st

import squint
from squint import keys, pl
from squint.pl._frame import nice_length
from squint.pl._text import escape, plain


def f_shape() -> np.ndarray:
    """Cells in the shape of an F, y down: the long bar on top, the stem on the left."""
    rows = ["#####", "#....", "####.", "#....", "#...."]
    return np.array(
        [(10.0 * x, 10.0 * y) for y, row in enumerate(rows) for x, c in enumerate(row) if c == "#"]
    )


def panel(values: np.ndarray, unit: str = "um", title: str = "S1", scale: float = 1.0) -> pl.Panel:
    return pl.Panel(title, f_shape() * scale, values, unit, {"cell": np.arange(len(values)).astype(str)})


NUMBERS = np.linspace(0, 1, len(f_shape())).astype(np.float32)
SCORE = pl.Continuous("activation score", 0, 1, (0.25, 0.75))


def axes(figure: go.Figure, letter: str) -> list[go.layout.YAxis]:
    return [figure.layout[key] for key in figure.layout if key.startswith(f"{letter}axis")]


def texts(figure: go.Figure) -> str:
    return "\n".join(note.text for note in figure.layout.annotations)


def test_the_map_is_the_right_way_up() -> None:
    figure = pl.tissue_map([panel(NUMBERS)], SCORE)
    (y,), (x,) = axes(figure, "y"), axes(figure, "x")
    assert y.range[0] > y.range[1]  # larger y is further down
    assert x.range[0] < x.range[1]
    assert (y.scaleanchor, y.scaleratio) == ("x", 1)
    drawn = np.column_stack([figure.data[0].x, figure.data[0].y])
    np.testing.assert_array_equal(drawn, f_shape())
    top = drawn[drawn[:, 1] == drawn[:, 1].min()]
    assert len(top) == 5  # the long bar of the F is nearest to the upper end of the axis
    assert abs(top[0, 1] - y.range[1]) < abs(top[0, 1] - y.range[0])


def test_a_single_cell_lies_in_the_middle_of_its_panel() -> None:
    figure = pl.tissue_map([pl.Panel("S1", np.array([[900.0, 70.0]]), np.array([0.5]))], SCORE)
    (y,), (x,) = axes(figure, "y"), axes(figure, "x")
    assert x.range[0] < 900 < x.range[1]
    assert y.range[1] < 70 < y.range[0]
    assert figure.data[0].marker.size > 5
    assert "1 cell" in texts(figure)
    assert "1 cells" not in texts(figure)


def test_cells_in_a_row_have_a_frame() -> None:
    row = np.column_stack([np.arange(5.0), np.zeros(5)])
    figure = pl.tissue_map([pl.Panel("S1", row, np.linspace(0, 1, 5))], SCORE)
    ((y,),) = (axes(figure, "y"),)
    assert y.range[1] < 0 < y.range[0]


def test_the_legend_keeps_the_order_of_the_labels_and_may_name_them() -> None:
    panels = [panel(np.array([label] * len(NUMBERS), dtype=object)) for label in "ba"]
    figure = pl.tissue_map(panels, pl.Categories("type", ("a", "b"), names={"a": "alpha"}))
    ranks = {trace.name.split(" ")[0]: trace.legendrank for trace in figure.data}
    assert ranks == {"alpha": 0, "b": 1}


@given(span=st.floats(1e-3, 1e7))
def test_the_scale_bar_is_a_round_number_that_fits(span: float) -> None:
    length = nice_length(span)
    assert span / 11 < length <= span / 4
    assert f"{length:e}"[0] in "125"


def test_the_scale_bar_is_as_long_as_it_says() -> None:
    figure = pl.tissue_map([panel(NUMBERS, scale=20.0)], SCORE)
    (bar,) = [shape for shape in figure.layout.shapes if shape.name == "scale bar"]
    assert bar.x1 - bar.x0 == pytest.approx(200)
    assert "200 µm" in texts(figure)


@pytest.mark.parametrize(
    ("unit", "said", "n_bars"),
    [("um", "µm", 1), ("unknown", "units unknown", 0)],
)
def test_the_unit_is_told(unit: str, said: str, n_bars: int) -> None:
    figure = pl.tissue_map([panel(NUMBERS, unit)], SCORE)
    assert said in texts(figure)
    assert len([shape for shape in figure.layout.shapes if shape.name == "scale bar"]) == n_bars


@pytest.mark.parametrize("n_panels", [1, 2, 3, 4, 5, 6])
def test_all_sections_share_one_colour_scale_and_one_magnification(n_panels: int) -> None:
    figure = pl.tissue_map([panel(NUMBERS * (i + 1) / 6) for i in range(n_panels)], SCORE)
    assert {trace.marker.coloraxis for trace in figure.data} == {"coloraxis"}
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (0, 1)
    assert len({round(abs(axis.range[1] - axis.range[0]), 6) for axis in axes(figure, "x")}) == 1
    ticks = figure.layout.coloraxis.colorbar.tickvals
    assert {0, 0.25, 0.75, 1} <= set(ticks)
    assert len([shape for shape in figure.layout.shapes if shape.name == "threshold"]) == 2


def test_more_than_six_sections_are_too_many() -> None:
    with pytest.raises(ValueError, match="1 to 6"):
        pl.tissue_map([panel(NUMBERS)] * 7, SCORE)


def test_grey_is_missing_and_is_counted() -> None:
    values = NUMBERS.copy()
    values[:3] = np.nan
    figure = pl.tissue_map([panel(values)], SCORE)
    missing = next(trace for trace in figure.data if trace.name.startswith("no value"))
    assert missing.name == "no value · 3"
    assert missing.marker.symbol == "circle-open"
    drawn = np.concatenate([trace.marker.color for trace in figure.data if trace.marker.coloraxis])
    assert len(drawn) == len(values) - 3
    assert "3 without a value" in texts(figure)


def test_at_most_eight_labels_are_coloured_and_all_are_counted() -> None:
    labels = np.array([str(i % 12) for i in range(len(f_shape()))], dtype=object)
    labels[-1] = None
    scale = pl.Categories("token", tuple(str(i) for i in range(12)), "other tokens")
    figure = pl.tissue_map([panel(labels), panel(labels)], scale)
    coloured = {trace.marker.color for trace in figure.data} - {pl.LIGHT.rest, pl.LIGHT.missing}
    assert len(coloured) == 8
    counts = {trace.name: len(trace.x) for trace in figure.data}
    assert sum(int(name.split(" · ")[1]) for name in counts) == 2 * len(labels)
    assert len([trace for trace in figure.data if trace.showlegend]) == len(counts)


def test_a_hundred_thousand_labels_are_drawn_as_few() -> None:
    """The legend counts all of them, and so says what is not coloured."""
    n = 100_000
    labels = pd.Categorical([f"label {i}" for i in range(n)])
    scale = pl.Categories("cell type", pl.most_frequent(labels), "other types")
    places = np.stack([np.arange(n) % 400, np.arange(n) // 400], axis=1) * 10.0
    figure = pl.tissue_map([pl.Panel("S1", places, labels, "um", {})], scale)
    named = [trace.name for trace in figure.data if trace.showlegend]
    assert len(named) <= 9
    assert sum(len(trace.x) for trace in figure.data) == n
    assert any("other types" in name and "99,99" in name for name in named)


def test_every_style_has_eight_different_colours() -> None:
    for style in (pl.LIGHT, pl.DARK, pl.PRINT):
        assert len(set(style.categories)) == pl.MAX_HIGHLIGHTED == 8


def test_hostile_labels_are_shown_as_text() -> None:
    hostile = "<img src=x onerror=alert(1)>"
    labels = np.array([hostile] * len(f_shape()), dtype=object)
    tissue = pl.Panel(hostile, f_shape(), labels, "um", {hostile: labels})
    figure = pl.tissue_map([tissue], pl.Categories(hostile, (hostile,)))
    assert "<img" not in figure.to_json()
    assert plain("a\0b\u202ec\nd") == "abcd" or plain("a\0b\u202ec\nd") == "abc d"
    assert len(plain("x" * 10_000)) == 40
    assert escape("a & b") == "a &amp; b"


def test_few_cells_are_vectors_and_many_are_webgl() -> None:
    assert isinstance(pl.tissue_map([panel(NUMBERS)], SCORE).data[0], go.Scatter)
    points = np.random.default_rng(0).random((2_000, 2))
    many = pl.Panel("S", points, points[:, 0].astype(np.float32))
    assert isinstance(pl.tissue_map([many], SCORE).data[0], go.Scattergl)


@pytest.mark.parametrize("n_cells", [1, 2])
def test_a_few_cells_can_be_drawn(n_cells: int) -> None:
    figure = pl.tissue_map([pl.Panel("S", f_shape()[:n_cells], NUMBERS[:n_cells], "um")], SCORE)
    assert np.isfinite(figure.layout.yaxis.range).all()


def test_spatial_draws_columns_and_genes(section: AnnData) -> None:
    section.obs[keys.SECTION] = section.obs["section"]
    by_label = pl.spatial(section, "patient")
    assert {trace.name for trace in by_label.data} == {"P1 · 15", "P2 · 15"}
    assert len(axes(by_label, "y")) == 2
    gene = pl.spatial(section, "GENE2")
    drawn = np.concatenate([trace.marker.color for trace in gene.data])
    np.testing.assert_array_equal(drawn, section[:, "GENE2"].X.toarray().ravel())
    with pytest.raises(KeyError, match="neither a column"):
        pl.spatial(section, "nothing")


def test_levels_lie_between_the_thresholds() -> None:
    scores = pd.Series([0.0, 0.25, 0.5, 0.75, 1.0, np.nan])
    named = pl.levels(scores)
    assert named.tolist()[:5] == ["low", "intermediate", "intermediate", "intermediate", "high"]
    assert named.isna().tolist() == [False] * 5 + [True]


def test_tables_count_every_cell_once() -> None:
    rng = np.random.default_rng(0)
    cells = pd.DataFrame(
        {
            keys.PATIENT: rng.choice(["A", "B"], 200),
            keys.ACTIVATION: np.where(rng.random(200) < 0.1, np.nan, rng.random(200)),
            keys.CELL_TYPE: rng.choice(["tumour", "T cell"], 200),
        }
    )
    table = pl.activation_table(cells, [keys.PATIENT])
    assert table["n_cells"].sum() == 200
    n_levels = table[["n_low", "n_intermediate", "n_high", "n_missing"]].sum(axis=1)
    assert n_levels.tolist() == table["n_cells"].tolist()
    a = cells.loc[cells[keys.PATIENT] == "A", keys.ACTIVATION]
    assert table.loc[0, "median"] == pytest.approx(a.median())
    composition = pl.composition_table(cells)
    assert composition[["share_low", "share_high"]].sum().tolist() == pytest.approx([1, 1])
    assert composition["n_high"].sum() == (cells[keys.ACTIVATION] > 0.75).sum()
    assert len(pl.composition(composition).data) == 2


def test_the_histogram_shows_shares_and_thresholds() -> None:
    figure = pl.activation_histogram({"A": NUMBERS, "B": np.append(NUMBERS, np.nan)}, low=0.2, high=0.6)
    assert [sum(bar.y) for bar in figure.data] == pytest.approx([100, 100])
    assert [shape.x0 for shape in figure.layout.shapes] == [0.2, 0.6]


def test_figures_come_without_torch_scanpy_or_anndata() -> None:
    code = "import squint.pl, sys; print([m for m in ('torch', 'scanpy', 'anndata') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert squint.pl is pl


def test_predicted_cells_have_an_outline_and_a_place_in_the_legend() -> None:
    predicted = np.arange(len(NUMBERS)) < 5
    corner = np.array([[0.0, 0.0], [40.0, 0.0], [0.0, 40.0]])
    measured = pl.Panel("measured", f_shape(), NUMBERS, "um", outlines=(corner,))
    imputed = pl.Panel("imputed", f_shape(), NUMBERS, "um", imputed=predicted, outlines=(corner,))
    figure = pl.tissue_map([measured, imputed], SCORE)
    shown = {trace.name: trace for trace in figure.data if trace.showlegend is not False}
    assert set(shown) == {"measured", "in-painted · 5"}
    assert shown["in-painted · 5"].marker.symbol == "diamond"
    assert "5 in-painted" in texts(figure)
    assert {shape.path for shape in figure.layout.shapes if shape.name == "area"} == {
        "M0.0,0.0L40.0,0.0L0.0,40.0Z"
    }
    drawn = next(trace for trace in figure.data if trace.name == "in-painted · 5" and len(trace.x) == 5)
    np.testing.assert_array_equal(np.column_stack([drawn.x, drawn.y]), f_shape()[predicted])
    assert drawn.marker.coloraxis == "coloraxis"  # on the scale of what was measured


def test_cells_without_a_value_are_called_what_the_panel_calls_them() -> None:
    values = np.where(np.arange(len(NUMBERS)) < 3, np.nan, NUMBERS)
    figure = pl.tissue_map([pl.Panel("S1", f_shape(), values, missing_name="not measured")], SCORE)
    assert "3 not measured" in texts(figure)
    assert "not measured · 3" in {trace.name for trace in figure.data}
