"""The sets of cells that make a panel, each drawn in one go."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from squint.pl._panel import Categories, Continuous, Panel
from squint.pl._style import MAX_HIGHLIGHTED, Style
from squint.pl._text import escape

MEASURED, IMPUTED, REST, MISSING = 999, 1_000, 1_001, 1_002  # places in the legend after all labels


@dataclass(frozen=True)
class Layer:
    """Cells of one panel that look alike, or share a colour scale."""

    cells: NDArray[np.bool_]  # (n,) of the panel
    name: str
    colour: str | None = None  # None: by value, on the colour scale
    hollow: bool = False
    rank: int = 0
    outlined: bool = False  # predicted, not measured
    listed: bool = False  # in the legend although it has no colour of its own


def layers(
    panels: Sequence[Panel], panel: Panel, scale: Continuous | Categories, style: Style
) -> Iterator[Layer]:
    """Yield the layers of one panel, the least important first; names count the cells of all panels."""
    if panel.missing.any():
        n_missing = sum(int(p.missing.sum()) for p in panels)
        # Rings stand out; where most cells lack a value, those that have one are what to see.
        few = n_missing < sum(len(p.missing) for p in panels) / 2
        colour = style.missing if few else style.rest
        yield Layer(
            panel.missing, f"{escape(panel.missing_name)} · {n_missing:,}", colour, hollow=few, rank=MISSING
        )
    if isinstance(scale, Categories):
        yield from _category_layers(panels, panel, scale, style)
    elif not panel.missing.all():
        yield from _value_layers(panels, panel)


def _value_layers(panels: Sequence[Panel], panel: Panel) -> Iterator[Layer]:
    """Yield the measured cells and then, above them, those whose number is a prediction."""
    n_predicted = max(int(p.predicted.sum()) for p in panels)
    measured = ~panel.missing & ~panel.predicted
    if measured.any():
        yield Layer(measured, "measured" if n_predicted else "value", rank=MEASURED, listed=n_predicted > 0)
    if panel.predicted.any():
        name = f"in-painted · {n_predicted:,}"
        yield Layer(panel.predicted, name, rank=IMPUTED, outlined=True, listed=True)


def _category_layers(
    panels: Sequence[Panel], panel: Panel, scale: Categories, style: Style
) -> Iterator[Layer]:
    highlighted = scale.highlighted[:MAX_HIGHLIGHTED]
    rest = ~panel.has(highlighted) & ~panel.missing
    if rest.any():
        n_labelled = sum(int((~p.missing).sum()) for p in panels)
        n_rest = n_labelled - sum(p.n_of(label) for p in panels for label in highlighted)
        yield Layer(rest, f"{escape(scale.rest)} · {n_rest:,}", style.rest, rank=REST)
    for rank, (label, colour) in enumerate(scale.coloured(style)):
        cells = panel.has([label])
        if cells.any():
            name = escape(scale.names.get(label, label))
            yield Layer(cells, f"{name} · {sum(p.n_of(label) for p in panels):,}", colour, rank=rank)
