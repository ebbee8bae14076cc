"""What the maps show, from the library: panels, scale, and one row per cell."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.library import Library, Section
from squint import keys
from squint.columns import UNKNOWN
from squint.pl import MAX_HIGHLIGHTED, Categories, Continuous, Panel, most_frequent, plain

_COUNTS = "counts per cell"


@dataclass(frozen=True)
class MapView:
    """A map, whoever draws it."""

    title: str
    sections: tuple[Section, ...]
    panels: tuple[Panel, ...]
    scale: Continuous | Categories
    cells: pd.DataFrame  # one row per cell of all panels
    parameters: Mapping[str, object]  # for the stamp
    linked: bool = False  # whether all panels show one place
    n: str = ""  # what is shown, if not all cells of the sections


def cells_of(
    library: Library, sections: Sequence[Section], model: str | None = None, run: str | None = None
) -> pd.DataFrame:
    """Give one row per cell: where it is, its type, its token by a model, its score in a run."""
    tables = []
    for section in sections:
        cells = library.cells(section.id).reset_index()
        cells.insert(1, keys.PATIENT, section.patient)
        cells.insert(2, keys.SECTION, section.section)
        cells["section"] = section.id
        for key in (keys.CELL_TYPE, keys.REGION):
            if key in cells:
                cells[key] = cells[key].astype(object)
        tokens = library.tokens(section.id, model) if model else None
        if tokens is not None:
            cells[keys.TOKEN] = tokens[keys.TOKEN].astype(str).to_numpy()
            cells[keys.DISTANCE] = tokens[keys.DISTANCE].to_numpy()
        if run:
            cells[keys.ACTIVATION] = library.scores(section.id, run)
        tables.append(cells)
    return pd.concat(tables, ignore_index=True)


def labels(column: "pd.Series[Any]") -> NDArray[Any]:
    """Give labels (n,) with ``None`` for missing."""
    values: NDArray[Any] = column.astype(object).where(column.notna(), None).to_numpy()
    return values


def by_token(
    sections: Sequence[Section], cells: pd.DataFrame, highlighted: Sequence[str], model: Mapping[str, Any]
) -> MapView:
    """Colour cells by token, some of them highlighted."""
    names = token_names(cells)
    scale = Categories(
        "token, main cell type, cells", tuple(highlighted)[:MAX_HIGHLIGHTED], "other tokens", names
    )
    parameters = {
        "colour": "token",
        "highlighted": ", ".join(highlighted) or "none",
        "codes": model["n_codes"],
    }
    return _view("Tokens", sections, cells, labels(cells[keys.TOKEN]), scale, parameters)


def token_names(cells: pd.DataFrame) -> dict[str, str]:
    """Name each token by its number and, where cell types are known, the most frequent one and its share."""
    names = {str(token): str(token) for token in cells[keys.TOKEN].dropna().unique()}
    if keys.CELL_TYPE in cells and cells[keys.CELL_TYPE].notna().any():
        for token, types in cells[keys.CELL_TYPE].fillna(UNKNOWN).groupby(cells[keys.TOKEN]):
            shares = types.value_counts(normalize=True)
            if shares.index[0] != UNKNOWN:
                names[str(token)] = f"{token} {plain(shares.index[0])} {shares.iloc[0]:.0%}"
    return names


def by_type(sections: Sequence[Section], cells: pd.DataFrame) -> MapView:
    """Colour cells by cell type, the most frequent ones."""
    missing = pd.Series(None, index=cells.index, dtype=object)
    values = labels(cells.get(keys.CELL_TYPE, missing))
    scale = Categories("cell type", most_frequent(values), "other types")
    return _view("Cell types", sections, cells, values, scale, {"colour": "cell type"})


def by_labels(
    title: str,
    sections: Sequence[Section],
    cells: pd.DataFrame,
    values: "pd.Series[Any]",
    scale: Categories,
) -> MapView:
    """Colour cells by any labels (n,)."""
    what = scale.title.split(",")[0]
    parameters = {"colour": what, "highlighted": ", ".join(scale.highlighted)}
    shown = cells.assign(**{what: values})
    return _view(title, sections, shown, labels(values), scale, parameters)


def by_number(
    title: str, sections: Sequence[Section], cells: pd.DataFrame, values: NDArray[np.float32]
) -> MapView:
    """Colour cells by any number (n,), from 0 up; NaN is grey."""
    scale = Continuous(title, 0, _nice_top(values))
    return _view(title, sections, cells.assign(**{title: values}), values, scale, {"colour": title})


def by_depth(sections: Sequence[Section], cells: pd.DataFrame) -> MapView:
    """Colour cells by their number of counts."""
    values = cells["n_counts"].to_numpy(dtype=np.float32)
    scale = Continuous(_COUNTS, 0, _nice_top(values))
    return _view("Counts per cell", sections, cells, values, scale, {"colour": _COUNTS})


def by_gene(library: Library, sections: Sequence[Section], cells: pd.DataFrame, gene: str) -> MapView:
    """Colour cells by the counts of a gene; sections that lack it are grey."""
    found = [(library.gene(section.id, gene), section.n_cells) for section in sections]
    values = np.concatenate([np.full(n, np.nan, np.float32) if c is None else c for c, n in found])
    scale = Continuous(f"{gene}, counts", 0, _nice_top(values))
    parameters = {"colour": f"counts of {gene}", "scale": f"0 to {scale.high:g} (99.5th percentile)"}
    return _view(
        f"Gene {gene}", sections, cells.assign(**{f"counts {gene}": values}), values, scale, parameters
    )


def by_activation(
    sections: Sequence[Section], cells: pd.DataFrame, thresholds: tuple[float, float], how: Mapping[str, Any]
) -> MapView:
    """Colour cells by activation score, on one scale from 0 to 1."""
    values = cells[keys.ACTIVATION].to_numpy(dtype=np.float32)
    scale = Continuous("activation score", 0, 1, thresholds)
    parameters = {
        "reference patient": how["reference"],
        "codes": f"{', '.join(how['codes'])} ({how['mode']}"
        + (f" against {how['against']})" if how["against"] else ")"),
        "share of the reference's cells covered": f"{how['share_covered']:.1%}",
        "score": "share of the closed 1-hop neighbourhood that carries one of the codes",
        "low": f"below {thresholds[0]:g}",
        "high": f"above {thresholds[1]:g}",
    }
    return _view("Risk map: activation score", sections, cells, values, scale, parameters)


def _nice_top(values: NDArray[np.float32]) -> float:
    present = values[~np.isnan(values)]
    return float(max(1.0, np.ceil(np.quantile(present, 0.995)))) if len(present) else 1.0


def _view(
    title: str,
    sections: Sequence[Section],
    cells: pd.DataFrame,
    values: NDArray[Any],
    scale: Continuous | Categories,
    parameters: Mapping[str, object],
) -> MapView:
    panels = []
    for section in sections:
        here = (cells["section"] == section.id).to_numpy()
        part = cells[here]
        panels.append(
            Panel(
                title=section.title + (" (simulated)" if section.simulated else ""),
                coordinates=part[["x", "y"]].to_numpy(dtype=np.float64),
                values=values[here],
                unit=section.unit,
                hover={name: make(part) for name, (key, make) in _HOVER.items() if key in part},
            )
        )
    table = cells.drop(columns="section").assign(unit=cells["section"].map({s.id: s.unit for s in sections}))
    return MapView(title, tuple(sections), tuple(panels), scale, table, parameters)


_HOVER: Mapping[str, tuple[str, Callable[[pd.DataFrame], NDArray[Any]]]] = {
    "cell": ("cell", lambda part: part["cell"].to_numpy()),
    "token": (keys.TOKEN, lambda part: part[keys.TOKEN].fillna("none").to_numpy()),
    "type": (keys.CELL_TYPE, lambda part: part[keys.CELL_TYPE].fillna(UNKNOWN).to_numpy()),
    "activation score": (keys.ACTIVATION, lambda part: part[keys.ACTIVATION].round(2).to_numpy()),
    "counts": ("n_counts", lambda part: part["n_counts"].astype(int).to_numpy()),
}
