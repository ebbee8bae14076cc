"""How diverse sections are: effective numbers of kinds, beside each other, with their intervals."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from squint.pl._charts import _layout
from squint.pl._style import LIGHT, Style
from squint.pl._text import escape

NUMBERS = {
    "richness": "kinds",
    "shannon": "effective number (Shannon)",
    "simpson": "… of common ones (Simpson)",
}
_ROW = 34  # pixels of a section
_LETTER = 7.2
_ROLES = ("reference", "against", "new")


def section_diversity(
    table: pd.DataFrame,
    *,
    names: Mapping[str, str] | None = None,
    marked: Mapping[str, str] | None = None,
    style: Style = LIGHT,
) -> go.Figure:
    """Draw the effective numbers of kinds of each section, one section a row.

    Parameters
    ----------
    table
        One row a section, the first on top: ``n_cells``; and ``richness``, ``shannon``, ``simpson`` with the
        ends of their intervals, ``richness_low``, ``richness_high`` and so on, NaN where they are not known.
    names
        Section -> what it is called in the figure.
    marked
        Section -> ``"reference"``, ``"against"`` or ``"new"``, said beside it and shown by colour and form.
    style
        Colours of the page.

    Returns
    -------
    A figure of three panels, each from zero on a scale of its own.
    """
    figure = make_subplots(1, len(NUMBERS), shared_yaxes=True, horizontal_spacing=0.04)
    sections = [str(one) for one in table.index]
    roles = [(marked or {}).get(one, "") for one in sections]
    tones = dict(zip(_ROLES, style.categories[:3], strict=True))
    forms = dict(zip(_ROLES, ("diamond", "square", "triangle-up"), strict=True))
    colours = [tones.get(role, style.missing) for role in roles]
    labels = [
        f"{escape((names or {}).get(one, one))}" + (f" · <b>{role}</b>" if role else "")
        for one, role in zip(sections, roles, strict=True)
    ]
    for column, (number, what) in enumerate(NUMBERS.items(), start=1):
        value, low, high = (
            table[name].to_numpy(dtype=float) for name in (number, f"{number}_low", f"{number}_high")
        )
        known = np.isfinite(low) & np.isfinite(high)
        said = [
            f"{a:.1f} to {b:.1f}, {n:,} cells" if sure else f"no interval, {n:,} cells"
            for a, b, sure, n in zip(low, high, known, table["n_cells"], strict=True)
        ]
        figure.add_scatter(
            x=value,
            y=list(range(len(sections))),
            mode="markers",
            error_x={
                "type": "data",
                "symmetric": False,
                "array": np.where(known, high - value, 0),
                "arrayminus": np.where(known, value - low, 0),
                "color": style.ink,
                "thickness": 1.5,
                "width": 4,
            },
            marker={
                "size": 11,
                "color": colours,
                "symbol": [forms.get(role, "circle") for role in roles],
                "line": {"width": 1, "color": style.ink},
            },
            customdata=said,
            hovertext=[escape((names or {}).get(one, one)) for one in sections],
            hovertemplate="<b>%{hovertext}</b>: %{x:.1f}<br>%{customdata}<extra></extra>",
            showlegend=False,
            row=1,
            col=column,
        )
        top = np.nanmax([1.0, *value, *high[known]])
        figure.update_xaxes(title=what, range=[0, 1.06 * top], row=1, col=column)
    figure.update_yaxes(
        tickvals=list(range(len(sections))),
        ticktext=labels,
        range=[len(sections) - 0.4, -0.6],
        zeroline=False,
        tickfont_size=12,
    )
    longest = max(len(label.replace("<b>", "").replace("</b>", "")) for label in labels)
    return _layout(figure, style, 84 + _ROW * len(sections)).update_layout(
        margin={"l": _LETTER * longest + 16, "t": 12}
    )
