"""What the ablations found, for readers: table, Markdown and figure, beside what others report."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import kaleido
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import plotly.io
from plotly.subplots import make_subplots

from squint.benchmarks.score_table import LESS_IS_BETTER, METRICS
from squint.benchmarks.stages import Row
from squint.chrome import find_chrome
from squint.files import write_bytes
from squint.pl._style import BLUE, ORANGE, PRINT
from squint.pl._text import escape

BASE = "base"
RANDOM = "random"
SITES = {"all": "all regions", "one": "the first region", RANDOM: "as many random cells"}
KNN = "knn"  # rows of the best mean of nearest observed cells, each metric with its own K
EXTRA = ("codes_used", "zero_share", "MMD_penalised", "train_s")
COLOURS = (BLUE, "#D55E00", "#009E73", "#CC79A7")
_PANEL, _LINE, _LEFT = 165, 23, 190  # pixels: width of a metric, height of a level, room for its label


class Report(NamedTuple):
    """What somebody else measured."""

    factor: str
    source: str
    protocol: str
    figures: str


PAPER = "paper"
CODE = "its published code, run again"
TASK_A = "task A"
PROTOCOL = (
    "Task A of the paper: mouse brain (48,156 cells, MERFISH), human kidney (260,193, Xenium) and human skin "
    "(110,278, Xenium); 1,000 genes, chosen section by section; three patches of one section held out, the "
    "other sections seen whole; three seeds. Its published code masks only the held-out cells of a batch: "
    "other held-out cells are seen."
)
TRIED = "Xenium breast, 12,000 cells x 313 genes, 270 held out, 5 epochs, one seed"
REPORTED = (
    Report(
        "sites",
        f"{PAPER}, table 2",
        TASK_A,
        "PC / MMD / E with C: brain .916 / .039 / .005, kidney .869 / .019 / .003, skin .788 / .093 / .013; "
        "without C: .888 / .045 / .008, .827 / .025 / .004, .747 / .086 / .012",
    ),
    Report(
        "sites",
        f"{PAPER}, table 4",
        TASK_A,
        "MMD, random cells: brain .014, kidney .008, skin .013; 3 patches: .039, .019, .093",
    ),
    Report(
        "sites",
        CODE,
        f"{TRIED}; its own test loop, 53 % of held-out neighbours seen",
        "PC .966, PG .555, MMD .023, E .013",
    ),
    Report(
        "sites",
        CODE,
        f"{TRIED}; the same weights, strict",
        "PC .881, PG .368, MMD .115, E .077 (8 nearest observed cells: .938, .446, .016, .006)",
    ),
    Report("backbone", f"{PAPER}, figure 6", f"{TASK_A}; 20 epochs", "PC: SAGE and GIN alike, GAT far lower"),
    Report("mlp", f"{PAPER}, figure 7", TASK_A, "MMD: 2 layers better than 1 and 0"),
    Report(
        "gnn",
        f"{PAPER}, appendix B.2",
        f"{TASK_A}; graphs said to have a mean degree above 20 and a diameter above 50; table 1 gives 10.3 "
        "edges a cell",
        "2 layers little better than 1, worse beyond 3",
    ),
    Report(
        "mask",
        f"{PAPER}, figure 8",
        f"{TASK_A}; MMD plus a penalty for cells without expression",
        "MMD: learned better than zero; under the zero mask 7.2 % (brain), 3.1 % (kidney) and 9.9 % (skin) "
        "of cells express nothing",
    ),
    Report("codes", f"{PAPER}, section 4.2", TASK_A, "5,000 codes with several heads said to be used best"),
    Report("heads", CODE, "one CPU thread, steps of 128 cells", "1 head .3 to .9 s a step, 10 heads 4.6 s"),
)


def summarise(rows: Sequence[Row], of_floor: Mapping[str, Sequence[Row]]) -> pd.DataFrame:
    """Put the runs of all seeds together.

    Parameters
    ----------
    rows
        Of each run, level and section: ``factor``, ``title``, ``level``, ``section``, ``site``, ``n``,
        ``trial``, ``seed``, the scores, ``codes_used``, ``zero_share``, ``mmd_penalised`` and ``train_s``.
    of_floor
        Per site, the scores of each kNN mean (``method``) in each section.

    Returns
    -------
    A row per section, factor and level, in order of appearance: ``seeds``, their number; of each metric its
    mean and s.d. over seeds (``PC_sd``, ...); `EXTRA`, means. Then, of factor ``knn``, the best kNN mean of
    each section and site, each metric with the K that suits it (``level`` names them).
    """
    every = pd.DataFrame(list(rows)).rename(columns={**METRICS, "mmd_penalised": "MMD_penalised"})
    keys = ["section", "factor", "level"]
    if every.empty:
        table = pd.DataFrame(columns=[*keys, "title", "trial", "site", "n", "seeds"])
    else:
        groups = every.groupby(keys, sort=False)
        table = groups[["title", "trial", "site", "n"]].first().assign(seeds=groups["seed"].nunique())
        for metric in METRICS.values():
            table[metric], table[f"{metric}_sd"] = groups[metric].mean(), groups[metric].std(ddof=1)
        table = table.join(groups[list(EXTRA)].mean()).reset_index()
    floor = pd.DataFrame([row for site in of_floor.values() for row in _best(site)])
    return pd.concat([table, floor], ignore_index=True) if len(table) else floor


def _best(rows: Sequence[Row]) -> list[Row]:
    """Take the best K of each metric, in each section of one site."""
    best = []
    for section, part in pd.DataFrame(list(rows)).groupby("section", sort=False):
        row: Row = {"section": section, "factor": KNN, "title": "best kNN", "site": part["site"].iloc[0]}
        chosen = {}
        for name, metric in METRICS.items():
            scores = part[name].to_numpy()
            at = int(np.nanargmin(scores) if metric in LESS_IS_BETTER else np.nanargmax(scores))
            row[metric], chosen[metric] = scores[at], part["method"].iloc[at]
        methods = ", ".join(f"{metric} {method}" for metric, method in chosen.items())
        best.append(row | {"level": methods, "n": int(part["n"].iloc[0]), "seeds": 0})
    return best


def to_markdown(table: pd.DataFrame, sections: Sequence[Row], setting: Mapping[str, Row]) -> str:
    """Write the table for readers.

    Parameters
    ----------
    table
        From `summarise`.
    sections
        Of each: ``section``, ``n_cells``, ``n_hidden``, ``mean_degree``, ``diameter``.
    setting
        The base ``model`` and ``training``.

    Returns
    -------
    Markdown: a table a section, then what others report.
    """
    model, training = setting["model"], setting["training"]
    lines = [
        "In-painting by the tokens themselves: hidden cells enter masked, their codes are decoded, and "
        "closed neighbourhoods averaged. One choice is changed at a time from the base: "
        f"{model['backbone'].upper()}, {model['n_mlp_layers']} MLP and {model['n_hops']} GNN layers, "
        f"{model['n_codes']} codes, {model['n_heads']} head, {training['n_epochs']} epochs in steps of "
        f"{training['batch_size']} cells.",
        "",
    ]
    titles = dict(zip(table["factor"], table["title"], strict=True))
    for facts in sections:
        lines += _of_section(table[table["section"] == facts["section"]], facts)
    lines += [
        "**Reported by others: other data, another protocol; not to be compared digit by digit.**",
        "",
        "| factor | source | data and protocol | figures |",
        "|---|---|---|---|",
        *(
            f"| {' | '.join([titles[report.factor], *report[1:]])} |"
            for report in REPORTED
            if report.factor in titles
        ),
        "",
        PROTOCOL,
        "",
    ]
    return "\n".join(lines)


def _of_section(table: pd.DataFrame, facts: Row) -> list[str]:
    """Write the table of one section."""
    runs, floor = table[table["factor"] != KNN], table[table["factor"] == KNN]
    base = runs[runs["trial"] == BASE]
    shown = pd.concat([base.iloc[:1].assign(title=BASE, level=""), runs[runs["trial"] != BASE], floor])
    empty = float(runs["zero_share"].max()) if len(runs) else 0.0
    return [
        f"Section {facts['section']}, strict: {facts['n_hidden']:,} of {facts['n_cells']:,} cells hidden at "
        "once, from training and from input. Mean ± s.d. over seeds.",
        "",
        f"| factor | level | n | seeds | {' | '.join(METRICS.values())} | codes used | training s |",
        "|---|---|---|---|" + "---|" * (len(METRICS) + 2),
        *(_line(row) for _, row in shown.iterrows()),
        "",
        "Best kNN: the mean of the nearest observed cells, each metric with the K that suits it.",
        *_of_graph(runs, facts),
        f"Cells of which every predicted count rounds to zero: {empty:.1%} at most"
        + (
            ", so the penalty of appendix C.3 adds nothing to MMD."
            if empty == 0
            else "; `MMD_penalised` in the CSV adds the penalty of appendix C.3."
        ),
        "",
    ]


def _of_graph(runs: pd.DataFrame, facts: Row) -> list[str]:
    if "gnn" not in set(runs["factor"]):
        return []
    return [
        f"Graph: mean degree {facts['mean_degree']:.1f}, diameter estimated at {facts['diameter']} hops, at "
        "the least."
    ]


def _line(row: pd.Series) -> str:
    scores = []
    for metric in METRICS.values():
        digits = 4 if metric in LESS_IS_BETTER else 3
        text = f"{row[metric]:.{digits}f}"
        spread = row.get(f"{metric}_sd", np.nan)
        scores.append(f"{text} ± {spread:.{digits}f}" if np.isfinite(spread) else text)
    if row["factor"] == KNN:
        head, foot = ["best kNN", SITES[row["site"]], f"{row['n']:,}", ""], ["", ""]
    else:
        head = [row["title"], row["level"], f"{row['n']:,}", f"{row['seeds']}"]
        foot = [f"{row['codes_used']:.0f}", f"{row['train_s']:.0f}"]
    return f"| {' | '.join([*head, *scores, *foot])} |"


def draw(table: pd.DataFrame) -> go.Figure:
    """Draw every level in a row of its own, a column a metric, with s.d. over seeds and the best kNN mean.

    Parameters
    ----------
    table
        From `summarise`.
    """
    runs = table[table["factor"] != KNN]
    places, labels = _places(runs)
    figure = make_subplots(cols=len(METRICS), shared_yaxes=True, horizontal_spacing=0.018)
    sections = list(runs["section"].unique())
    for i, section in enumerate(sections):
        off = (i - (len(sections) - 1) / 2) * 0.25
        part = runs[runs["section"] == section]
        y = np.array([places[key] + off for key in zip(part["factor"], part["level"], strict=True)])
        best = table[(table["factor"] == KNN) & (table["section"] == section)].set_index("site")
        for column, metric in enumerate(METRICS.values(), start=1):
            look = {"col": column, "row": 1}
            colour = COLOURS[i % len(COLOURS)]
            figure.add_trace(_floor_marks(part, y, best, metric, first=i + column == 1), **look)
            figure.add_trace(_dots(part, y, metric, colour, escape(section), first=column == 1), **look)
        for column, metric in enumerate(METRICS.values(), start=1):
            _write_far(figure, part, y, best, metric, _span(table, metric), column)
    for column, metric in enumerate(METRICS.values(), start=1):
        figure.update_xaxes(range=_span(table, metric), row=1, col=column)
    _dress(figure, labels)
    return figure


def _span(table: pd.DataFrame, metric: str) -> list[float]:
    """Give the range of a metric, its s.d. within, and some room.

    Random cells are so much easier that they would leave no room for the rest; they are written out instead.
    """
    near = table[table["site"] != RANDOM]
    near = near if len(near) else table
    spread = near[f"{metric}_sd"].fillna(0) if f"{metric}_sd" in near else 0
    low, high = float((near[metric] - spread).min()), float((near[metric] + spread).max())
    room = 0.08 * (high - low) or 0.01
    return [low - room, high + room]


def _write_far(
    figure: go.Figure,
    part: pd.DataFrame,
    y: np.ndarray,
    best: pd.DataFrame,
    metric: str,
    span: list[float],
    column: int,
) -> None:
    """Write the scores of random cells that lie beyond the range, at its edge."""
    low, high = span
    for (_, row), height in zip(part.iterrows(), y, strict=True):
        value = row[metric]
        if low <= value <= high:
            continue
        beyond = value > high
        floor = f" (kNN {best[metric][row['site']]:.4f})" if row["site"] in best.index else ""
        text = f"{value:.4f}{floor}"
        figure.add_annotation(
            text=f"{text} ▸" if beyond else f"◂ {text}",
            x=1 if beyond else 0,
            xanchor="right" if beyond else "left",
            y=height,
            xref=f"x{'' if column == 1 else column} domain",
            yref=f"y{'' if column == 1 else column}",
            showarrow=False,
            font={"size": 11},
            bgcolor="white",
        )


def _places(runs: pd.DataFrame) -> tuple[dict[tuple[str, str], float], dict[float, str]]:
    """Give each level a height, with a headed group a factor; and the labels at the heights."""
    places: dict[tuple[str, str], float] = {}
    labels: dict[float, str] = {}
    height = 0.0
    for factor, part in runs.groupby("factor", sort=False):
        labels[height] = f"<b>{escape(part['title'].iloc[0])}</b>"
        for level in part["level"].unique():
            height += 1
            places[str(factor), str(level)] = height
            labels[height] = escape(level)
        height += 1.4
    return places, labels


def _floor_marks(
    part: pd.DataFrame, y: np.ndarray, best: pd.DataFrame, metric: str, *, first: bool
) -> go.Scatter:
    """Mark the best kNN mean of each level's hidden cells, one line as long as they are the same."""
    xs: list[float | None] = []
    ys: list[float | None] = []
    for site, height in zip(part["site"], y, strict=True):
        if site in best.index:
            value = float(best[metric][site])
            if xs and ys[-2] is not None and xs[-2] == value and height - ys[-2] < 2:
                xs, ys = xs[:-1], ys[:-1]
                ys[-1] = height + 0.5
            else:
                xs += [value, value]
                ys += [height - 0.5, height + 0.5]
            xs.append(None)
            ys.append(None)
    return go.Scatter(
        x=xs,
        y=ys,
        mode="lines",
        line={"color": ORANGE, "width": 2.5},
        name="best kNN mean of the same hidden cells",
        legendgroup=KNN,
        showlegend=first,
        hovertemplate=f"best kNN, {metric} %{{x:.4f}}<extra></extra>",
    )


def _dots(
    part: pd.DataFrame, y: np.ndarray, metric: str, colour: str, name: str, *, first: bool
) -> go.Scatter:
    return go.Scatter(
        x=part[metric],
        y=y,
        error_x={"array": part[f"{metric}_sd"].fillna(0), "thickness": 1.5, "width": 3},
        mode="markers",
        marker={"color": colour, "size": 8},
        name=f"{name}, mean ± s.d. over seeds",
        legendgroup=name,
        showlegend=first,
        customdata=part[["level", "seeds"]],
        hovertemplate=f"%{{customdata[0]}}: {metric} %{{x:.4f}}, %{{customdata[1]}} seeds<extra></extra>",
    )


def _dress(figure: go.Figure, labels: Mapping[float, str]) -> None:
    line = {"gridcolor": "rgba(128,128,128,0.25)", "zeroline": False}
    figure.update_xaxes(**line, tickfont_size=12, title_font_size=14, nticks=4, tickangle=0)
    lowest, highest = -0.7, max(labels, default=0) + 0.8
    figure.update_yaxes(
        **line,
        range=[highest, lowest],
        tickvals=list(labels),
        ticktext=list(labels.values()),
        tickfont_size=13,
    )
    for column, metric in enumerate(METRICS.values(), start=1):
        better = "less is better" if metric in LESS_IS_BETTER else "more is better"
        figure.update_xaxes(title_text=f"<b>{metric}</b><br>{better}", row=1, col=column)
    figure.update_layout(
        width=_LEFT + _PANEL * len(METRICS) + 20,
        height=round(130 + _LINE * (highest - lowest)),
        paper_bgcolor=PRINT.paper,
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": PRINT.ink, "size": 13},
        margin={"l": _LEFT, "r": 20, "t": 50, "b": 70},
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "font": {"size": 13}},
    )


def write_figure(figure: go.Figure, stem: Path) -> list[str]:
    """Write a figure as PNG and SVG, or as HTML where no Chrome draws it.

    Returns
    -------
    Names of the files.
    """
    chrome = find_chrome()
    try:
        files = {} if chrome is None else {kind: _render(figure, kind, chrome) for kind in ("png", "svg")}
    except Exception:  # noqa: BLE001 - kaleido raises whatever Chrome's death looks like
        files = {}
    files = files or {"html": plotly.io.to_html(figure, include_plotlyjs=True).encode()}
    paths = {stem.with_suffix(f".{kind}"): content for kind, content in files.items()}
    for path, content in paths.items():
        write_bytes(path, content)
    return [path.name for path in paths]


def _render(figure: go.Figure, kind: str, chrome: str) -> bytes:
    options = {
        "format": kind,
        "width": figure.layout.width,
        "height": figure.layout.height,
        "scale": 2 if kind == "png" else 1,
    }
    drawn = kaleido.calc_fig_sync(figure.to_dict(), opts=options, kopts={"path": chrome, "mathjax": False})
    return bytes(drawn)
