"""Take from a container of AnnData's slots, whatever holds them, what squint uses."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from scipy import sparse

from squint import keys
from squint.errors import InputError
from squint.io import checks, slots
from squint.io.content import Answers, Content
from squint.io.findings import Findings
from squint.io.positions import find_columns, xy_of
from squint.io.tables import decoded

UNIT_SLOTS = ("uns/unit", "uns/spatial_unit", "uns/source/coordinates")
MICROMETRES = re.compile(r"\s*(?:micromet(?:er|re)s?|microns?|um|\u00b5m|\u03bcm)\b", re.IGNORECASE)
SPATIALDATA = "spatialdata_attrs"  # in uns: which column names the region, and which the instance in it
BIN = re.compile(r"s_(\d+)um_(\d+)_(\d+)-\d+")  # how Space Ranger names a bin: its width in um, row, column
POSITIONS = ("spatial", "X_spatial", "spatial_um", "spatial_px", "spatial_fov", "X_centroid", "coordinates")


class Slots(Protocol):
    """A container that anndata wrote: slots are named by path, such as ``"obsm/spatial"``."""

    @property
    def name(self) -> str:
        """For messages."""
        ...

    def keys(self, group: str) -> list[str]:
        """Names inside a group; none where it is missing."""
        ...

    def read(self, slot: str) -> Any:
        """One slot as anndata reads it; an InputError where it is damaged or of an unknown kind."""
        ...

    def is_array(self, slot: str) -> bool:
        """Whether a slot is there, and is an array of numbers."""
        ...

    def counts(self, cells: pd.Index, n_genes: int, notes: list[str]) -> tuple[sparse.csr_matrix, str]:
        """Raw counts CSR float32 (n, g), and their slot; an InputError where there are none."""
        ...


@dataclass(frozen=True)
class Placing:
    """Positions of cells that do not come from the container itself."""

    xy: checks.Floats  # (n, 2), NaN where a cell has none
    um_per_unit: float | None


def take(
    source: Slots, names: list[str], answers: Answers, findings: Findings, placing: Placing | None = None
) -> Content:
    """Read counts, tables, positions and squint's own results.

    Parameters
    ----------
    source
        The container.
    names
        Of everything in it.
    answers
        What the user says.
    findings
        The report; added to.
    placing
        Positions, where they are known from elsewhere: ``obsm["spatial"]`` is then not read.

    Returns
    -------
    The content, each slot consistent with the others.

    Raises
    ------
    InputError
        If a slot is missing, damaged, or contradicts the others.
    """
    obs, var = (read_table(source, slot) for slot in ("obs", "var"))
    for slot, table, what in (("obs", obs, "cells"), ("var", var, "genes")):
        if not len(table):
            raise InputError(f"{source.name} has 0 {what} (`{slot}` is empty). Give a section with {what}.")
    counts, slot = source.counts(obs.index, len(var), findings.notes)
    findings.find("cells", len(obs), "obs")
    findings.find("features", len(var), "var")
    obsm, left = _read_arrays(source, obs, answers.columns, findings, placing)
    uns = {key: source.read(f"uns/{key}") for key in source.keys("uns") if key.startswith("squint")}
    if keys.PROVENANCE in uns:
        plain = slots.to_plain(uns[keys.PROVENANCE])
        uns[keys.PROVENANCE] = plain if isinstance(plain, dict) else {}
    obsp = _read_graph(source, len(obs))
    obs = _name_regions(source, obs, findings)
    arrays = {left} | (set(obsm) - {keys.SPATIAL})
    taken = {slot, *(f"obsm/{key}" for key in arrays), *(f"obsp/{k}" for k in obsp)}
    groups = ("layers", "obsm", "obsp", "varm", "varp")
    found = [f"{g}/{key}" for g in groups for key in source.keys(g)]
    found += [s for s in ("X", "raw") if s in source.keys("")]
    for other in (name for name in found if name not in taken):
        findings.leave_out(other, None, "squint does not use it", source.name)
    um_per_unit = placing.um_per_unit if placing else _stated_unit(source, uns, findings)
    if um_per_unit is None:
        um_per_unit = um_of_bins(obs.index, obsm[keys.SPATIAL], findings)
    return Content(counts, obs, var, obsm, obsp, uns, um_per_unit=um_per_unit, names=names, findings=findings)


def read_table(source: Slots, slot: str) -> pd.DataFrame:
    """Read a table of cells or genes, indexed by text.

    Parameters
    ----------
    source
        The container.
    slot
        ``"obs"`` or ``"var"``.

    Raises
    ------
    InputError
        If it is damaged, no table, or has two columns of one name.
    """
    table = source.read(slot)
    if not isinstance(table, pd.DataFrame):
        raise InputError(f"{source.name}: `{slot}` is not a table. Write the file again with anndata.")
    if not table.columns.is_unique:
        raise InputError(f"{source.name}: `{slot}` has two columns of one name. Rename one of them.")
    table = decoded(table)
    table.index = table.index.astype(str)
    return table


def _read_arrays(
    source: Slots,
    obs: pd.DataFrame,
    columns: Mapping[str, str],
    findings: Findings,
    placing: Placing | None,
) -> tuple[dict[str, Any], str]:
    """Read positions and other numeric arrays of cells; say which slot the positions are from."""
    slot = "" if placing else _slot_of_positions(source)
    if placing is not None:
        obsm: dict[str, Any] = {keys.SPATIAL: placing.xy}
    else:
        where = f'{source.name}: obsm["{slot}"]'
        positions, others = xy_of(source.read(f"obsm/{slot}"), where, columns)
        for name in others:
            findings.leave_out(f"column {name!r}", None, "it is no position", f"obsm/{slot}")
        obsm = {keys.SPATIAL: checks.check_coordinates(positions, obs.index, where)}
    for key in source.keys("obsm"):
        if key not in {slot, keys.SPATIAL} and source.is_array(f"obsm/{key}"):
            obsm[key] = source.read(f"obsm/{key}")
            if obsm[key].shape[:1] != (len(obs),):
                raise InputError(
                    f"{source.name}: `obsm/{key}` has shape {obsm[key].shape} for {len(obs)} cells."
                )
    return obsm, slot


def _slot_of_positions(source: Slots) -> str:
    there = source.keys("obsm")
    if keys.SPATIAL in there:
        return keys.SPATIAL
    alike = [key for key in there if key in POSITIONS or "spatial" in key.lower() or "coord" in key.lower()]
    hint = f" It has {slots.listed([f'obsm[{key!r}]' for key in alike])}: rename it." if alike else ""
    try:
        axes, _ = find_columns(source.keys("obs"), {})
        hint = hint or f" It has {' and '.join(f'obs[{name!r}]' for name in axes.values())}: put them there."
    except InputError:
        pass  # no columns that are called like positions
    raise InputError(f'{source.name} has no obsm["spatial"]. Store x and y (and z) of each cell there.{hint}')


def _read_graph(source: Slots, n_cells: int) -> dict[str, Any]:
    """Read squidpy's graph; whether it is used is decided once sections are known."""
    graphs = {}
    for key in (keys.CONNECTIVITIES, keys.DISTANCES):
        if key not in source.keys("obsp"):
            continue
        graph = source.read(f"obsp/{key}")
        if not sparse.issparse(graph) or graph.format != "csr" or graph.shape != (n_cells, n_cells):
            raise InputError(
                f"{source.name}: `obsp/{key}` is not a CSR graph of the {n_cells} cells. Remove it."
            )
        checks.check_structure(graph, f"{source.name}: `obsp/{key}`")
        graphs[key] = graph
    return graphs


def _name_regions(source: Slots, obs: pd.DataFrame, findings: Findings) -> pd.DataFrame:
    """Give what SpatialData calls region and instance their meaning here: sections, and names of cells."""
    attributes = source.read(f"uns/{SPATIALDATA}") if SPATIALDATA in source.keys("uns") else None
    if not isinstance(attributes, dict):
        return obs
    region, instance = str(attributes.get("region_key", "")), str(attributes.get("instance_key", ""))
    if region in obs:
        obs = obs.rename(columns={region: slots.SPATIALDATA_REGION})
    named = obs[instance].astype(str) if instance in obs else None
    numbered = obs.index.str.fullmatch(r"\d+").all()
    if named is not None and numbered and named.is_unique and not named.str.fullmatch(r"\d+").all():
        obs.index = pd.Index(named, name=None)
        findings.note(f"Cells are named by obs[{instance!r}], the instance key of SpatialData.")
    return obs


def _stated_unit(source: Slots, uns: dict[str, Any], findings: Findings) -> float | None:
    """Give the micrometres of one unit of the positions, where the source states them."""
    if uns.get(keys.PROVENANCE, {}).get("unit") == "um":
        return 1.0
    for slot in UNIT_SLOTS:
        group, _, key = slot.rpartition("/")
        text = source.read(slot) if key in source.keys(group) and not source.keys(slot) else None
        if isinstance(text, str) and MICROMETRES.match(text):
            return 1.0
    return um_per_pixel(source, findings)


def um_per_pixel(source: Slots, findings: Findings) -> float | None:
    """Take the scale that Space Ranger states in ``uns["spatial"][...]["scalefactors"]``, if all agree.

    Parameters
    ----------
    source
        The container.
    findings
        Added to.

    Returns
    -------
    Micrometres of one pixel at full resolution; None where it is not stated.
    """
    found = set()
    for library in source.keys("uns/spatial"):
        slot = f"uns/spatial/{library}/scalefactors"
        if "microns_per_pixel" in source.keys(slot):
            value = np.asarray(source.read(f"{slot}/microns_per_pixel"))
            if value.ndim == 0 and value.dtype.kind in "iuf" and 0 < float(value) < np.inf:
                found.add(float(value))
    if len(found) != 1:
        return None
    scale = found.pop()
    findings.find("micrometres per pixel", None, "uns/spatial", f"{scale:.6g}")
    return scale


def um_of_bins(cells: pd.Index, positions: checks.Floats, findings: Findings) -> float | None:
    """Take the scale from Visium HD's names of bins, which state their width, row and column.

    Parameters
    ----------
    cells
        Names such as ``"s_008um_00748_00689-1"``.
    positions
        (n, 2 | 3), in an unknown unit; NaN where there is none.
    findings
        Added to.

    Returns
    -------
    Micrometres of one unit; None unless all names are of one width and the positions lie on that grid.
    """
    parts = cells.to_series().str.extract(BIN)
    if parts.isna().any(axis=None) or parts[0].nunique() != 1:
        return None
    grid = parts[[1, 2]].to_numpy(np.float64)
    placed = np.isfinite(positions[:, :2]).all(axis=1)
    if not placed.any():
        return None
    design, xy = np.column_stack([grid, np.ones(len(grid))])[placed], positions[placed, :2]
    fit, *_ = np.linalg.lstsq(design, xy, rcond=None)
    pitch = float(np.sqrt(abs(np.linalg.det(fit[:2]))))
    residual = float(np.abs(design @ fit - xy).max())
    if not pitch or residual > pitch / 2:
        return None
    width = int(str(parts.iloc[0, 0]))
    findings.find(
        "width of bins", width, "names of cells", f"they state {width} um, and lie {pitch:.4g} units apart"
    )
    return width / pitch
