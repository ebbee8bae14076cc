"""Clustered tables of tokens: all tokens there, square, aligned with their tree, and safe to show."""

import json
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from squint import keys, pl
from squint.pl._dendrogram import branches

HOSTILE = "<img src=x onerror=alert(1)>"


def made(n_tokens: int = 20, n_groups: int = 12, *, levels: bool = True) -> dict[str, Any]:
    """Make what the tool writes, for tokens of which the first third varies together."""
    rng = np.random.default_rng(0)
    profiles = rng.random((n_groups, n_tokens))
    profiles[:, : n_tokens // 3] += 3 * profiles[:, [0]]
    usage = profiles / profiles.sum(axis=1, keepdims=True)
    r = np.corrcoef(usage.T)
    tokens = pd.Index([str(i) for i in range(n_tokens)], name="token")
    tree = hierarchy.linkage(squareform(1 - r, checks=False), "average", optimal_ordering=True)
    q = np.where(np.abs(r) > 0.9, 0.01, 0.5)
    np.fill_diagonal(q, np.nan)
    groups = pd.DataFrame({"n_cells": 100}, index=[f"L{i}" for i in range(n_groups)])
    return {
        **{
            name: pd.DataFrame(value, tokens, tokens)
            for name, value in {"correlation": r, "p": q, "q": q}.items()
        },
        "usage": pd.DataFrame(usage, groups.index, tokens),
        "groups": groups.assign(**{keys.Z: 60.0 * np.arange(n_groups)}) if levels else groups,
        "tokens": pd.DataFrame({"n_cells": np.arange(n_tokens, 0, -1), "share": 1 / n_tokens}, tokens),
        "linkage": tree,
        "order": hierarchy.leaves_list(tree),
        "n_groups": n_groups,
        "null_quantile": 0.55,
        "by": keys.SECTION,
    }


def communities(result: dict, n_tokens: int = 20) -> dict[str, str]:
    """Cut the tree into five."""
    labels = hierarchy.cut_tree(result["linkage"], 5).ravel() + 1
    return {str(i): str(labels[i]) for i in range(n_tokens)}


def trace(figure: go.Figure, name: str) -> go.Scatter:
    return next(trace for trace in figure.data if trace.name == name)


def targets(figure: go.Figure) -> list[tuple[float, float, tuple[str, ...], str]]:
    """List what can be pointed at: x, y, customdata, text."""
    found = [t for t in figure.data if t.name == "targets"]
    return [(*row,) for t in found for row in zip(t.x, t.y, t.customdata, t.text, strict=True)]


def square(figure: go.Figure) -> float:
    """Give pixels per cell across over those down, as the page lays them out."""
    x, y, margin = figure.layout.xaxis.range, figure.layout.yaxis.range, figure.layout.margin
    across = (figure.layout.width - margin.l - margin.r) / (x[1] - x[0])
    down = (figure.layout.height - margin.t - margin.b) / (y[0] - y[1])
    return across / down


@pytest.mark.parametrize("n_tokens", [2, 7, 20, 50, 60, 100])
def test_all_tokens_are_there_and_cells_are_square(n_tokens: int) -> None:
    result = made(n_tokens)
    figure = pl.co_occurrence(result, communities=communities(result, n_tokens) if n_tokens > 5 else None)
    table = trace(figure, "table")
    order = result["order"]
    np.testing.assert_array_equal(table.z, result["correlation"].to_numpy()[np.ix_(order, order)])
    assert square(figure) == pytest.approx(1, abs=0.01)
    assert (figure.layout.yaxis.scaleanchor, figure.layout.xaxis.scaleanchor) == ("x", None)
    labels = list(figure.layout.yaxis.ticktext)
    assert labels == [str(order[i]) for i in figure.layout.yaxis.tickvals]
    assert (len(labels) == n_tokens) == (n_tokens <= 60)
    pixels = (figure.layout.height - figure.layout.margin.t - figure.layout.margin.b) / (
        figure.layout.yaxis.range[0] - figure.layout.yaxis.range[1]
    )
    assert pixels * (figure.layout.yaxis.tickvals[1] - figure.layout.yaxis.tickvals[0]) >= 13.9
    assert figure.layout.yaxis.tickfont.size == figure.layout.xaxis.tickfont.size == 12
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]  # the first token on top


def test_the_title_has_room_beside_few_cells() -> None:
    figure = pl.co_occurrence(made(2))
    words = max(figure.layout.title.text.replace("<b>", "").split("<br>"), key=len)
    assert figure.layout.width > 6.5 * len(words)


def test_the_scale_is_symmetric_and_pale_within_chance() -> None:
    axis = pl.co_occurrence(made()).layout.coloraxis
    assert (axis.cmin, axis.cmax) == (-1, 1)
    stops = [2 * stop - 1 for stop, _ in axis.colorscale]
    np.testing.assert_allclose(stops, [-1, -0.775, -0.55, 0, 0.55, 0.775, 1])
    np.testing.assert_allclose(axis.colorbar.tickvals, [-1, -0.55, 0, 0.55, 1])
    narrow = pl.co_occurrence(made() | {"null_quantile": 0.99}).layout.coloraxis
    np.testing.assert_allclose(narrow.colorbar.tickvals, [-1, 0, 1])


def test_the_tree_ends_at_the_cells_of_its_leaves() -> None:
    result = made()
    drawn = branches(result["linkage"], result["order"], [None] * 20)
    feet = sorted(x for b in drawn for x, y in zip(b.along[[0, 3]], b.height[[0, 3]], strict=True) if y == 0)
    assert feet == list(range(20))
    heights = np.sort([b.height[1] for b in drawn])
    np.testing.assert_allclose(heights, np.sort(result["linkage"][:, 2]))
    by_scipy = hierarchy.dendrogram(result["linkage"], no_plot=True)
    expected = np.sort((np.array(by_scipy["icoord"]) - 5) / 10, axis=None)
    np.testing.assert_allclose(np.sort([b.along for b in drawn], axis=None), expected)


def test_the_tree_lies_beside_the_table_both_ways() -> None:
    figure = pl.co_occurrence(made())
    above, left = [t for t in figure.data if t.name == "tree"]
    np.testing.assert_array_equal(above.x, left.y)
    np.testing.assert_array_equal(above.y, left.x)
    assert np.nanmax(above.y) < -0.5
    assert np.nanmin(above.y) >= figure.layout.yaxis.range[1]


def test_communities_have_colours_numbers_and_frames() -> None:
    result = made()
    named = communities(result)
    figure = pl.co_occurrence(result, communities=named, selected="1")
    sizes = pd.Series(named).value_counts()
    several = sorted(sizes[sizes > 1].index)
    frames = [shape for shape in figure.layout.shapes if shape.name == "community"]
    assert sorted(shape.x1 - shape.x0 for shape in frames) == sorted(sizes[several])
    assert all((shape.x0, shape.x1) == (shape.y0, shape.y1) for shape in frames)
    assert [shape.line.width for shape in frames].count(3) == 1
    strips = {shape.fillcolor for shape in figure.layout.shapes if shape.name == "strip"}
    assert strips <= {pl.LIGHT.rest, *pl.LIGHT.categories[: len(several)]}
    assert {note.text.strip("</b>") for note in figure.layout.annotations} == set(several)


def test_at_most_eight_communities_are_coloured() -> None:
    result = made(40)
    pairs = {str(leaf): str(1 + place // 2) for place, leaf in enumerate(result["order"])}
    figure = pl.co_occurrence(result, communities=pairs)
    strips = {shape.fillcolor for shape in figure.layout.shapes if shape.name == "strip"}
    assert strips == {pl.LIGHT.rest, *pl.LIGHT.categories}
    assert "20" in {note.text for note in figure.layout.annotations}


def test_communities_that_the_tool_cut_are_drawn() -> None:
    result = made()
    named = communities(result)
    result["tokens"] = result["tokens"].assign(community=pd.Series(named))
    assert pl.co_occurrence(result).to_json() == pl.co_occurrence(result, communities=named).to_json()


def test_communities_larger_than_by_chance_are_counted() -> None:
    result = made()
    named = pd.Series(communities(result))
    sizes = pd.DataFrame({"n_tokens": named.value_counts()})
    result["tokens"] = result["tokens"].assign(community=named)
    result["communities"] = sizes.assign(p=np.where(sizes["n_tokens"] > 3, 0.01, 0.5))
    several, large = (sizes["n_tokens"] > 1).sum(), (sizes["n_tokens"] > 3).sum()
    assert f"p ≤ 0.05: {large} of {several}" in pl.co_occurrence(result).layout.title.text
    others = dict.fromkeys(named.index, "1")
    assert "by chance" not in pl.co_occurrence(result, communities=others).layout.title.text


def test_every_cell_tells_its_pair_and_can_be_clicked() -> None:
    result = made()
    named = communities(result)
    figure = pl.co_occurrence(result, communities=named, names={"3": "podocyte"})
    order = [str(i) for i in result["order"]]
    cells = {(x, y): (tuple(data), text) for x, y, data, text in targets(figure)}
    assert len(cells) == 20 * 20 + 2 * 20
    for (x, y), (data, text) in cells.items():
        token, other, community = data[-3:]
        assert token == order[int(y if y >= 0 else x)]
        assert community == named[token]
        if x >= 0 and y >= 0 and x != y:
            r = result["correlation"].loc[token, other]
            assert other == order[int(x)]
            assert f"r = {r:.2f}" in text
            assert "q = " in text
        else:
            assert other == ""
            assert "cells" in text
    assert any("podocyte" in data[0] for data, _ in cells.values() if len(data) > 3)
    template = next(t.hovertemplate for t in figure.data if "customdata[1]" in (t.hovertemplate or ""))
    assert "12 levels" in template
    assert "0.55" in template
    assert [t.name for t in pl.co_occurrence(result, targets=False).data].count("targets") == 0


def test_pairs_beyond_chance_have_a_dot_and_are_counted() -> None:
    result = made()
    figure = pl.co_occurrence(result)
    dots = trace(figure, "marked")
    small = result["q"].to_numpy() <= 0.05
    assert len(dots.x) == small.sum()
    order = result["order"]
    assert all(small[order[y], order[x]] for x, y in zip(dots.x, dots.y, strict=True))
    assert f"{small.sum() // 2:,} of 190 pairs" in figure.layout.title.text
    assert "12 levels" in figure.layout.title.text


def test_names_from_files_are_shown_as_text() -> None:
    result = made(6)
    result["by"] = HOSTILE
    result["groups"] = result["groups"].drop(columns=keys.Z)
    result["groups"].index = [HOSTILE] * 12
    for name in ("correlation", "p", "q"):
        result[name] = result[name].rename({"0": HOSTILE}, axis=0).rename({"0": HOSTILE}, axis=1)
    for name, axis in (("tokens", 0), ("usage", 1)):
        result[name] = result[name].rename({"0": HOSTILE}, axis=axis)
    named = {HOSTILE: HOSTILE, "1": HOSTILE}
    drawn = [
        pl.co_occurrence(result, communities=named, names={"2": HOSTILE}, selected=HOSTILE),
        pl.token_usage(result, [HOSTILE, "1"], names={"1": HOSTILE}),
        pl.neighbor_enrichment(neighbours(["0", HOSTILE, "2"]), names={"0": HOSTILE}),
    ]
    for figure in drawn:
        for one in figure.data:
            if one.name == "targets":  # what a click gives back is the token itself
                one.customdata = [row[:-3] for row in one.customdata]
            elif one.customdata is not None:
                one.customdata = None
        assert "<img" not in json.dumps(figure.to_plotly_json(), default=str)


def test_the_result_may_come_back_as_plain_lists() -> None:
    result = made()
    listed = result | {"linkage": result["linkage"].tolist(), "order": result["order"].tolist()}
    assert pl.co_occurrence(listed).to_json() == pl.co_occurrence(result).to_json()


# --- usage -----------------------------------------------------------------------------------------------


def test_usage_of_levels_is_lines_over_their_height() -> None:
    result = made()
    figure = pl.token_usage(result, ["3", "1"], names={"1": "podocyte"})
    lines = {line.customdata[0]: line for line in figure.data}
    assert set(lines) == {"1", "3"}
    assert lines["1"].name == "1 · podocyte"
    assert list(lines["1"].x) == list(60.0 * np.arange(12))
    np.testing.assert_allclose(lines["3"].y, 100 * result["usage"]["3"])
    assert "12 levels" in figure.layout.xaxis.title.text
    assert lines["1"].legendrank < lines["3"].legendrank


def test_usage_of_other_groups_is_bars() -> None:
    result = made(levels=False)
    figure = pl.token_usage(result, ["1", "2"], relative=True)
    assert {bar.type for bar in figure.data} == {"bar"}
    assert list(figure.data[0].x) == list(result["groups"].index)
    for bar in figure.data:
        assert np.mean(bar.y) == pytest.approx(1)
    assert "12 sections" in figure.layout.xaxis.title.text


def test_more_than_eight_tokens_share_a_line_of_the_legend() -> None:
    figure = pl.token_usage(made(), [str(i) for i in range(12)])
    assert len(figure.data) == 12
    named = [line.name for line in figure.data if line.showlegend]
    assert len(named) == 9
    assert "4 others" in named


# --- neighbours ------------------------------------------------------------------------------------------


def neighbours(tokens: list[str]) -> dict[str, Any]:
    """Make what the tool writes."""
    rng = np.random.default_rng(0)
    ratio = rng.normal(0, 3, (len(tokens), len(tokens)))
    ratio = ratio + ratio.T
    q = np.where(np.abs(ratio) > 2, 0.01, 0.5)
    np.fill_diagonal(q, np.nan)
    tables = {"log2_ratio": ratio, "q": q, "p": np.abs(ratio) / 20, "z": ratio, "observed": q, "expected": q}
    named = pd.Index(tokens, name="token")
    return {
        **{name: pd.DataFrame(table, named, tokens) for name, table in tables.items()},
        "n_edges": 1234,
        "n_sections": 1,
    }


def test_neighbours_are_drawn_in_the_order_given_without_the_diagonal() -> None:
    result = neighbours(list("abcd"))
    figure = pl.neighbor_enrichment(result, order=["d", "b", "nothing", "a"])
    table = np.array(trace(figure, "table").z)
    expected = result["log2_ratio"].loc[list("dba"), list("dba")].to_numpy()
    apart = ~np.eye(3, dtype=bool)
    np.testing.assert_array_equal(table[apart], expected[apart])
    assert np.isnan(np.diag(table)).all()
    assert list(figure.layout.yaxis.ticktext) == ["d", "b", "a"]
    assert square(figure) == pytest.approx(1, abs=0.01)
    assert "1,234 pairs of cells in 1 section<" in figure.layout.title.text


def test_the_scale_of_neighbours_is_symmetric_and_ends_at_sixteen_times() -> None:
    result = neighbours(list("abcd"))
    axis = pl.neighbor_enrichment(result).layout.coloraxis
    assert (axis.cmin, axis.cmax) == (-4, 4)
    result["log2_ratio"] *= 0
    axis = pl.neighbor_enrichment(result).layout.coloraxis
    assert (axis.cmin, axis.cmax) == (-1, 1)


def test_pairs_met_more_often_than_by_chance_have_a_dot() -> None:
    result = neighbours(list("abcdefgh"))
    figure = pl.neighbor_enrichment(result)
    dots = trace(figure, "marked")
    often = (result["q"] <= 0.05) & (result["log2_ratio"] > 0)
    assert len(dots.x) == often.sum().sum() > 0
    assert f": {often.sum().sum() // 2} of 28 pairs" in figure.layout.title.text
    told = {tuple(data): text for *_, data, text in targets(figure)}
    assert len(told) == 64
    assert "by construction" in told["a", "a"]
    assert "by chance" in told["a", "b"]


def test_a_single_token_can_be_drawn() -> None:
    figure = pl.neighbor_enrichment(neighbours(["a", "b"]), order=["b"])
    assert list(figure.layout.yaxis.ticktext) == ["b"]
