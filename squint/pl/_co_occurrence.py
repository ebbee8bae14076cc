"""Tokens whose usage varies together: a clustered table."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from squint import keys
from squint.pl._dendrogram import branches
from squint.pl._style import LIGHT, Style
from squint.pl._text import escape
from squint.pl._token_matrix import CORNER, Grid, add_targets, draw

SMALL_Q = 0.05
_TREE, _STRIP, _NUMBER, _GAP = 110, 14, 18, 4  # pixels of the tree, the strip of colours and its numbers
_WORDS = {keys.SECTION: "sections", keys.PATIENT: "patients"}
# ColorBrewer's blue to red, which colour-blind readers can tell apart: pale is within chance, strong beyond.
_BLUES, _WHITE, _REDS = ("#053061", "#4393C3", "#D1E5F0"), "#F7F7F7", ("#FDDBC7", "#D6604D", "#67001F")


def co_occurrence(
    result: Mapping[str, Any],
    *,
    communities: Mapping[str, str] | None = None,
    names: Mapping[str, str] | None = None,
    selected: str | None = None,
    targets: bool = True,
    style: Style = LIGHT,
) -> go.Figure:
    """Draw the correlations of :func:`squint.tl.co_occurrence`, clustered.

    Colours are pale up to the correlation that 95 % of shuffled pairs stay below, and strong beyond. A dot is
    a pair with q of at most 0.05. Communities of two and more tokens are framed and numbered.

    Parameters
    ----------
    result
        What the tool wrote to ``uns["squint_co_occurrence"]``.
    communities
        Token -> community; by default those of :func:`squint.tl.communities`, if it has run. The first eight
        of two and more tokens are in colour.
    names
        Token -> what it is in plain words, written beside it.
    selected
        Community to frame.
    targets
        Lay squares over the cells that can be pointed at and clicked; not needed in a file.
    style
        Colours of the page.

    Returns
    -------
    A figure of fixed size. The ``customdata`` of what can be clicked ends with the token of the row, the
    token of the column (``""`` on the diagonal and on the strips of communities), and the row's community.
    """
    tokens = [str(token) for token in result["correlation"].index]
    order = np.asarray(result["order"], dtype=np.int64)
    if communities is None:
        communities = result["tokens"].get("community", pd.Series(dtype=str)).to_dict()
    of_token = [communities.get(token) for token in tokens]
    leaves = [tokens[i] for i in order]
    before = _TREE + 2 * _GAP + (_STRIP + _NUMBER if communities else 0)
    grid = Grid(leaves, names or {}, left=before, above=before)
    figure = draw(
        grid,
        result["correlation"].to_numpy()[np.ix_(order, order)],
        marked=(result["q"].to_numpy() <= SMALL_Q)[np.ix_(order, order)],
        title=_title(result, communities),
        coloraxis=_coloraxis(float(result["null_quantile"]), style),
        style=style,
    )
    colours = _colours(communities, style)
    _add_tree(figure, grid, result["linkage"], order, of_token, colours, style)
    _add_strips(figure, grid, [of_token[i] for i in order], colours, selected, style)
    if targets:
        _add_pairs(figure, result, grid, order, communities)
        _add_tokens(figure, result, grid, communities)
    return figure


def _title(result: Mapping[str, Any], communities: Mapping[str, str]) -> str:
    """Say over how many groups, what chance gives, and how many pairs and communities stand out."""
    n_tokens, n_groups = len(result["correlation"]), int(result["n_groups"])
    found = int((result["q"].to_numpy()[np.triu_indices(n_tokens, 1)] <= SMALL_Q).sum())
    return (
        f"<b>Usage of {n_tokens} tokens over {n_groups} {word_for_groups(result)}</b><br>"
        f"95 % of shuffled pairs stay below |r| = {result['null_quantile']:.2f} (pale) · "
        f"● q ≤ {SMALL_Q:g}: {found:,} of {n_tokens * (n_tokens - 1) // 2:,} pairs"
        f"{_beyond(result, communities)}"
    )


def _beyond(result: Mapping[str, Any], communities: Mapping[str, str]) -> str:
    """Say how many communities are larger than by chance, if these are those that were compared with it."""
    table, compared = result.get("communities"), result["tokens"].get("community")
    if table is None or compared is None or compared.to_dict() != dict(communities):
        return ""
    several = table[table["n_tokens"] > 1]
    larger = int((several["p"] <= SMALL_Q).sum())
    return f" · communities larger than by chance, p ≤ {SMALL_Q:g}: {larger} of {len(several)}"


def word_for_groups(result: Mapping[str, Any]) -> str:
    """Name what the groups of :func:`squint.tl.co_occurrence` are, in the plural, safe to show."""
    if keys.Z in result["groups"]:
        return "levels"
    return _WORDS.get(result["by"], f"groups of {escape(result['by'])}")


def _coloraxis(null: float, style: Style) -> dict[str, Any]:
    strong = [-1, -(1 + null) / 2, -null, 0, null, (1 + null) / 2, 1]
    colours = (*_BLUES, _WHITE, *_REDS)
    ticks = [-1.0, -null, 0.0, null, 1.0] if 0.2 < null < 0.8 else [-1.0, 0.0, 1.0]
    return {
        "colorscale": [[(1 + r) / 2, colour] for r, colour in zip(strong, colours, strict=True)],
        "cmin": -1,
        "cmax": 1,
        "colorbar": {
            "title": {"text": "Pearson r", "font": {"size": 12}},
            "len": _TREE + _STRIP,
            **CORNER,
            "tickvals": ticks,
            "ticktext": [f"{r:+.2g}" if r else "0" for r in ticks],
            "tickfont": {"size": 12, "color": style.ink},
        },
    }


def _colours(communities: Mapping[str, str], style: Style) -> dict[str, str]:
    """Give the first eight communities of two and more tokens a colour."""
    sizes = pd.Series(communities, dtype=str).value_counts()
    several = sorted(sizes[sizes > 1].index, key=lambda label: (len(label), label))
    return dict(zip(several, style.categories, strict=False))


def _add_tree(
    figure: go.Figure,
    grid: Grid,
    linkage: Any,
    order: NDArray[np.int64],
    of_token: Sequence[str | None],
    colours: Mapping[str, str],
    style: Style,
) -> None:
    """Draw the tree above the table and to its left, communities in their colour."""
    tree = branches(np.asarray(linkage, dtype=np.float64), order, of_token)
    top = max(branch.height[1] for branch in tree) or 1.0
    foot = 0.5 + grid.pixels(grid.left - _TREE)
    for colour in dict.fromkeys([style.missing, *colours.values()]):
        mine = [b for b in tree if colours.get(b.label or "", style.missing) == colour]
        along = np.concatenate([[*branch.along, np.nan] for branch in mine] or [[]])
        up = np.concatenate([[*branch.height, np.nan] for branch in mine] or [[]])
        up = -foot - up / top * grid.pixels(_TREE - 2)
        for x, y in ((along, up), (up, along)):
            figure.add_scatter(
                x=x, y=y, mode="lines", line={"color": colour, "width": 1.5}, hoverinfo="skip", name="tree"
            )


def _add_strips(
    figure: go.Figure,
    grid: Grid,
    of_leaf: Sequence[str | None],
    colours: Mapping[str, str],
    selected: str | None,
    style: Style,
) -> None:
    """Draw the communities of the leaves as strips, with a number and a frame where tokens are several."""
    near, far = 0.5 + grid.pixels(_GAP), 0.5 + grid.pixels(_GAP + _STRIP)
    shapes, numbers = list[dict[str, Any]](), list[dict[str, Any]]()
    start = 0
    for label, run in groupby(of_leaf):
        end = start + len(list(run))
        low, high = start - 0.5, end - 0.5
        start = end
        if label is None:
            continue
        fill = {"type": "rect", "fillcolor": colours.get(label, style.rest), "line": {"width": 0}}
        shapes.append({**fill, "x0": low, "x1": high, "y0": -far, "y1": -near, "name": "strip"})
        shapes.append({**fill, "x0": -far, "x1": -near, "y0": low, "y1": high, "name": "strip"})
        if high - low > 1:
            shapes.append(_frame((low, high), thick=label == selected))
            numbers += _number(grid, (low, high), label, selected, style)
    # All at once: one by one, Plotly checks all of them each time.
    figure.update_layout(
        shapes=[*figure.layout.shapes, *shapes], annotations=[*figure.layout.annotations, *numbers]
    )


def _frame(ends: tuple[float, float], *, thick: bool) -> dict[str, Any]:
    """Frame a community on the diagonal."""
    low, high = ends
    line = {"color": "#000000", "width": 3 if thick else 1}
    return {"type": "rect", "x0": low, "x1": high, "y0": low, "y1": high, "line": line, "name": "community"}


def _number(
    grid: Grid, ends: tuple[float, float], label: str, selected: str | None, style: Style
) -> list[dict[str, Any]]:
    """Write the number of a community beside both strips."""
    middle, out = sum(ends) / 2, -0.5 - grid.pixels(_GAP + _STRIP + _NUMBER / 2)
    text = f"<b>{escape(label)}</b>" if label == selected else escape(label)
    font = {"size": 12, "color": style.ink}
    return [
        {"x": x, "y": y, "text": text, "showarrow": False, "font": font}
        for x, y in ((middle, out), (out, middle))
    ]


def _add_pairs(
    figure: go.Figure,
    result: Mapping[str, Any],
    grid: Grid,
    order: NDArray[np.int64],
    communities: Mapping[str, str],
) -> None:
    """Say of each pair of different tokens what is known."""
    tokens, titles = np.array(grid.tokens, dtype=object), np.array(grid.title, dtype=object)
    rows, columns = np.nonzero(~np.eye(len(order), dtype=bool))
    r, p, q = (result[name].to_numpy()[order[rows], order[columns]] for name in ("correlation", "p", "q"))
    targets = pd.DataFrame(
        {
            "x": columns,
            "y": rows,
            "text": [f"r = {a:.2f}, p = {b:.2g}, q = {c:.2g}" for a, b, c in zip(r, p, q, strict=True)],
            "title": titles[rows],
            "other_title": titles[columns],
            "token": tokens[rows],
            "other": tokens[columns],
            "community": [communities.get(token, "") for token in tokens[rows]],
        }
    )
    over = f"over {int(result['n_groups'])} {word_for_groups(result)}"
    chance = f"95 % of shuffled pairs stay below |r| = {result['null_quantile']:.2f}"
    template = "<b>%{customdata[0]}</b><br><b>%{customdata[1]}</b><br>%{text}<br>" + f"{over}; {chance}"
    add_targets(figure, grid, targets, template)


def _add_tokens(
    figure: go.Figure, result: Mapping[str, Any], grid: Grid, communities: Mapping[str, str]
) -> None:
    """Say of each token, on the diagonal and on its strips, what is known."""
    strip = -0.5 - grid.pixels(_GAP + _STRIP / 2)
    rows = []
    for i, (token, title) in enumerate(zip(grid.tokens, grid.title, strict=True)):
        n_cells, share = result["tokens"].loc[token, ["n_cells", "share"]]
        community = communities.get(token, "")
        text = f"<b>{title}</b><br>{int(n_cells):,} cells, {share:.1%}"
        text += f"<br>community {escape(community)}" if community else ""
        rows += [(x, y, text, token, "", community) for x, y in ((i, i), (strip, i), (i, strip))]
    targets = pd.DataFrame(rows, columns=["x", "y", "text", "token", "other", "community"])
    add_targets(figure, grid, targets, "%{text}")
