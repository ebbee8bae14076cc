"""Sections below each other: what their cells are, and how their scores are spread."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from squint.pl._charts import _layout
from squint.pl._style import LIGHT, MAX_HIGHLIGHTED, Style
from squint.pl._text import escape

N_BINS = 20
_ROW, _RIDGE = 30, 46  # pixels of a section
_LETTER = 7.2
_HIGHEST = 0.9  # of the height of a row, that the highest bar of all fills


def section_composition(
    shares: pd.DataFrame,
    n_cells: Mapping[str, int],
    *,
    names: Mapping[str, str] | None = None,
    kinds: Mapping[str, str] | None = None,
    colours: Mapping[str, str] | None = None,
    style: Style = LIGHT,
) -> go.Figure:
    """Draw what the cells of each section are, as stacked bars.

    Parameters
    ----------
    shares
        Sections as rows, tokens or cell types as columns; each row adds up to 1. The seven that are most
        common over sections are in colour, all others together in grey.
    n_cells
        Section -> cells that the shares are of.
    names, kinds
        What sections, and tokens or types, are called in the figure.
    colours
        Of some of the kinds; others get those of the page.
    style
        Colours of the page.

    Returns
    -------
    A figure with a bar for each section, the first on top.
    """
    common = shares.mean().sort_values(ascending=False, kind="stable")
    shown = list(common.index[: MAX_HIGHLIGHTED - 1])
    table = shares[shown].assign(**{"": shares.drop(columns=shown).sum(axis=1)})
    labels = [_label(str(one), names, n_cells[str(one)]) for one in table.index]
    figure = go.Figure()
    for rank, kind in enumerate(table.columns):
        rest = kind == ""
        if rest and table[kind].max() <= 0:
            continue
        figure.add_bar(
            y=labels,
            x=100 * table[kind],
            orientation="h",
            name=f"{shares.shape[1] - len(shown)} others" if rest else _name(str(kind), kinds),
            marker={
                "color": style.rest if rest else (colours or {}).get(str(kind), style.categories[rank]),
                "line": {"width": 0},
            },
            hovertemplate="%{x:.1f} %<extra>%{fullData.name}</extra>",
        )
    figure.update_xaxes(title="% of the section's cells", range=[0, 100])
    figure.update_yaxes(autorange="reversed", tickfont_size=12, showgrid=False)
    figure = _layout(figure, style, 150 + _ROW * len(table))
    return figure.update_layout(
        barmode="stack",
        bargap=0.25,
        legend_traceorder="normal",
        margin_l=_LETTER * max(map(len, labels)) + 16,
    )


def activation_by_section(
    scores: pd.DataFrame,
    *,
    low: float = 0.25,
    high: float = 0.75,
    names: Mapping[str, str] | None = None,
    marked: Mapping[str, str] | None = None,
    style: Style = LIGHT,
) -> go.Figure:
    """Draw how the activation scores of each section are spread, one section a row, with both thresholds.

    Parameters
    ----------
    scores
        ``section``, ``score`` in [0, 1] and ``n``, the cells of the section with that score.
    low, high
        Thresholds: low is below the first, high is above the second.
    names
        Section -> what it is called in the figure.
    marked
        Section -> ``"reference"``, ``"against"`` or ``"new"``, said beside it and shown by its colour.
    style
        Colours of the page.

    Returns
    -------
    A figure. Heights are square roots of shares, on one scale: else all but the lowest scores would be flat.
    """
    edges = np.linspace(0, 1, N_BINS + 1)
    sections = list(dict.fromkeys(scores["section"].astype(str)))
    figure, labels, said = go.Figure(), [], []
    by_section = {str(one): part for one, part in scores.groupby("section", observed=True, sort=False)}
    heights = {}
    for section, part in by_section.items():
        counts, _ = np.histogram(part["score"], edges, weights=part["n"])
        heights[section] = counts / max(counts.sum(), 1)
    top = np.sqrt(max(height.max() for height in heights.values()) or 1.0)
    tones = dict(zip(("reference", "against", "new"), style.categories[:3], strict=True))
    for row, section in enumerate(sections):
        part, share = by_section[section], heights[section]
        n_cells = int(part["n"].sum())
        what = (marked or {}).get(section, "")
        base = len(sections) - 1 - row
        up = base + _HIGHEST * np.sqrt(share) / top
        x = np.repeat(edges, 2)[1:-1]
        figure.add_scatter(
            x=np.concatenate([[0], x, [1, 0]]),
            y=np.concatenate([[base], np.repeat(up, 2), [base, base]]),
            fill="toself",
            mode="lines",
            line={"color": style.ink, "width": 0.75},
            fillcolor=tones.get(what, style.missing),
            hoverinfo="skip",
            showlegend=False,
            name=section,
        )
        above, below = (
            part.loc[rows, "n"].sum() / max(n_cells, 1)
            for rows in (part["score"] > high, part["score"] < low)
        )
        labels.append(_label(section, names, n_cells) + (f"<br><b>{what}</b>" if what else ""))
        said.append(f"{below:.1%} · {above:.1%}")
        figure.add_scatter(
            x=(edges[1:] + edges[:-1]) / 2,
            y=np.full(N_BINS, base + 0.1),
            mode="markers",
            marker={"size": 16, "color": "rgba(0,0,0,0)"},
            customdata=100 * share,
            hovertemplate="%{customdata:.1f} % of cells<extra></extra>",
            showlegend=False,
            name="targets",
        )
    for threshold in (low, high):
        figure.add_vline(threshold, line={"color": style.ink, "width": 2, "dash": "dash"})
    places = list(range(len(sections)))[::-1]
    for place, text in zip(places, said, strict=True):
        figure.add_annotation(
            x=1.01, y=place + 0.3, text=text, xref="paper", xanchor="left", showarrow=False, font={"size": 12}
        )
    figure.add_annotation(
        x=1.01,
        y=len(sections) - 0.02,
        text=f"<b>&lt; {low:g} · &gt; {high:g}</b>",
        xref="paper",
        xanchor="left",
        yanchor="bottom",
        showarrow=False,
        font={"size": 12},
    )
    figure.update_xaxes(title="activation score", range=[0, 1], tickvals=[0, 0.25, 0.5, 0.75, 1])
    figure.update_yaxes(
        tickvals=[place + 0.3 for place in places],
        ticktext=labels,
        range=[-0.05, len(sections) + 0.02],
        showgrid=False,
        zeroline=False,
        tickfont_size=12,
    )
    longest = max(len(label.split("<br>")[0]) for label in labels)
    return _layout(figure, style, 110 + _RIDGE * len(sections)).update_layout(
        margin={"l": _LETTER * longest + 16, "r": 130}
    )


def _label(section: str, names: Mapping[str, str] | None, n_cells: int) -> str:
    return f"{escape((names or {}).get(section, section))} · {n_cells:,}"


def _name(kind: str, kinds: Mapping[str, str] | None) -> str:
    return escape((kinds or {}).get(kind, kind))
