"""Regions of tissue, as R.json holds them, and the cells inside them. Imports no anndata: pages may."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from squint import keys
from squint.bounds import FARTHEST
from squint.errors import InputError
from squint.geometry.outlines import inside
from squint.parsing import parse_json

if TYPE_CHECKING:
    from anndata import AnnData

MAX_BYTES = 64_000_000  # of R.json: a few million cell names
Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]


class Region(Protocol):
    """A part of one section."""

    @property
    def section(self) -> str:
        """The ``section_id``."""

    def mask(self, names: pd.Index, coordinates: Floats, rng: np.random.Generator) -> Mask:
        """Mark the section's cells inside (n,), from their names and coordinates (n, 2 | 3)."""

    @property
    def outline(self) -> Floats | None:
        """Corners (k, 2) of its border, if it has one."""

    @property
    def words(self) -> str:
        """What it is, in a few words."""


@dataclass(frozen=True)
class Rectangle:
    """A rectangle, borders included, through the whole height of the section."""

    section: str
    x0: float
    x1: float
    y0: float
    y1: float

    def mask(self, names: pd.Index, coordinates: Floats, rng: np.random.Generator) -> Mask:  # noqa: ARG002
        """Mark the cells inside (n,)."""
        x, y = coordinates[:, 0], coordinates[:, 1]
        return (x >= self.x0) & (x <= self.x1) & (y >= self.y0) & (y <= self.y1)

    @property
    def outline(self) -> Floats:
        """Its four corners (4, 2)."""
        x, y = (self.x0, self.x1), (self.y0, self.y1)
        return np.array([[x[0], y[0]], [x[1], y[0]], [x[1], y[1]], [x[0], y[1]]], dtype=np.float64)

    @property
    def words(self) -> str:
        """Where it is."""
        return f"rectangle x {self.x0:.4g} to {self.x1:.4g}, y {self.y0:.4g} to {self.y1:.4g}"


@dataclass(frozen=True)
class Polygon:
    """A polygon, borders included; where it crosses itself, the even-odd rule holds."""

    section: str
    polygon: tuple[tuple[float, float], ...]

    def mask(self, names: pd.Index, coordinates: Floats, rng: np.random.Generator) -> Mask:  # noqa: ARG002
        """Mark the cells inside (n,)."""
        return inside([(self.outline,)], coordinates)

    @property
    def outline(self) -> Floats:
        """Its corners (k, 2)."""
        return np.array(self.polygon, dtype=np.float64)

    @property
    def words(self) -> str:
        """How many corners it has."""
        return f"polygon of {len(self.polygon)} corners"


@dataclass(frozen=True)
class Cells:
    """Cells by name."""

    section: str
    cells: tuple[str, ...]

    def mask(self, names: pd.Index, coordinates: Floats, rng: np.random.Generator) -> Mask:  # noqa: ARG002
        """Mark the named cells (n,)."""
        unknown = pd.Index(self.cells).difference(names)
        if len(unknown):
            raise InputError(
                f"Section {self.section!r} has no cell {unknown[0]!r} ({len(unknown)} of "
                f"{len(self.cells)} named cells are missing). Use the file's obs_names."
            )
        return names.isin(self.cells)

    @property
    def outline(self) -> None:
        """Cells have no border."""

    @property
    def words(self) -> str:
        """How many they are."""
        return f"{len(self.cells):,} named cells"


@dataclass(frozen=True)
class Fraction:
    """A random share of a section's cells, the same for the same seed whatever the order of cells."""

    section: str
    fraction: float

    def mask(self, names: pd.Index, coordinates: Floats, rng: np.random.Generator) -> Mask:  # noqa: ARG002
        """Mark the drawn cells (n,)."""
        drawn = rng.choice(len(names), size=round(self.fraction * len(names)), replace=False)
        mask = np.zeros(len(names), dtype=bool)
        mask[np.argsort(names.to_numpy(dtype=str), kind="stable")[drawn]] = True
        return mask

    @property
    def outline(self) -> None:
        """A share has no border."""

    @property
    def words(self) -> str:
        """How large the share is."""
        return f"{self.fraction:.0%} of all cells at random"


@dataclass(frozen=True)
class Points:
    """Positions without cells, to be imputed; hides no cell."""

    section: str
    points: tuple[tuple[float, ...], ...]

    def mask(self, names: pd.Index, coordinates: Floats, rng: np.random.Generator) -> Mask:  # noqa: ARG002
        """Mark no cell (n,)."""
        return np.zeros(len(names), dtype=bool)

    @property
    def outline(self) -> None:
        """Positions have no border."""

    @property
    def words(self) -> str:
        """How many they are."""
        return f"{len(self.points):,} positions"


Shape = Rectangle | Polygon | Cells | Fraction | Points  # every kind of region that R.json holds


def load(path: str | Path) -> list[Shape]:
    """Read regions from a file in the form of R.json.

    Parameters
    ----------
    path
        ``{"regions": [{"section": "id", ...}, ...]}``; each region also has one of: ``x0, x1, y0, y1``,
        ``polygon``, ``cells``, ``fraction`` or ``points``.

    Returns
    -------
    The regions, in their order.

    Raises
    ------
    InputError
        If the file is no JSON of this form.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(
                f"{path.name} is larger than {MAX_BYTES // 1_000_000} MB: name areas instead of cells."
            )
        written = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path.name} cannot be read: {error.strerror}. Check the path.") from error
    content = parse_json(written, path.name)
    items = content.get("regions") if isinstance(content, dict) else None
    if not isinstance(items, list) or not items:
        raise InputError(f'{path.name} names no regions. Write {{"regions": [{{"section": "id", ...}}]}}.')
    return from_items(items, path.name)


def from_items(items: Sequence[Any], name: str) -> list[Shape]:
    """Make regions of what stands in the list ``"regions"`` of R.json.

    Parameters
    ----------
    items
        A mapping for each region.
    name
        Of the file, for messages.

    Raises
    ------
    InputError
        If one is no region.
    """
    return [_parse(item, f"{name}: region {i + 1}") for i, item in enumerate(items)]


def dump(regions: Sequence[Shape]) -> str:
    """Write regions in the form of R.json.

    Parameters
    ----------
    regions
        As :func:`load` gives them.

    Returns
    -------
    JSON that :func:`load` reads back.
    """
    return json.dumps({"regions": [asdict(region) for region in regions]}, indent=1)


def hidden_cells(adata: "AnnData", regions: Sequence[Region], seed: int = 0) -> Mask:
    """Mark the cells inside regions.

    Parameters
    ----------
    adata
        Annotated data with ``obs["section_id"]`` and ``obsm["spatial"]``.
    regions
        As :func:`load` gives them.
    seed
        Of the random shares.

    Returns
    -------
    True for hidden cells (n,).

    Raises
    ------
    InputError
        If a section is not in the data, or a region holds no cell.
    """
    sections = adata.obs[keys.SECTION].astype(str).to_numpy()
    rng = np.random.default_rng(seed)
    spatial: Floats = np.asarray(adata.obsm[keys.SPATIAL])
    hidden = np.zeros(adata.n_obs, dtype=bool)
    for i, region in enumerate(regions):
        rows = np.flatnonzero(sections == region.section)
        if not len(rows):
            known = ", ".join(map(repr, sorted(set(sections))[:5]))
            raise InputError(f"Region {i + 1} lies in section {region.section!r}, but the data hold {known}.")
        inside = region.mask(adata.obs_names[rows], spatial[rows], rng)
        if not inside.any() and not isinstance(region, Points):
            raise InputError(
                f"Region {i + 1} holds no cell of section {region.section!r}. Check its borders against the "
                "coordinates."
            )
        hidden[rows[inside]] = True
    return hidden


def _parse(item: Any, where: str) -> Shape:
    if not isinstance(item, dict) or not isinstance(item.get("section"), str):
        raise InputError(f'{where} names no "section".')
    named = frozenset(item) - {"section"}
    parse = _PARSERS.get(named)
    if parse is None:
        kinds = "; ".join(", ".join(sorted(kind)) for kind in _PARSERS)
        raise InputError(
            f"{where} has {', '.join(sorted(named)) or 'no shape'}; it must have one of: {kinds}."
        )
    return parse(item["section"], item, where)


def _numbers(value: Any, where: str) -> tuple[float, ...]:
    items = value if isinstance(value, list) else [value]
    if not all(isinstance(n, int | float) and not isinstance(n, bool) and abs(n) <= FARTHEST for n in items):
        raise InputError(f"{where} holds something that is no finite number up to {FARTHEST:,.0f}.")
    return tuple(map(float, items))


def _positions(value: Any, where: str, lengths: set[int]) -> tuple[tuple[float, ...], ...]:
    if (
        not isinstance(value, list)
        or not value
        or not all(isinstance(p, list) and len(p) in lengths for p in value)
    ):
        raise InputError(f"{where} must be a list of [x, y].")
    return tuple(_numbers(position, where) for position in value)


def _rectangle(section: str, item: Mapping[str, Any], where: str) -> Shape:
    x0, x1, y0, y1 = _numbers([item[key] for key in ("x0", "x1", "y0", "y1")], where)
    if x0 > x1 or y0 > y1:
        raise InputError(f"{where} is empty: x0 must not exceed x1, nor y0 exceed y1.")
    return Rectangle(section, x0, x1, y0, y1)


def _polygon(section: str, item: Mapping[str, Any], where: str) -> Shape:
    positions = _positions(item["polygon"], f"{where}: polygon", {2})
    if len(set(positions)) < 3:
        raise InputError(f"{where} is empty: a polygon needs three corners.")
    return Polygon(section, tuple((x, y) for x, y in positions))


def _cells(section: str, item: Mapping[str, Any], where: str) -> Shape:
    names = item["cells"]
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise InputError(f"{where}: cells must be a list of obs_names.")
    return Cells(section, tuple(names))


def _fraction(section: str, item: Mapping[str, Any], where: str) -> Shape:
    (fraction,) = _numbers([item["fraction"]], where)
    if not 0 < fraction < 1:
        raise InputError(f"{where}: fraction must lie between 0 and 1.")
    return Fraction(section, fraction)


def _points(section: str, item: Mapping[str, Any], where: str) -> Shape:
    return Points(section, _positions(item["points"], f"{where}: points", {2, 3}))


_PARSERS: Mapping[frozenset[str], Callable[[str, Mapping[str, Any], str], Shape]] = {
    frozenset({"x0", "x1", "y0", "y1"}): _rectangle,
    frozenset({"polygon"}): _polygon,
    frozenset({"cells"}): _cells,
    frozenset({"fraction"}): _fraction,
    frozenset({"points"}): _points,
}
