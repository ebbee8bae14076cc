"""How well held-out cells were in-painted: levels down, groups of genes across, model beside kNN."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import plotly.colors
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from squint.pl._charts import _layout
from squint.pl._style import LIGHT, Style
from squint.pl._text import escape

_ROW = 30  # pixels of a level
_STEP = 0.02  # the scale of differences is never finer
_DIVERGING = "PuOr_r"  # ColorBrewer: purple below, orange above, told apart by colour-blind readers
_SCALE = "Viridis"
_BAR = {"thickness": 14, "outlinewidth": 0, "orientation": "h", "y": 0, "yanchor": "top", "ypad": 62}
_PALE = 140  # brightness of a colour (0 to 255) that is written on in black


def imputation_quality(quality: pd.DataFrame, target: str, *, style: Style = LIGHT) -> go.Figure:
    """Draw the table of :func:`squint.tl.imputation_quality` as figure 3a of the paper, beside the best kNN.

    Parameters
    ----------
    quality
        What the tool wrote to ``uns["squint_imputation_quality"]``.
    target
        ``"cell"`` or ``"neighbourhood"``.
    style
        Colours of the page.

    Returns
    -------
    Three heat maps, levels down (the highest on top) and groups of genes across: mean Pearson correlation of
    the model and of the best kNN on one colour scale, and the difference, on a scale about 0. Cells say their
    number; without one they are empty.

    Raises
    ------
    ValueError
        If the table has no such target.
    """
    rows = quality[quality["target"] == target]
    if rows.empty:
        raise ValueError(f"the table holds no target {target!r}")
    model, knn = (_square(rows[rows["method"] == method]) for method in ("model", "knn"))
    lowest = float(np.nanmin([model.min(axis=None), knn.min(axis=None), 0]))
    widest = max(_STEP, float(np.nanmax((model - knn).abs().to_numpy(), initial=0)))
    shared, about_zero = _Colours(_SCALE, lowest, 1), _Colours(_DIVERGING, -widest, widest)
    figure = make_subplots(1, 3, shared_yaxes=True, horizontal_spacing=0.02)
    k = int(rows.loc[rows["method"] == "knn", "k"].iloc[0])
    nearest = f"mean of the {k} nearest observed cells" if k > 1 else "nearest observed cell"
    _add_panel(figure, 1, "model", model, shared, style)
    _add_panel(figure, 2, nearest, knn, shared, style)
    _add_panel(figure, 3, "model, less nearest cells", model - knn, about_zero, style)
    _say_floor(figure, rows, style)
    _layout(figure, style, height=220 + _ROW * len(model))
    figure.update_xaxes(showgrid=False, tickangle=0, tickfont_size=12)
    figure.update_xaxes(title_text="groups of genes, best predicted first", row=1, col=2)
    figure.update_yaxes(showgrid=False, automargin=True)
    known = bool(rows["z_um"].notna().any())
    figure.update_yaxes(title_text=("z, µm" if known else "level") + " · held-out cells", row=1, col=1)
    return figure.update_layout(
        margin={"t": 76, "b": 110},
        showlegend=False,
        coloraxis={**shared.axis("mean Pearson correlation", style, x=0.325, length=0.5)},
        coloraxis2={**about_zero.axis("difference", style, x=0.84, length=0.3)},
    )


class _Colours(NamedTuple):
    """A colour scale and its ends."""

    palette: str
    low: float
    high: float

    def axis(self, title: str, style: Style, *, x: float, length: float) -> dict[str, Any]:
        """Give the scale as plotly draws it."""
        return {
            "cmin": self.low,
            "cmax": self.high,
            "colorscale": self.palette,
            "colorbar": {
                **_BAR,
                "x": x,
                "len": length,
                "tickfont": {"size": 12, "color": style.ink},
                "title": {"text": title, "side": "bottom", "font": {"size": 13}},
            },
        }

    def ink(self, values: NDArray[np.float64]) -> list[str]:
        """Choose black or white (n,), whichever can be read on the colour of each value."""
        share = np.clip((values - self.low) / (self.high - self.low), 0, 1)
        rgb = np.array(plotly.colors.sample_colorscale(self.palette, share, colortype="tuple"))
        bright = 255 * rgb @ [0.299, 0.587, 0.114]
        return ["#000000" if pale else "#FFFFFF" for pale in bright > _PALE]


def _square(rows: pd.DataFrame) -> pd.DataFrame:
    """Put the correlations of one method in a table of levels, the lowest first, and groups of genes."""
    n_cells = rows.groupby("level", sort=False)["n_cells"].first()
    z = rows.groupby("level", sort=False)["z_um"].first()
    table = rows.pivot_table(index="level", columns="group", values="pearson", sort=False, dropna=False)
    table = table.loc[n_cells.index, list(dict.fromkeys(rows["group"]))]
    table.index = pd.Index(
        [
            f"{f'{z[name]:g}' if np.isfinite(z[name]) else escape(name)} · n {n_cells[name]:,}"
            for name in table.index
        ]
    )
    return table


def _add_panel(
    figure: go.Figure, column: int, title: str, values: pd.DataFrame, colours: _Colours, style: Style
) -> None:
    """Add a heat map with its numbers and title."""
    here = {"row": 1, "col": column}
    axis = "coloraxis2" if column == 3 else "coloraxis"
    x, y = list(values.columns), list(values.index)
    heat = go.Heatmap(
        x=x, y=y, z=values.to_numpy(), coloraxis=axis, xgap=1, ygap=1, hovertemplate=_hover(column == 3)
    )
    figure.add_trace(heat, **here)
    row, group = np.nonzero(np.isfinite(values.to_numpy()))
    shown = values.to_numpy()[row, group]
    figure.add_scatter(
        x=[x[i] for i in group],
        y=[y[i] for i in row],
        mode="text",
        text=[_write(value, signed=column == 3) for value in shown],
        textfont={"size": 12, "color": colours.ink(shown)},
        hoverinfo="skip",
        **here,
    )
    figure.add_annotation(
        text=f"<b>{title}</b>",
        xref=f"x{'' if column == 1 else column} domain",
        yref="paper",
        x=0,
        y=1,
        xanchor="left",
        yanchor="bottom",
        showarrow=False,
        font={"size": 13, "color": style.ink},
    )


def _hover(signed: bool) -> str:  # noqa: FBT001 - one of two ways to write a number
    return f"%{{y}}, %{{x}} genes: %{{z:{'+.3f' if signed else '.3f'}}}<extra></extra>"


def _write(value: float, *, signed: bool) -> str:
    if not signed:
        return f"{value:.2f}"
    return "0.000" if round(value, 3) == 0 else f"{value:+.3f}"


def _say_floor(figure: go.Figure, rows: pd.DataFrame, style: Style) -> None:
    """Say how much of a neighbourhood's correlation is there before anything is predicted."""
    floor = rows[(rows["method"] == "nothing") & (rows["group"] == rows["group"].iloc[-1])]
    if floor.empty:
        return
    figure.add_annotation(
        text=f"Most of a neighbourhood is observed: without any prediction the correlation over "
        f"{escape(floor['group'].iloc[0])} genes is {floor['pearson'].mean():.2f} already.",
        xref="paper",
        yref="paper",
        x=0,
        y=1,
        yshift=26,
        xanchor="left",
        yanchor="bottom",
        showarrow=False,
        font={"size": 13, "color": style.ink},
    )
