"""Stacks the right way round in three dimensions, and in-painting beside the nearest cells."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from squint import pl

SCORE = pl.Continuous("activation score", 0, 1, (0.25, 0.75))
TYPES = pl.Categories("type", ("a", "b"))


def level(n_cells: int = 40, seed: int = 0, kind: str = "number", title: str = "L1") -> pl.Panel:
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, [300, 100], (n_cells, 2))
    values = rng.random(n_cells).astype(np.float32)
    if kind == "label":
        values = np.array(list("abc"), dtype=object)[rng.integers(0, 3, n_cells)]
    return pl.Panel(title, points, values, "um", {"cell": np.arange(n_cells).astype(str)})


def cells(figure: go.Figure) -> np.ndarray:
    """Give all cells drawn (n, 3)."""
    return np.concatenate([np.column_stack([t.x, t.y, t.z]) for t in figure.data if t.x[0] is not None])


def looks(figure: go.Figure) -> set[tuple[str, str]]:
    """Give names and colours of all cells."""
    return {
        (trace.name, trace.marker.color if isinstance(trace.marker.color, str) else trace.marker.coloraxis)
        for trace in figure.data
    }


def written(figure: go.Figure) -> list[go.Scatter]:
    """Give the numbers of each heat map."""
    return [trace for trace in figure.data if isinstance(trace, go.Scatter)]


def quality(gain: float = 0.1, *, floor: bool = True, z: tuple[float, ...] = (0.0, 60.0)) -> pd.DataFrame:
    methods = [("model", 0, gain), ("knn", 8, 0.0)] + ([("nothing", 0, -0.2)] if floor else [])
    rows = [
        {"target": "cell", "method": method, "k": k, "level": f"L{i}", "z_um": height, "n_cells": 100 + i}
        | {"group": group, "n_genes": 10, "pearson": base + extra, "gain_se": 0.01}
        for i, height in enumerate(z)
        for method, k, extra in methods
        for group, base in (("top 10", 0.6), ("all 40", 0.4))
    ]
    return pd.DataFrame(rows)


def test_the_stack_is_not_mirrored() -> None:
    figure = pl.stack([level(), level(seed=1)], SCORE, z=[0, 60])
    scene = figure.layout.scene
    # x right, y down and z up towards the reader are left-handed, plotly's space is right-handed: y turns.
    turned = [axis.range[0] > axis.range[1] for axis in (scene.xaxis, scene.yaxis, scene.zaxis)]
    assert turned == [False, True, False]
    assert scene.camera.eye.y < 0  # from the lower edge of the slide, so that x runs to the right
    assert scene.camera.up.z == 1


def test_x_and_y_have_one_scale_and_z_is_stretched_as_it_says() -> None:
    for factor in (1.0, 5.0):
        scene = pl.stack([level(), level(seed=1)], SCORE, z=[0, 60], spacing_factor=factor).layout.scene
        per_um = {
            name: getattr(scene.aspectratio, name) / abs(np.diff(getattr(scene, f"{name}axis").range)[0])
            for name in "xyz"
        }
        assert per_um["x"] == pytest.approx(per_um["y"])
        assert per_um["z"] == pytest.approx(factor * per_um["x"])
        assert ("drawn x 5" in scene.zaxis.title.text) == (factor == 5)
        assert list(scene.zaxis.tickvals) == [0, 60]  # heights as they are


def test_every_cell_lies_at_its_level() -> None:
    panels = [level(40), level(30, seed=1)]
    drawn = cells(pl.stack(panels, SCORE, z=[0, 60]))
    expected = np.concatenate(
        [
            np.column_stack([p.coordinates, np.full(len(p.coordinates), z)])
            for p, z in zip(panels, (0, 60), strict=True)
        ]
    )
    assert np.allclose(np.sort(drawn, axis=0), np.sort(expected, axis=0), atol=1e-4)


def test_colours_and_counts_are_those_of_the_map() -> None:
    panels = [level(kind="label"), level(30, seed=1, kind="label", title="L2")]
    for scale in (TYPES, SCORE):
        if scale is SCORE:
            panels = [level(), level(30, seed=1)]
        flat, deep = pl.tissue_map(panels, scale), pl.stack(panels, scale, z=[0, 60])
        assert looks(flat) == looks(deep)
        assert len(deep.data) == len({trace.name for trace in flat.data})
    assert (deep.layout.coloraxis.cmin, deep.layout.coloraxis.cmax) == (0, 1)


@settings(max_examples=10)
@given(sizes=st.lists(st.integers(1, 300), min_size=1, max_size=5), most=st.integers(10, 400))
def test_of_many_cells_the_same_share_of_each_level_is_drawn_and_said(sizes: list[int], most: int) -> None:
    panels = [level(n, seed=i) for i, n in enumerate(sizes)]
    figure = pl.stack(panels, SCORE, z=range(len(sizes)), max_cells=most)
    drawn = cells(figure)
    total = sum(sizes)
    said = " ".join(note.text for note in figure.layout.annotations)
    if total <= most:
        assert len(drawn) == total
        assert "drawn" not in said
    else:
        assert len(drawn) <= most
        assert f"{len(drawn):,} of {total:,} cells drawn" in said
        for z, n_cells in enumerate(sizes):
            assert abs((drawn[:, 2] == z).sum() - n_cells * most / total) <= 1
    again = cells(pl.stack(panels, SCORE, z=range(len(sizes)), max_cells=most))
    assert np.array_equal(drawn, again)


def test_cells_without_a_value_are_grey_and_counted() -> None:
    panel = level()
    panel.values[:7] = np.nan
    figure = pl.stack([panel], SCORE, z=[0])
    (missing,) = [trace for trace in figure.data if trace.name == "no value · 7"]
    assert len(missing.x) == 7
    assert missing.marker.color == pl.LIGHT.missing
    assert missing.marker.opacity < 1


def test_marked_cells_are_diamonds_and_the_legend_says_why() -> None:
    panels = [level(), level(30, seed=1)]
    marked = [np.arange(40) < 5, np.arange(30) < 2]
    figure = pl.stack(panels, SCORE, z=[0, 60], marked=marked)
    diamonds = [trace for trace in figure.data if trace.marker.symbol == "diamond"]
    assert sum(len(trace.x) for trace in diamonds if trace.x[0] is not None) == 7
    assert "in-painted · 7" in {trace.name for trace in diamonds}
    assert len(cells(figure)) == 70


def test_hovering_tells_level_height_and_cell() -> None:
    figure = pl.stack([level(title="A<b>"), level(seed=1, title="B")], SCORE, z=[0, 60])
    (trace,) = figure.data
    assert trace.hovertemplate.startswith("level: %{customdata[0]}<br>z, µm: %{customdata[1]}<br>cell: ")
    assert set(trace.customdata[:, 0]) == {"A&lt;b&gt;", "B"}
    assert set(trace.customdata[:, 1]) == {"0", "60"}


def test_units_are_told() -> None:
    unknown = pl.Panel("L", level().coordinates, level().values, "unknown")
    assert pl.stack([level()], SCORE, z=[0]).layout.scene.xaxis.title.text == "x, µm"
    assert "unknown" in pl.stack([unknown], SCORE, z=[0]).layout.scene.xaxis.title.text


@pytest.mark.parametrize("n_levels", [0, 1])
def test_no_level_and_one_level_are_drawn(n_levels: int) -> None:
    figure = pl.stack([level()] * n_levels, SCORE, z=[5.0] * n_levels)
    low, high = figure.layout.scene.zaxis.range
    assert low < high


def test_each_level_needs_a_height() -> None:
    with pytest.raises(ValueError, match="2 levels have 1 heights"):
        pl.stack([level(), level()], SCORE, z=[0])


def test_model_and_knn_share_a_scale_and_the_difference_has_one_about_zero() -> None:
    figure = pl.imputation_quality(quality(gain=-0.1), "cell")
    heat = [trace for trace in figure.data if isinstance(trace, go.Heatmap)]
    assert [trace.coloraxis for trace in heat] == ["coloraxis", "coloraxis", "coloraxis2"]
    assert figure.layout.coloraxis2.cmin == -figure.layout.coloraxis2.cmax
    assert np.allclose(heat[2].z, -0.1)
    assert list(heat[0].x) == ["top 10", "all 40"]
    assert list(heat[0].y) == ["0 · n 100", "60 · n 101"]  # the highest on top


def test_every_number_is_written_and_can_be_read() -> None:
    figure = pl.imputation_quality(quality(), "cell")
    assert [list(trace.text) for trace in written(figure)] == [
        ["0.70", "0.50"] * 2,
        ["0.60", "0.40"] * 2,
        ["+0.100"] * 4,
    ]
    assert {colour for trace in written(figure) for colour in trace.textfont.color} <= {"#000000", "#FFFFFF"}


def test_the_neighbours_and_what_is_observed_anyway_are_told() -> None:
    notes = " ".join(note.text for note in pl.imputation_quality(quality(), "cell").layout.annotations)
    assert "mean of the 8 nearest observed cells" in notes
    assert "without any prediction the correlation over all 40 genes is 0.20" in notes
    alone = pl.imputation_quality(quality(floor=False), "cell").layout.annotations
    assert "without any prediction" not in " ".join(note.text for note in alone)


def test_a_level_without_numbers_is_empty() -> None:
    table = quality(z=(np.nan, np.nan))
    table.loc[table["level"] == "L1", "pearson"] = np.nan
    figure = pl.imputation_quality(table, "cell")
    assert list(figure.data[0].y) == ["L0 · n 100", "L1 · n 101"]
    assert [len(trace.text) for trace in written(figure)] == [2, 2, 2]
    with pytest.raises(ValueError, match="'neighbourhood'"):
        pl.imputation_quality(table, "neighbourhood")


def test_the_alignment_shows_both_placements_and_says_what_would_move() -> None:
    table = pd.DataFrame(
        {
            "lower": ["A", "B"],
            "upper": ["B", "C"],
            "rotation": [-90.0, 0.0],
            "shift_x": [300.0, 0.0],
            "shift_y": [-2.0, 0.0],
            "overlap_before": [0.5, 0.9],
            "overlap_after": [0.9, 0.9],
            "agreement_before": [-0.5, 0.7],
            "agreement_after": [0.7, 0.7],
            "reliable": [True, False],
            "outcome": ["moved", "aligned within error"],
        }
    )
    figure = pl.alignment(table)
    before, after = figure.data
    assert np.allclose(before.x, [-0.25, 0.63])
    assert np.allclose(after.x, [0.63])
    notes = [note.text for note in figure.layout.annotations]
    assert notes == ["turn -90.0°, shift x +300, y -2", "aligned within error"]
    assert figure.layout.xaxis.range[0] < -0.25
