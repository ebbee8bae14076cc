"""Genes that differ between two groups of cells: how much, and how surely."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from squint.pl._charts import _layout
from squint.pl._labels import label_side
from squint.pl._style import BLUE, LIGHT, Style
from squint.pl._text import escape, escape_all

VERMILION = "#D55E00"
MOST = 300.0  # -log10 q is drawn up to here: smaller q are beyond what a computer tells from 0
N_LABELLED = 8  # genes named on each side, besides marked ones
_HEIGHT, _PLOTTED = 560, 430  # pixels of the figure, and about those between its axes
_TOGETHER = 40  # letters of both names that fit on one line


def volcano(
    table: pd.DataFrame,
    *,
    marked: Sequence[str] = (),
    selected: str | None = None,
    q: float = 0.05,
    fold: float = 1.0,
    group: str | None = None,
    reference: str | None = None,
    style: Style = LIGHT,
) -> go.Figure:
    """Draw a table of :func:`squint.tl.differential_expression` or :func:`squint.tl.pseudobulk`.

    Parameters
    ----------
    table
        One row per gene, with ``log2_fold_change`` and ``q``; those without a value are left out.
    marked
        Genes drawn as diamonds and named.
    selected
        A gene to ring.
    q, fold
        Genes with a smaller q and a log2 fold change of at least ``fold`` are in colour.
    group, reference
        What to call the two; their labels, from the table's ``attrs``, if not given.
    style
        Colours of the page.

    Returns
    -------
    A figure whose points have their gene as ``customdata``. Ends at ``-log10 q`` of 300; genes beyond are
    triangles at that height.
    """
    group = escape(group or ", ".join(table.attrs.get("group", ["group"])))
    reference = escape(reference or ", ".join(table.attrs.get("reference", ["reference"])))
    points = _points(table, marked, q, fold)
    figure = go.Figure()
    looks = {"not": style.missing, "down": BLUE, "up": VERMILION}
    for kind, colour in looks.items():
        _add_points(figure, points[points["kind"] == kind], colour, style)
    n_genes = points["kind"].value_counts().reindex(list(looks), fill_value=0)
    words = {"up": f"higher in {group}", "down": f"higher in {reference}", "not": "neither"}
    for kind, word in words.items():
        _add_key(figure, f"{word} · {_many(int(n_genes[kind]))}", looks[kind], "circle")
    if marked:
        n_marked = int(points["marked"].sum())
        _add_key(figure, f"marked · {n_marked} of {len(set(marked))} tested", style.ink, "diamond")
    if points["beyond"].any():
        word = f"q < 10<sup>-{MOST:g}</sup>, drawn at the edge · {_many(int(points['beyond'].sum()))}"
        _add_key(figure, word, style.ink, "triangle-up")
    top = _frame(figure, points, q, fold, style)
    _ring(figure, points, selected, style)
    for side in (points[points["x"] >= 0], points[points["x"] < 0]):
        label_side(figure, _to_name(side, selected), top, _PLOTTED, style)
    _layout(figure, style, _HEIGHT)
    _say_sides(figure, group, reference, style)
    figure.update_yaxes(title="-log10 q (Benjamini-Hochberg)")
    # a key of the legend belongs to no trace that a click could hide
    return figure.update_layout(
        hoverlabel={"align": "left"}, legend={"itemclick": False, "itemdoubleclick": False}
    )


def _many(n_genes: int) -> str:
    return f"{n_genes:,} gene" + "s" * (n_genes != 1)


def _points(table: pd.DataFrame, marked: Sequence[str], q: float, fold: float) -> pd.DataFrame:
    """Place the genes that have values; the ones to see best come last, since they are drawn on top."""
    known = table[table["log2_fold_change"].notna() & table["q"].notna()]
    evidence = -np.log10(known["q"].clip(lower=np.finfo(float).tiny).to_numpy())
    points = pd.DataFrame({"x": known["log2_fold_change"], "y": np.minimum(evidence, MOST)})
    differs = (known["q"] < q) & (points["x"].abs() >= fold)
    points["kind"] = np.where(differs, np.where(points["x"] > 0, "up", "down"), "not")
    points["beyond"] = evidence > MOST
    points["marked"] = points.index.isin(list(marked))
    points["hover"] = _hover(known)
    # how far from no effect; a table across patients has no AUC
    points["effect"] = (known["auc"] - 0.5).abs() if "auc" in known else evidence
    return points.sort_values(["marked", "effect"], kind="stable")


def _hover(known: pd.DataFrame) -> list[str]:
    """Say of each gene what is known."""
    words = {
        "log2_fold_change": "log2 fold change {:.2f}",
        "q": "q {:.2g}",
        "auc": "AUC {:.3f}",
        "mean_group": "mean in the group {:.3g}",
        "mean_reference": "mean in the reference {:.3g}",
        "share_group": "cells with a count in the group {:.1%}",
        "share_reference": "cells with a count in the reference {:.1%}",
        "se": "standard error {:.2f}",
    }
    lines = [[f"<b>{name}</b>" for name in escape_all(known.index)]]
    lines += [[word.format(value) for value in known[key]] for key, word in words.items() if key in known]
    return ["<br>".join(one) for one in zip(*lines, strict=True)]


def _add_points(figure: go.Figure, points: pd.DataFrame, colour: str, style: Style) -> None:
    marked, beyond = points["marked"].to_numpy(), points["beyond"].to_numpy()
    figure.add_scatter(
        x=points["x"].to_numpy(),
        y=points["y"].to_numpy(),
        mode="markers",
        customdata=points.index.astype(str).to_numpy(),
        hovertext=points["hover"].to_list(),
        hoverinfo="text",
        marker={
            "color": colour,
            "symbol": np.where(marked, "diamond", np.where(beyond, "triangle-up", "circle")),
            "size": np.where(marked, 13, np.where(beyond, 9, 7)),
            "opacity": np.where(marked, 1.0, 0.75),
            "line": {"color": style.ink, "width": np.where(marked, 1.5, 0)},
        },
        unselected={"marker": {"opacity": 0.75}},  # a click must not fade the other genes
        showlegend=False,
    )


def _add_key(figure: go.Figure, word: str, colour: str, symbol: str) -> None:
    """Add a line to the legend; traces with several symbols would show only their first."""
    figure.add_scatter(
        x=[None], y=[None], mode="markers", name=word, marker={"color": colour, "symbol": symbol, "size": 10}
    )


def _frame(figure: go.Figure, points: pd.DataFrame, q: float, fold: float, style: Style) -> float:
    """Set both ranges, with room for labels, and draw the cut-offs; give the upper end."""
    cut = -np.log10(q)
    top = 1.06 * float(max(points["y"].max(), 1.5 * cut)) if len(points) else 2 * cut
    left = min(points["x"].min(), -1.5 * fold, -0.5) if len(points) else -2 * fold
    right = max(points["x"].max(), 1.5 * fold, 0.5) if len(points) else 2 * fold
    room = 0.2 * (right - left)
    figure.update_xaxes(range=[left - room, right + room])
    figure.update_yaxes(range=[-0.02 * top, top])
    line = {"color": style.ink, "width": 1, "dash": "dot"}
    for at in {-fold, fold}:
        figure.add_vline(at, line=line, name="cut-off")
    word = {"text": f"q = {q:g}", "font": {"size": 12, "color": style.ink}}
    figure.add_hline(cut, line=line, name="cut-off", annotation=word, annotation_position="top left")
    return top


def _say_sides(figure: go.Figure, group: str, reference: str, style: Style) -> None:
    """Say below the axis which way is which, on two lines where the names are long."""
    n_lines = 1 if len(group + reference) <= _TOGETHER else 2
    figure.update_xaxes(title="<br>" * n_lines + "log2 fold change of mean counts")
    figure.update_layout(margin_b=48 + 18 * n_lines)
    for text, x, side, line in (
        (f"← higher in {reference}", 0, "left", 0),
        (f"higher in {group} →", 1, "right", n_lines - 1),
    ):
        figure.add_annotation(
            text=text,
            x=x,
            xref="paper",
            xanchor=side,
            y=0,
            yref="paper",
            yanchor="top",
            yshift=-22 - 18 * line,
            showarrow=False,
            font={"size": 13, "color": style.ink},
        )


def _ring(figure: go.Figure, points: pd.DataFrame, selected: str | None, style: Style) -> None:
    chosen = points[points.index == selected]
    figure.add_scatter(
        x=chosen["x"],
        y=chosen["y"],
        mode="markers",
        name="selected",
        marker={"symbol": "circle-open", "size": 22, "color": style.ink, "line": {"width": 2.5}},
        hoverinfo="skip",
        showlegend=False,
    )


def _to_name(points: pd.DataFrame, selected: str | None) -> pd.DataFrame:
    """Pick the leading genes of a side, and those that are marked or selected."""
    leading = points[(points["kind"] != "not") & ~points["marked"]].nlargest(N_LABELLED, "effect").index
    bold = points["marked"] | (points.index == selected)
    return points.assign(bold=bold)[bold | points.index.isin(leading)]
