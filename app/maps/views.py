"""What the maps show, from the library: panels, scale, and one row per cell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.cell_sets.names import free_name
from app.cell_sets.store import CellSet, CellSets
from app.exports.stamp import codes_in_words
from app.maps import shared
from app.maps import tables as columns
from app.maps.type_colours import type_colours
from app.models import ModelFacts
from squint import keys
from squint.columns import token_names
from squint.library.results import scores_path
from squint.library.store import CELLS, LIBRARY_ID, Library, Section
from squint.library.token_naming import NUMBER
from squint.library.transcripts import Spots
from squint.library.types_in_use import renamed
from squint.pl import LIGHT, MAX_HIGHLIGHTED, Categories, Continuous, Panel, Style, most_frequent

NO_VALUE, NO_TOKEN, NO_TYPE = (
    "no value",
    "no token",
    "no name",
)  # what the legend says of cells that lack what is shown
IN_NONE, IN_SEVERAL = "in none of them", "in several of them"


@dataclass(frozen=True)
class MapView:
    """A map, whoever draws it."""

    title: str
    sections: tuple[Section, ...]
    panels: tuple[Panel, ...]
    scale: Continuous | Categories
    cells: pd.DataFrame  # one row per cell of all panels; many maps have the same, which is not to be changed
    parameters: Mapping[str, object]  # for the stamp
    linked: bool = False  # whether all panels show one place
    n: str = ""  # what is shown, if not all cells of the sections
    whole: bool = False  # whether each panel shows one of the sections, all of its cells in their order
    more: Mapping[str, Any] = field(default_factory=dict)  # columns (n,) for the export, of this map alone
    transcripts: Sequence[Sequence[Spots]] = ()  # of chosen genes, of each panel; or none at all

    def gene_colours(self, style: Style) -> dict[str, str]:
        """Give each gene whose transcripts are shown its colour, the same in all panels."""
        genes = dict.fromkeys(spots.gene for own in self.transcripts for spots in own)
        return dict(zip(genes, style.categories, strict=False))

    @property
    def table(self) -> pd.DataFrame:
        """One row per cell, for export."""
        if LIBRARY_ID not in self.cells:
            return self.cells
        units = {section.id: section.unit for section in self.sections}
        unit = self.cells[LIBRARY_ID].map(units)
        return self.cells.drop(columns=LIBRARY_ID).assign(**self.more, unit=unit)


def cells_of(
    library: Library, sections: Sequence[Section], model: str | None = None, run: str | None = None
) -> pd.DataFrame:
    """Give one row per cell: where it is, its type, its token by a model, its score in a run.

    Labels are categories. ``library_id`` is the section's hash, ``section_id`` its name. All who ask for the
    same sections have the same table, which is not to be changed.
    """
    with_tokens = set(library.tokenised(sections, model)) if model else set()
    parts = tuple(
        _Part.of(library, section, model if section in with_tokens else None, run) for section in sections
    )
    return columns.stacked(parts, lambda: columns.stack([part.read() for part in parts]))


@dataclass(frozen=True)
class _Part:
    """Where the cells of a section are, and what more is known of them."""

    id: str
    patient: str
    section: str
    cells: columns.Stamp
    named: bool  # whether its types are not those of its file ...
    types: columns.Stamp | None  # ... but these; None: none
    tokens: columns.Stamp | None
    scores: columns.Stamp | None

    @classmethod
    def of(cls, library: Library, section: Section, model: str | None, run: str | None) -> "_Part":
        """Look where they are; a file that is damaged is refused."""
        checked, named = library.files.checked, section.named.file if section.named else ""
        return cls(
            section.id,
            section.patient,
            section.section,
            columns.stamp(library.path(section.id, CELLS)),
            section.named is not None,
            columns.stamp(library.path(section.id, named)) if named else None,
            columns.stamp(checked(library.tokens_path(section.id, model))) if model else None,
            columns.stamp(checked(scores_path(library, run, section.id))) if run else None,
        )

    def read(self) -> pd.DataFrame:
        """Give one row per cell."""
        cells = columns.read(self.cells).copy(deep=False)
        cells.insert(1, keys.PATIENT, columns.constant(self.patient, len(cells)))
        cells.insert(2, keys.SECTION, columns.constant(self.section, len(cells)))
        cells[LIBRARY_ID] = columns.constant(self.id, len(cells))
        if self.named:
            types = columns.read(self.types)[keys.CELL_TYPE].array if self.types else None
            cells = renamed(cells, types)
        if self.tokens:
            tokens = columns.read(self.tokens)
            cells[keys.TOKEN] = token_names(tokens[keys.TOKEN].to_numpy())
            cells[keys.DISTANCE] = tokens[keys.DISTANCE].to_numpy()
        if self.scores:
            cells[keys.ACTIVATION] = columns.read(self.scores)[keys.ACTIVATION].to_numpy(dtype=np.float32)
        return cells


def by_token(
    sections: Sequence[Section],
    cells: pd.DataFrame,
    highlighted: Sequence[str],
    names: Mapping[str, str],
    model: ModelFacts,
) -> MapView:
    """Colour cells by token, some of them highlighted, under the names of `squint.library.profiles`."""
    scale = Categories(
        "token, main cell type, cells", tuple(highlighted)[:MAX_HIGHLIGHTED], "other tokens", dict(names)
    )
    parameters = {
        "colour": "token",
        "highlighted": ", ".join(_called(token, names) for token in highlighted) or "none",
        "codes": model.n_codes,
    }
    values = pd.Categorical(cells[keys.TOKEN])
    return _view("Tokens", sections, cells, values, scale, parameters, missing=NO_TOKEN)


def _called(token: str, names: Mapping[str, str]) -> str:
    """Call a token by its number, with the name that users gave it: its main cell type is no name."""
    name = names.get(token, token)
    return name if name.startswith(f"{token}{NUMBER}") else token


def by_type(
    library: Library, sections: Sequence[Section], cells: pd.DataFrame, highlighted: Sequence[str] = ()
) -> MapView:
    """Colour cells by cell type: those highlighted, or else the most frequent ones."""
    missing = pd.Series(None, index=cells.index, dtype=object)
    values = pd.Categorical(cells.get(keys.CELL_TYPE, missing))
    shown = tuple(highlighted)[:MAX_HIGHLIGHTED] or most_frequent(values)
    scale = Categories("cell type", shown, "other types", colours=type_colours(library, shown))
    parameters = {"colour": "cell type"} | ({"highlighted": ", ".join(shown)} if highlighted else {})
    return _view("Cell types", sections, cells, values, scale, parameters, missing=NO_TYPE)


def by_labels(
    title: str,
    sections: Sequence[Section],
    cells: pd.DataFrame,
    values: "pd.Series[Any]",
    scale: Categories,
    missing: str = NO_VALUE,
) -> MapView:
    """Colour cells by any labels (n,); the legend says what ``missing`` ones are."""
    what = scale.title.split(",")[0]
    parameters = {"colour": what, "highlighted": ", ".join(scale.highlighted)}
    return _view(
        title, sections, cells, pd.Categorical(values), scale, parameters, missing=missing, column=what
    )


def with_columns(view: MapView, parameters: Mapping[str, object], **columns: NDArray[Any]) -> MapView:
    """Add parameters to the stamp of a map, and columns (n,) to its table."""
    more = {**view.more, **{name: shared.values(pd.Categorical(one)) for name, one in columns.items()}}
    return replace(view, parameters={**view.parameters, **parameters}, more=more)


def by_cell_set(
    library: Library, sections: Sequence[Section], cells: pd.DataFrame, chosen: Sequence[CellSet]
) -> MapView:
    """Colour cells by the cell set that they are in, in its own colour; those in several have another."""
    sets = CellSets(library)
    names = [one.name for one in chosen]
    none, several = free_name(IN_NONE, names), free_name(IN_SEVERAL, names)
    labels = [*names, none, several]
    codes = np.full(len(cells), labels.index(none))
    for rank, one in enumerate(chosen):
        inside = np.concatenate([sets.mask(one, section) for section in sections])
        codes[inside] = np.where(codes[inside] == labels.index(none), rank, labels.index(several))
    values = pd.Categorical.from_codes(codes, pd.Index(labels, dtype=object))
    highlighted = (*names, several) if (codes == labels.index(several)).any() else tuple(names)
    colours = {one.name: one.colour for one in chosen}
    used = [one.colour for one in chosen]
    colours[several] = min(reversed(LIGHT.categories), key=used.count)
    scale = Categories("cell set", highlighted, none, colours=colours)
    parameters = {"colour": "cell set", "sets": ", ".join(names)}
    return _view("Cell sets", sections, cells, values, scale, parameters, column="cell set")


def by_distance(sections: Sequence[Section], cells: pd.DataFrame) -> MapView:
    """Colour cells by how far they are from their token: by how new they are to the model."""
    values = cells[keys.DISTANCE].to_numpy(dtype=np.float32)
    known = values[~np.isnan(values)]
    top = float(f"{np.quantile(known, 0.995):.2g}") if len(known) else 1.0
    scale = Continuous("distance to the token (1 - cosine)", 0, max(top, 0.01), palette="Cividis")
    parameters = {"colour": scale.title}
    return _view("Distance to the token", sections, cells, values, scale, parameters, missing=NO_TOKEN)


def by_number(
    title: str, sections: Sequence[Section], cells: pd.DataFrame, values: NDArray[np.float32]
) -> MapView:
    """Colour cells by any number (n,), from 0 up; NaN is grey."""
    scale = Continuous(title, 0, _nice_top(values))
    return _view(title, sections, cells, values, scale, {"colour": title}, column=title)


def by_depth(sections: Sequence[Section], cells: pd.DataFrame) -> MapView:
    """Colour cells by their number of counts."""
    values = cells["n_counts"].to_numpy(dtype=np.float32)
    title = f"{_unit(sections)} per cell"
    scale = Continuous(title, 0, _nice_top(values))
    return _view(title.capitalize(), sections, cells, values, scale, {"colour": title})


def by_gene(library: Library, sections: Sequence[Section], cells: pd.DataFrame, gene: str) -> MapView:
    """Colour cells by the counts of a gene; sections that lack it are grey."""
    found = [(library.gene(section.id, gene), section.n_cells) for section in sections]
    values = np.concatenate([np.full(n, np.nan, np.float32) if c is None else c for c, n in found])
    unit = _unit(sections)
    scale = Continuous(f"{gene}, {unit}", 0, _nice_top(values))
    parameters = {"colour": f"{unit} of {gene}", "scale": f"0 to {scale.high:g} (99.5th percentile)"}
    return _view(f"Gene {gene}", sections, cells, values, scale, parameters, column=f"{unit} {gene}")


def by_gene_set(
    sections: Sequence[Section],
    cells: pd.DataFrame,
    scores: pd.DataFrame,
    name: str,
    how: Mapping[str, object],
    *,
    smoothed: bool,
) -> MapView:
    """Colour cells by their score for a set of genes, on one scale; cells without counts are grey.

    Parameters
    ----------
    sections, cells
        What is shown.
    scores
        ``score`` and ``smoothed`` of each cell (n,).
    name
        Of the set.
    how
        What is scored and how, for the stamp.
    smoothed
        Whether the mean over each closed neighbourhood is shown, rather than the cell's own.
    """
    own, mean = (scores[column].to_numpy(dtype=np.float32) for column in ("score", "smoothed"))
    values = mean if smoothed else own
    low, high = _nice_ends(values)
    over = "mean score of the neighbourhood" if smoothed else "score of the cell"
    scale = Continuous(f"{name}: {over} (scale of log1p)", low, high)
    parameters = {
        "colour": f"{over} for the gene set {name}",
        **how,
        "scale": f"{low:g} to {high:g} (0.5th to 99.5th percentile)",
    }
    view = _view(f"Gene set {name}", sections, cells, values, scale, parameters, missing="no counts")
    more = {"set score": shared.values(own), "set score, neighbourhood": shared.values(mean)}
    return replace(view, more=more)


def by_activation(
    sections: Sequence[Section], cells: pd.DataFrame, thresholds: tuple[float, float], how: Mapping[str, Any]
) -> MapView:
    """Colour cells by activation score, on one scale from 0 to 1."""
    values = cells[keys.ACTIVATION].to_numpy(dtype=np.float32)
    scale = Continuous("activation score", 0, 1, thresholds)
    parameters = {
        "reference patient": how["reference"],
        "codes": codes_in_words(how),
        "share of the reference's cells covered": f"{how['share_covered']:.1%}",
        "score": "share of the closed 1-hop neighbourhood that carries one of the codes",
        "low": f"below {thresholds[0]:g}",
        "high": f"above {thresholds[1]:g}",
    }
    return _view("Risk map: activation score", sections, cells, values, scale, parameters, missing="no score")


def _unit(sections: Sequence[Section]) -> str:
    """Say what the values of some sections are."""
    return "counts" if all(section.values == "counts" for section in sections) else "intensity"


def _nice_top(values: NDArray[np.float32]) -> float:
    present = values[~np.isnan(values)]
    return float(max(1.0, np.ceil(np.quantile(present, 0.995)))) if len(present) else 1.0


def _nice_ends(values: NDArray[np.float32]) -> tuple[float, float]:
    """Give round ends of a scale that hold all but the most extreme values."""
    present = values[~np.isnan(values)]
    if not len(present):
        return 0.0, 1.0
    low, high = (float(end) for end in np.quantile(present, [0.005, 0.995]))
    step = 10 ** np.floor(np.log10(max(high - low, 1e-3))) / 2
    low, high = np.floor(low / step) * step, np.ceil(high / step) * step
    return round(float(low), 6), round(float(max(high, low + step)), 6)


def _view(
    title: str,
    sections: Sequence[Section],
    cells: pd.DataFrame,
    values: NDArray[Any] | pd.Categorical,
    scale: Continuous | Categories,
    parameters: Mapping[str, object],
    *,
    missing: str = NO_VALUE,
    column: str = "",
) -> MapView:
    """Make a map; what no table has yet is exported as a ``column``."""
    ids = pd.Categorical(cells[LIBRARY_ID])
    panels = []
    for section in sections:
        here = np.flatnonzero(ids.codes == ids.categories.get_loc(section.id))
        made = Panel(
            title=section.title + (" (simulated)" if section.simulated else ""),
            coordinates=cells[["x", "y"]].to_numpy(dtype=np.float64)[here],
            values=values[here],
            unit=section.unit,
            missing_name=missing,
        )
        panels.append(shared.panel(made))
    more = {column: shared.values(values)} if column else {}
    return MapView(title, tuple(sections), tuple(panels), scale, cells, parameters, whole=True, more=more)
