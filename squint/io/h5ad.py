"""Take from a checked ``.h5ad`` file what squint uses, and refuse what contradicts itself."""

import re
from pathlib import Path
from typing import Any

import h5py
import pandas as pd
from scipy import sparse

from squint import keys
from squint.errors import InputError
from squint.io import checks, slots
from squint.io.content import Content
from squint.io.counts import declared_bytes, read_counts
from squint.io.hdf5 import open_checked, read_slot
from squint.io.mapped import Scratch

FEW_CELLS = 9  # below this a cell has fewer than eight neighbours
UNIT_SLOTS = ("uns/unit", "uns/spatial_unit", "uns/source/coordinates")
MICROMETRES = re.compile(r"\s*(?:micromet(?:er|re)s?|microns?|um|\u00b5m|\u03bcm)\b", re.IGNORECASE)
_Slots = dict[str, Any]


def read(path: Path, scratch: Scratch | None = None) -> Content:
    """Read counts, tables, coordinates, graphs and squint's own results.

    Parameters
    ----------
    path
        The file; it is opened once its links, storage and sizes were found harmless.
    scratch
        Where to make files that the counts then lie in; by default they lie in memory.

    Returns
    -------
    The content, each slot consistent with the others.

    Raises
    ------
    InputError
        If the file cannot be opened, or a slot is missing, damaged or contradicts the others.
    """
    with open_checked(path, streamed=scratch is not None) as (file, names):
        return _take(file, names, scratch)


def obs_columns(path: Path) -> list[str]:
    """List the columns of ``obs`` without reading them; see :func:`squint.io.sections.obs_columns`."""
    with open_checked(path) as (file, names):
        inside = {name.split("/")[1] for name in names if name.startswith("obs/")}
        index = str(file["obs"].attrs.get("_index", "_index")) if "obs" in file else ""
    return sorted(inside - {index, "__categories"})  # anndata 0.7 kept categories beside the columns


def counts_bytes(path: Path) -> int:
    """Say how much memory the counts fill, as the file declares; 0 if they cannot be read in parts."""
    with open_checked(path, streamed=True) as (file, _):
        return declared_bytes(file)


def _take(file: h5py.File, names: list[str], scratch: Scratch | None) -> Content:
    name = Path(file.filename).name
    obs, var = (_read_table(file, slot) for slot in ("obs", "var"))
    for slot, table, what in (("obs", obs, "cells"), ("var", var, "genes")):
        if not len(table):
            raise InputError(f"{name} has 0 {what} (`{slot}` is empty). Give a section with {what}.")
    notes: list[str] = []
    if not obs.index.is_unique:
        notes.append(
            f"{int(obs.index.duplicated().sum())} cell names occurred before; a number was added to them."
        )
        obs.index = slots.unique_names(obs.index)
    if len(obs) < FEW_CELLS:
        notes.append(f"Few cells ({len(obs)}): neighbourhoods are smaller than usual.")
    counts, source = read_counts(file, obs.index, len(var), notes, scratch)
    obsm, obsp = _read_arrays(file, obs.index)
    uns = {key: read_slot(file, f"uns/{key}") for key in _keys_of(file, "uns") if key.startswith("squint")}
    if keys.PROVENANCE in uns:
        plain = slots.to_plain(uns[keys.PROVENANCE])
        uns[keys.PROVENANCE] = plain if isinstance(plain, dict) else {}
    taken = {source, *(f"obsm/{k}" for k in obsm), *(f"obsp/{k}" for k in obsp)}
    groups = ("layers", "obsm", "obsp", "varm", "varp")
    found = [f"{g}/{key}" for g in groups for key in _keys_of(file, g)] + [
        s for s in ("X", "raw") if s in file
    ]
    left = [slot for slot in found if slot not in taken]
    if left:
        notes.append(f"Left in the file, not read: {slots.listed(left)}.")
    return Content(counts, obs, var, obsm, obsp, uns, _stated_unit(file, uns), names, notes)


def _keys_of(file: h5py.File, group: str) -> list[str]:
    return list(file[group]) if isinstance(file.get(group), h5py.Group) else []


def _read_table(file: h5py.File, slot: str) -> pd.DataFrame:
    name = Path(file.filename).name
    if "matrix" in file and slot not in file:
        raise InputError(f"{name} is a 10x matrix: vendor output is not read yet. Convert it to .h5ad.")
    if slot not in file:
        raise InputError(f"{name} has no `{slot}`: it was not written by anndata. Convert it to .h5ad.")
    if not isinstance(file[slot], h5py.Group):
        raise InputError(
            f"{name} was written by anndata before 0.7. Open it with anndata and write it again."
        )
    table = read_slot(file, slot)
    if not isinstance(table, pd.DataFrame):
        raise InputError(f"{name}: `{slot}` is not a table. Write the file again with anndata.")
    if not table.columns.is_unique:
        raise InputError(f"{name}: `{slot}` has two columns of one name. Rename one of them.")
    table.index = table.index.astype(str)
    return table


def _read_arrays(file: h5py.File, cells: pd.Index) -> tuple[_Slots, _Slots]:
    """Read coordinates, other numeric arrays of cells, and squidpy's graph."""
    name = Path(file.filename).name
    if keys.SPATIAL not in _keys_of(file, "obsm"):
        raise InputError(f'{name} has no obsm["spatial"]. Store x and y (and z) of each cell there.')
    where = f'{name}: obsm["spatial"]'
    obsm = {keys.SPATIAL: checks.check_coordinates(read_slot(file, f"obsm/{keys.SPATIAL}"), cells, where)}
    for key in _keys_of(file, "obsm"):
        stored = file[f"obsm/{key}"]
        if key != keys.SPATIAL and isinstance(stored, h5py.Dataset) and stored.dtype.kind in "buif":
            obsm[key] = read_slot(file, f"obsm/{key}")
            if obsm[key].shape[:1] != (len(cells),):
                raise InputError(f"{name}: `obsm/{key}` has shape {obsm[key].shape} for {len(cells)} cells.")
    obsp = {}
    for key in (keys.CONNECTIVITIES, keys.DISTANCES):
        if key not in _keys_of(file, "obsp"):
            continue
        graph = read_slot(file, f"obsp/{key}")
        if not sparse.issparse(graph) or graph.format != "csr" or graph.shape != (len(cells), len(cells)):
            raise InputError(f"{name}: `obsp/{key}` is not a CSR graph of the {len(cells)} cells. Remove it.")
        checks.check_structure(graph, f"{name}: `obsp/{key}`")
        obsp[key] = graph
    return obsm, obsp


def _stated_unit(file: h5py.File, uns: _Slots) -> str | None:
    """Give the unit of the coordinates where the file states one."""
    stated = uns.get(keys.PROVENANCE, {}).get("unit")
    if stated in slots.UNITS:
        return str(stated)
    for slot in UNIT_SLOTS:
        text = read_slot(file, slot) if isinstance(file.get(slot), h5py.Dataset) else None
        if isinstance(text, str) and MICROMETRES.match(text):
            return "um"
    return None
