"""The figures of a report, as SVG for paper: no browser is needed to draw them."""

import io
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from squint.pl import PRINT
from squint.pl._print_page import printing
from squint.pl._sheet import GREY, RULE, line_of, width_of
from squint.pl._style import BLUE, ORANGE
from squint.report.recipe import Activation, Comparison

WIDTH = 7.0  # inches: the text of an A4 page
VERMILION = "#D55E00"
_BETWEEN = "#B9BDC7"  # of scores that are neither low nor high
_MOST_PATIENTS, _MOST_TYPES, _MOST_BARS, _NAMED = 8, 8, 12, 8
_MOST_Y = 300.0  # -log10 q is drawn up to here
_SIMULATED = " (simulated)"
_KEYED = 0.5  # inches that an entry of a legend takes beside its name
_DOTS_ABOVE = 2_000  # genes: more are drawn as pixels


def spread(
    table: pd.DataFrame, by_patient: pd.DataFrame, asked: Activation, simulated: Collection[str] = ()
) -> bytes:
    """Draw how the scores of each patient are spread, with both thresholds.

    Parameters
    ----------
    table, by_patient
        ``activation_histogram`` and ``activation_by_patient`` of a report.
    asked
        The thresholds.
    simulated
        Patients that are simulated, which is said beside them.
    """
    patients = [str(name) for name in by_patient["patient"]][:_MOST_PATIENTS]
    with printing():
        figure = Figure(figsize=(WIDTH, 0.6 + 0.95 * len(patients)))
        axes = figure.subplots(len(patients), 1, sharex=True, squeeze=False)[:, 0]
        for patient, axis in zip(patients, axes, strict=True):
            own = table[table["patient"] == patient]
            row = by_patient[by_patient["patient"] == patient].iloc[0]
            middle = (own["from"] + own["to"]).to_numpy() / 2
            colours = np.where(middle < asked.low, BLUE, np.where(middle > asked.high, ORANGE, _BETWEEN))
            width = 0.92 * (own["to"] - own["from"]).to_numpy()
            axis.bar(middle, 100 * own["share"], width, color=colours.tolist())
            for at in (asked.low, asked.high):
                axis.axvline(at, color="#000000", linewidth=0.9, linestyle=(0, (4, 3)))
            n_cells = int(row["n_cells"] - row["n_missing"])
            called = _line(f"{patient}{_SIMULATED if patient in simulated else ''}")
            axis.set_title(f"{called} · n = {n_cells:,} cells", loc="left", fontsize=8.5, pad=3)
            axis.set_title(f"high: {row['share_high']:.1%}", loc="right", fontsize=8.5, pad=3)
            axis.set_xlim(0, 1)
            axis.set_ylim(0, max(5.0, 108 * float(own["share"].max())))
            _tidy(axis)
        axes[-1].set_xticks(sorted({0.0, asked.low, 0.5, asked.high, 1.0}))
        axes[-1].set_xlabel("activation score", fontsize=8.5)
        figure.supylabel("% of the patient's cells", fontsize=8.5)
        return _svg(figure)


def levels(table: pd.DataFrame) -> bytes:
    """Draw cell types among low and among high cells, of ``activation_types`` of a report."""
    some = table[(table["n_low"] > 0) | (table["n_high"] > 0)]
    top = some.assign(most=some[["share_low", "share_high"]].max(axis=1)).nlargest(_MOST_BARS, "most")
    top = some.loc[some.index.isin(top.index)].iloc[::-1]
    y = np.arange(len(top))
    with printing():
        figure = Figure(figsize=(WIDTH, 0.7 + 0.29 * len(top)))
        axis = figure.subplots()
        for shift, level, colour in ((0.2, "high", ORANGE), (-0.2, "low", BLUE)):
            share = 100 * top[f"share_{level}"].fillna(0).to_numpy()
            n_cells = int(table[f"n_{level}"].sum())
            axis.barh(y + shift, share, 0.36, color=colour, label=f"{level}, n = {n_cells:,} cells")
            for at, length, n in zip(y + shift, share, top[f"n_{level}"], strict=True):
                how: dict[str, Any] = {
                    "textcoords": "offset points",
                    "va": "center",
                    "fontsize": 7,
                    "color": GREY,
                }
                axis.annotate(f"{n:,}", (length, at), (3, 0), **how)
        axis.set_yticks(y, [_line(str(name), 40) for name in top["cell_type"]])
        axis.set_xlabel(
            "% of the cells of that level that have a type; number of cells beside the bar", fontsize=8.5
        )
        axis.margins(x=0.1, y=0.02)
        _key(figure, axis)
        _tidy(axis, grid="x")
        return _svg(figure)


def types(table: pd.DataFrame, simulated: Collection[str] = ()) -> bytes:
    """Draw the cell types of each section as one bar, of ``cell_types`` of a report; some are simulated."""
    order = table.groupby("cell_type")["n_cells"].sum().sort_values(ascending=False, kind="stable")
    named = [str(name) for name in order.index[:_MOST_TYPES]]
    sections = list(dict.fromkeys(table["section"]))[::-1]
    wide = table.pivot_table("share", "section", "cell_type", fill_value=0.0).reindex(sections)
    total = table.groupby("section")["n_cells"].sum()
    rest = wide.drop(columns=named).sum(axis=1)
    with printing():
        figure = Figure(figsize=(WIDTH, 1.2 + 0.42 * len(sections)))
        axis = figure.subplots()
        left = np.zeros(len(sections))
        bars = [
            (name, wide[name].to_numpy(), colour)
            for name, colour in zip(named, PRINT.categories, strict=False)
        ]
        if len(order) > len(named):
            bars.append((f"{len(order) - len(named)} others", rest.to_numpy(), PRINT.rest))
        for name, share, colour in bars:
            axis.barh(
                range(len(sections)),
                100 * share,
                0.7,
                left=left,
                color=colour,
                label=_line(str(name), 40),
                linewidth=0,
            )
            left = left + 100 * share
        labels = [
            f"{_line(name, 32)}{_SIMULATED if name in simulated else ''}\nn = {int(total[name]):,}"
            for name in sections
        ]
        axis.set_yticks(range(len(sections)), labels)
        axis.set_xlim(0, 100)
        axis.set_xlabel("% of the section's cells that have a type", fontsize=8.5)
        _key(figure, axis)
        _tidy(axis, grid="x")
        return _svg(figure)


def volcano(table: pd.DataFrame, asked: Comparison, marked: Sequence[str], words: tuple[str, str]) -> bytes:
    """Draw genes by how much and how surely they differ, of ``differential_expression`` of a report.

    Parameters
    ----------
    table
        One row per gene.
    asked
        The cut-offs.
    marked
        Genes that are drawn as diamonds and named.
    words
        What the group and the reference are.
    """
    known = table[table["log2_fold_change"].notna() & table["q"].notna()]
    x = known["log2_fold_change"].to_numpy(dtype=float)
    y = np.minimum(-np.log10(known["q"].clip(lower=np.finfo(float).tiny).to_numpy(dtype=float)), _MOST_Y)
    differs = (known["q"].to_numpy() < asked.q) & (np.abs(x) >= asked.fold)
    special = known["gene"].isin(marked).to_numpy()
    colours = np.where(differs & (x > 0), VERMILION, np.where(differs & (x < 0), BLUE, PRINT.missing))
    with printing():
        figure = Figure(figsize=(WIDTH, 3.7))
        axis = figure.subplots()
        top = 1.06 * max(float(y.max(initial=0)), -1.5 * np.log10(asked.q) if asked.q else 2.0)
        span = max(float(np.abs(x).max(initial=0)), 1.5 * asked.fold, 0.5)
        axis.set_xlim(-1.5 * span, 1.5 * span)
        axis.set_ylim(-0.02 * top, top)
        for at in {-asked.fold, asked.fold}:
            axis.axvline(at, color=GREY, linewidth=0.7, linestyle=(0, (2, 2)))
        if asked.q:
            axis.axhline(-np.log10(asked.q), color=GREY, linewidth=0.7, linestyle=(0, (2, 2)))
        plain: dict[str, Any] = {"linewidths": 0, "rasterized": len(known) > _DOTS_ABOVE}
        axis.scatter(x[~special], y[~special], 12, colours[~special].tolist(), alpha=0.8, **plain)
        axis.scatter(
            x[special],
            y[special],
            34,
            colours[special].tolist(),
            marker="D",
            edgecolors="#000000",
            linewidths=0.8,
        )
        effect = np.abs(known["auc"].to_numpy(dtype=float) - 0.5)
        names = known["gene"].astype(str).to_numpy()
        for side in (-1, 1):
            here = np.flatnonzero((np.sign(x) == side) & (differs | special))
            first = here[np.lexsort((-effect[here], ~special[here]))][:_NAMED]
            _name(axis, np.column_stack([x, y])[first], names[first], special[first], side * 1.2 * span)
        axis.set_xlabel(
            "log2 fold change of mean counts\n"
            f"left: higher in {_line(words[1])}; right: higher in {_line(words[0])}",
            fontsize=8.5,
        )
        axis.set_ylabel("-log10 q (Benjamini-Hochberg)", fontsize=8.5)
        _tidy(axis)
        return _svg(figure)


def _name(
    axis: Axes, points: NDArray[np.float64], names: NDArray[Any], bold: NDArray[np.bool_], x: float
) -> None:
    """Name genes at points (k, 2) in a column at ``x`` beside them, with a line to each."""
    order = np.argsort(-points[:, 1], kind="stable")
    points, names, bold = points[order], names[order], bold[order]
    top = axis.get_ylim()[1]
    step, places = top / 14, points[:, 1].copy()
    for i in range(1, len(places)):
        places[i] = min(places[i], places[i - 1] - step)
    for i in reversed(range(len(places))):  # none below the axis
        places[i] = max(places[i], 0.035 * top + step * (len(places) - 1 - i))
    for (at, up), place, name, is_bold in zip(points, places, names, bold, strict=True):
        axis.annotate(
            _line(str(name), 18),
            (at, up),
            (x, place),
            fontsize=7.5,
            fontweight="bold" if is_bold else "normal",
            ha="left" if x > 0 else "right",
            va="center",
            arrowprops={"arrowstyle": "-", "color": RULE, "linewidth": 0.6, "shrinkA": 1, "shrinkB": 3},
        )


def _line(text: str, most: int = 60) -> str:
    """Give a text as one line that is no formula, cut where it is long."""
    line = line_of(text).replace("$", r"\$")
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _key(figure: Figure, axis: Axes) -> None:
    """Put a legend above all, in as many columns as there is room for."""
    handles, names = axis.get_legend_handles_labels()
    widest = max((width_of(name, 8) for name in names), default=1.0) + _KEYED
    figure.legend(
        handles,
        names,
        loc="outside upper left",
        ncols=max(1, min(4, int(WIDTH / widest))),
        frameon=False,
        fontsize=8,
        handlelength=1,
        handleheight=1,
        borderaxespad=0.2,
        columnspacing=1.2,
    )


def _tidy(axis: Axes, grid: Any = "y") -> None:
    axis.tick_params(labelsize=8, length=2.5, color=GREY)
    axis.grid(axis=grid, color=RULE, linewidth=0.5, alpha=0.7)
    axis.set_axisbelow(True)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axis.spines[side].set_color(GREY)


def _svg(figure: Figure) -> bytes:
    figure.set_layout_engine("constrained")
    file = io.BytesIO()
    nothing: dict[str, None] = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(file, format="svg", metadata=nothing, dpi=200)
    return file.getvalue()
