"""What is known of one cell, for the card beside the pointer."""

from typing import Any

import numpy as np
import pandas as pd

from app.maps.contract import Card
from app.maps.served import Served
from squint import keys
from squint.columns import UNKNOWN
from squint.library.store import Library

N_GENES = 5


def card(served: Served, panel: int, row: int) -> Card:
    """Give name and text of each thing that is known of a cell.

    Parameters
    ----------
    served
        A map.
    panel, row
        The cell: its panel on the map, and its place among that panel's cells.
    """
    view = served.view
    if not view.whole:
        return [(name, str(values[row])) for name, values in view.panels[panel].hover.items()]
    section = view.sections[panel]
    cell = view.cells.iloc[sum(earlier.n_cells for earlier in view.sections[:panel]) + row]
    lines = [("cell", str(cell["cell"])), ("section", section.title)]
    if keys.TOKEN in cell:
        lines.append(("token", served.tokens.get(str(cell[keys.TOKEN]), _token(cell[keys.TOKEN]))))
    if keys.CELL_TYPE in cell:
        lines.append(("type", UNKNOWN if pd.isna(cell[keys.CELL_TYPE]) else str(cell[keys.CELL_TYPE])))
    numbers = {keys.ACTIVATION: "activation score", keys.DISTANCE: "distance to its token"}
    lines += [(said, _number(cell[key])) for key, said in numbers.items() if key in cell]
    start = sum(earlier.n_cells for earlier in view.sections[:panel])
    lines += [
        (name, _number(values[start + row])) for name, values in view.more.items() if _is_number(values)
    ]
    what = "counts" if section.values == "counts" else "intensity"
    lines.append((what, f"{cell['n_counts']:,.0f}"))
    genes = top_genes(served.library, section.id, row)
    return [*lines, ("top genes", ", ".join(f"{gene} {count:,.0f}" for gene, count in genes))]


def _is_number(values: Any) -> bool:
    return isinstance(values, np.ndarray) and values.dtype.kind == "f"


def _token(value: Any) -> str:
    return "none" if pd.isna(value) else str(value)


def _number(value: Any) -> str:
    return "none" if pd.isna(value) else f"{value:.3g}"


def top_genes(library: Library, section_id: str, row: int, n: int = N_GENES) -> list[tuple[str, float]]:
    """Give the genes of which a cell has most counts, with the counts."""
    genes, counts = library.counts_of(section_id, row)
    best = np.argsort(-counts, kind="stable")[:n]
    return [(genes[i], float(counts[i])) for i in best if counts[i] > 0]
