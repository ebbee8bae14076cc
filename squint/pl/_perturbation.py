"""What a computed perturbation moved: tokens before and after, who went where, and what shams do."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from squint.pl._charts import _layout
from squint.pl._style import BLUE, LIGHT, ORANGE, Style
from squint.pl._text import escape

_ROW, _COLUMN = 30, 46  # pixels of a token in the table of transitions
_LEFT, _ABOVE, _BELOW, _BAR = 230, 64, 64, 110
_LETTER = 7.2  # pixels
_BINS = 40


def perturbation_bars(
    result: Mapping[str, Any], *, names: Mapping[str, str] | None = None, style: Style = LIGHT
) -> go.Figure:
    """Draw which tokens the affected cells have before and after, those of the highest score first.

    Parameters
    ----------
    result
        What :func:`squint.tl.perturb` wrote to ``uns["squint_perturbation"]``.
    names
        Token -> what it is in plain words, shown under the pointer.
    style
        Colours of the page.

    Returns
    -------
    A figure with two bars for each token, in per cent of the affected cells.
    """
    table = _in_use(result)
    n_cells = int(result["n_affected"])
    tokens = [str(token) for token in table.index]
    figure = go.Figure()
    for column, colour in (("before", BLUE), ("after", ORANGE)):
        figure.add_bar(
            x=list(range(len(tokens))),
            y=100 * table[column] / max(n_cells, 1),
            name=f"{column} · {n_cells:,} affected cells",
            marker={"color": colour},
            customdata=[
                f"<b>{escape((names or {}).get(token, token))}</b><br>{column}: {n:,} of {n_cells:,} cells"
                f"<br>{_score_in_words(row)}"
                for token, n, (_, row) in zip(tokens, table[column], table.iterrows(), strict=True)
            ],
            hovertemplate="%{customdata}<extra></extra>",
        )
    figure.update_xaxes(
        title="token, from the highest programme score to the lowest; * too few cells for a score",
        tickvals=list(range(len(tokens))),
        ticktext=[
            escape(token) + ("*" if np.isnan(score) else "") for token, score in table["score"].items()
        ],
        showgrid=False,
        zeroline=False,
    )
    figure.update_yaxes(title="% of affected cells", rangemode="tozero")
    return _layout(figure, style, 360).update_layout(barmode="group", bargap=0.25)


def perturbation_transitions(
    result: Mapping[str, Any], *, names: Mapping[str, str] | None = None, style: Style = LIGHT
) -> go.Figure:
    """Draw where the affected cells of each token went: rows sum to 1, and who stayed is left out.

    Parameters
    ----------
    result
        What :func:`squint.tl.perturb` wrote to ``uns["squint_perturbation"]``.
    names
        Token -> what it is in plain words, written beside it.
    style
        Colours of the page.

    Returns
    -------
    A figure of fixed size, tokens of the highest score first, with the number of cells that went in each row.
    """
    order = [str(token) for token in _in_use(result).index]
    counts: pd.DataFrame = result["transitions"].reindex(index=order, columns=order, fill_value=0)
    shares: pd.DataFrame = result["transition_shares"].reindex(index=order, columns=order)
    went = counts.to_numpy() * ~np.eye(len(order), dtype=bool)
    rows, columns = went.sum(axis=1) > 0, went.sum(axis=0) > 0  # of the diagonal nothing is left
    shares, went = shares.loc[rows, columns], went[rows][:, columns]
    labels = [
        f"{escape((names or {}).get(token, token))} · n = {n:,}"
        for token, n in zip(shares.index, went.sum(axis=1), strict=True)
    ]
    grid = np.where(went > 0, shares.to_numpy(), np.nan)
    texts = [
        [f"{share:.0%} ({n:,} cells)" if n else "" for share, n in zip(*row, strict=True)]
        for row in zip(shares.to_numpy(), went, strict=True)
    ]
    figure = go.Figure(
        go.Heatmap(
            z=grid,
            x=list(range(grid.shape[1])),
            y=list(range(grid.shape[0])),
            text=texts,
            customdata=[[f"{a} → {b}" for b in shares.columns] for a in shares.index],
            hovertemplate="token %{customdata}<br>%{text}<extra></extra>",
            colorscale="Viridis",
            zmin=0,
            zmax=1,
            xgap=1,
            ygap=1,
            colorbar={
                "title": {"text": "share of those<br>that went<br> <br> ", "font": {"size": 12}},
                "tickfont": {"size": 12, "color": style.ink},
                "tickformat": ".0%",
                "thickness": 14,
                "outlinewidth": 0,
                "lenmode": "pixels",
                "len": max(150, min(260, _ROW * len(labels))),
                "y": 1,
                "yanchor": "top",
            },
        )
    )
    figure.update_xaxes(
        title="token after",
        tickvals=list(range(grid.shape[1])),
        ticktext=[escape(token) for token in shares.columns],
        side="bottom",
        tickangle=0,
    )
    figure.update_yaxes(tickvals=list(range(len(labels))), ticktext=labels, range=[len(labels) - 0.5, -0.5])
    left = 24 + _LETTER * max(map(len, labels), default=10)
    _layout(figure, style, _ABOVE + _BELOW + max(170, _ROW * len(labels)))
    figure.update_layout(
        width=round(max(420, left + _BAR + _COLUMN * grid.shape[1])),
        margin={"l": left, "r": _BAR, "t": _ABOVE, "b": _BELOW},
        title={
            "text": f"<b>{int(went.sum()):,} of {int(result['n_affected']):,} affected cells went</b><br>"
            "from the token of the row to that of the column",
            "font": {"size": 13},
            "x": 0,
            "xref": "paper",
            "y": 1,
            "yanchor": "top",
        },
        title_pad={"t": 12},
    )
    return figure.update_xaxes(showgrid=False, zeroline=False).update_yaxes(showgrid=False, zeroline=False)


def perturbation_shams(result: Mapping[str, Any], *, style: Style = LIGHT) -> go.Figure:
    """Draw the responses of the shams, and the one observed among them.

    Parameters
    ----------
    result
        What :func:`squint.tl.perturb` wrote to ``uns["squint_perturbation"]``.
    style
        Colours of the page.

    Returns
    -------
    A histogram with a line at the response, and one where the same replacement without any shift lies.
    """
    values = result["shams"]["response"].dropna().to_numpy(dtype=float)
    observed, still = float(result["response"]), float(result["still"])
    ends = [value for value in (*values, observed, still) if np.isfinite(value)]
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    room = 0.04 * max(high - low, 1e-6)
    counts, edges = np.histogram(values, _BINS, (low - room, high + room))
    figure = go.Figure(
        go.Bar(
            x=(edges[1:] + edges[:-1]) / 2,
            y=counts,
            width=edges[1] - edges[0],
            marker={"color": BLUE, "line": {"width": 0}},
            name=f"{len(values):,} shams",
            hovertemplate="%{x:.3f}: %{y:,} shams<extra></extra>",
        )
    )
    top = max(int(counts.max(initial=0)), 1)
    for value, name, colour, dash in (
        (observed, f"response {observed:+.3f}", ORANGE, "solid"),
        (still, f"replaced by their own mean {still:+.3f}", style.ink, "dot"),
    ):
        if np.isfinite(value):
            figure.add_scatter(
                x=[value, value],
                y=[0, 1.08 * top],
                mode="lines",
                line={"color": colour, "width": 3 if dash == "solid" else 2, "dash": dash},
                name=name,
                hoverinfo="name",
            )
    figure.update_xaxes(title="mean change in the token's programme score, over the affected cells")
    figure.update_yaxes(title="shams", rangemode="tozero")
    return _layout(figure, style, 340).update_layout(bargap=0, showlegend=True)


def _in_use(result: Mapping[str, Any]) -> pd.DataFrame:
    """Give the tokens that affected cells have before or after, the highest score first."""
    table: pd.DataFrame = result["tokens"]
    used = table[(table["before"] > 0) | (table["after"] > 0)]
    return used.sort_values("score", ascending=False, kind="stable", na_position="last")


def _score_in_words(row: "pd.Series[Any]") -> str:
    n_cells = int(row["n_cells"])
    if np.isnan(row["score"]):
        return f"no score: {n_cells:,} responders have it"
    return f"score {row['score']:.3f}, of {n_cells:,} responders"
