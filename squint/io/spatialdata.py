"""Read a table of a SpatialData store, and the positions of its cells from what it annotates."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from squint import keys
from squint.errors import InputError
from squint.io import anndata_zarr, annotated, checks, mapped, slots
from squint.io.anndata_zarr import is_described
from squint.io.annotated import SPATIALDATA, Placing
from squint.io.content import Asked, Content, Reader
from squint.io.findings import Findings, choose

if TYPE_CHECKING:
    from squint.io.zarr_group import Group
    from squint.io.zarr_store import Store

TABLES = ("tables", "table")  # the older store has the second
KINDS = (*TABLES, "shapes", "points", "labels", "images")


def reads(path: Path) -> bool:
    """Say whether a folder is a SpatialData store, or was meant to be one."""
    with suppress(OSError, ValueError):
        kinds = [kind for kind in KINDS if (path / kind).is_dir()]
        if any(is_described(path / kind) for kind in kinds if kind != "labels"):  # OME-Zarr has these, too
            return True
        return any(
            is_described(Path(e.path)) for kind in kinds for e in os.scandir(path / kind) if kind in TABLES
        )
    return False


def read(path: Path, asked: Asked) -> Content:
    """Read a table: counts, cells, their positions and outlines; and say where pictures lie.

    Parameters
    ----------
    path
        The store.
    asked
        What the user says: ``table`` where there are several.

    Returns
    -------
    The content. Positions are in the coordinate system that the regions of the table share, ``"global"`` if
    there is one; those of ``obsm["spatial"]`` where the table annotates neither shapes nor labels of the
    store. Cells that are not in the shapes are left out. Of points their
    description alone is read: how transcripts come to lie at the cells.

    Raises
    ------
    InputError
        If there is no table, no positions, or anything that is read is damaged or harmful.
    AskedError
        If there are several tables, and none is named.
    """
    from squint.io.zarr_store import Store  # noqa: PLC0415 - only where there is zarr

    store = Store(path)
    where = _table(store, asked.answers.table)
    findings = Findings()
    with store.open(where, streamed=asked.scratch is not None) as group:
        anndata_zarr.check_tables(group, where)
        source = _Table(group, asked)
        content = _take(store, source, group, asked, findings)
        group.report(findings)
    return content


class _Table(anndata_zarr.Slots):
    """A table, which says what it annotates in its attributes, or in ``uns``."""

    def __init__(self, group: "Group", asked: Asked) -> None:
        super().__init__(group, asked.scratch, intensities=True)

    def annotation(self) -> dict[str, Any]:
        """Say what the table annotates: ``region``, ``region_key`` and ``instance_key``."""
        own = super().read(f"uns/{SPATIALDATA}") if SPATIALDATA in super().keys("uns") else None
        own = slots.to_plain(own) if isinstance(own, dict) else {}
        said = self._group.attributes() | {key: value for key, value in own.items() if value}
        return {key: said[key] for key in ("region", "region_key", "instance_key") if key in said}

    def keys(self, group: str) -> list[str]:
        return sorted({*super().keys(group), *([SPATIALDATA] if group == "uns" else [])})

    def read(self, slot: str) -> Any:
        return self.annotation() if slot == f"uns/{SPATIALDATA}" else super().read(slot)


def _tables(store: "Store") -> dict[str, str]:
    """Name the tables of a store, with where they are."""
    found = {}
    for folder in reversed(TABLES):
        for name in store.children(folder):
            if store.is_node(f"{folder}/{name}") or store.is_node(f"{folder}/{name}/obs"):
                found[name] = f"{folder}/{name}"
    return found


def _table(store: "Store", answer: str | None) -> str:
    tables = _tables(store)
    if not tables:
        there = [f"{kind} ({', '.join(store.children(kind)[:3])})" for kind in KINDS if store.children(kind)]
        raise InputError(
            f"{store.name} holds no table of counts of cells: there is only "
            f"{' and '.join(there) or 'nothing'}. Give a store with a table."
        )
    return tables[choose("table", answer, "It holds several tables.", sorted(tables), store.name)]


def _take(store: "Store", source: _Table, group: "Group", asked: Asked, findings: Findings) -> Content:
    from squint.io import companions, elements, points  # noqa: PLC0415 - only where there is zarr

    annotation = source.annotation()
    instance_key = str(annotation.get("instance_key", ""))
    obs = annotated.read_table(source, "obs")
    regions = elements.regions_of(store, obs, annotation)
    found = _place(store, source, regions, len(obs), instance_key, findings)
    placing = None if found is None else Placing(found, elements.um_of(regions))
    content = annotated.take(source, group.names, asked.answers, findings, placing)
    xy = content.obsm[keys.SPATIAL][:, :2]
    if placing is not None:
        _state_scale(content, elements.scale_of(regions), source)
    content.boundaries, frame = companions.outlines(store, regions, xy, instance_key, findings)
    systems = {region.system for region in regions if region.element}
    system = systems.pop() if len(systems) == 1 else elements.GLOBAL
    if placing is not None:
        frame = np.eye(3) if not systems else None
    content.pictures = companions.pictures(store, system, frame, findings)
    content.transcripts = points.placing(store, system, frame, findings)
    _keep_placed(content, store.name, [region.name for region in regions])
    if checks.bad_values(content.counts).n_values:
        content.values = "intensities"
    if len(regions) == 1:  # the section is named by the store
        content.obs = content.obs.drop(columns=slots.SPATIALDATA_REGION, errors="ignore")
    return content


def _state_scale(content: Content, scale: float | None, source: _Table) -> None:
    """Say what is known of the unit of positions that were scaled from what they lie in."""
    if not scale:
        return
    if content.um_per_unit is None and (um := annotated.um_per_pixel(source, content.findings)):
        content.um_per_unit = um / scale
    if scale != 1:
        content.unit_hint = (
            f"Shapes were scaled by {scale:.6g}: if their own unit is 1 um, as of Xenium, one unit of the "
            f"positions has {1 / scale:.6g}."
        )


def _keep_placed(content: Content, name: str, regions: list[str]) -> None:
    """Leave out the cells that have no position."""
    placed = np.isfinite(content.obsm[keys.SPATIAL]).all(axis=1)
    if placed.all():
        return
    if not placed.any():
        raise InputError(
            f"{name}: none of the {len(placed):,} cells of the table is in the shapes or labels that it "
            f"annotates ({slots.listed(regions)}). Give the store that they belong to."
        )
    rows = np.flatnonzero(placed)
    content.counts = mapped.change_rows(content.counts, lambda block, part: block[placed[part]])
    content.obs = content.obs.iloc[rows]
    content.obsm = {key: array[rows] for key, array in content.obsm.items()}
    content.obsp = {key: graph[rows][:, rows] for key, graph in content.obsp.items()}
    content.boundaries = content.boundaries.of(rows) if content.boundaries else None


def _place(
    store: "Store",
    source: _Table,
    regions: list[Any],
    n_cells: int,
    instance_key: str,
    findings: Findings,
) -> NDArray[np.float64] | None:
    """Find positions in the elements that the table annotates; None where ``obsm["spatial"]`` has to do."""
    from squint.io import elements  # noqa: PLC0415 - only where there is zarr

    region_key = source.annotation().get("region_key", "")
    has_own = keys.SPATIAL in source.keys("obsm")
    missing = [region.name for region in regions if not region.element]
    if not has_own:
        if len(missing) == len(regions):
            names = slots.listed([repr(name) for name in missing])
            what = (
                f"shapes or labels named {names}, as obs[{region_key!r}] says"
                if missing
                else f"shapes that its {SPATIALDATA} name"
            )
            raise InputError(
                f'{store.name} holds no positions: its table has no obsm["spatial"], and there are no '
                f"{what}. Give a store with one of them."
            )
        return elements.place(store, regions, n_cells, instance_key, findings)
    if regions and not missing:
        tried = Findings()
        try:
            xy = elements.place(store, regions, n_cells, instance_key, tried)
        except InputError as error:
            why = f"{error} Positions are those of obsm['spatial'] instead"
            findings.leave_out("shapes", None, why, slots.listed([region.element for region in regions]))
            for region in regions:
                region.element, region.system, region.shapes = "", "", None
        else:
            findings.extend(tried)
            return xy
    else:
        why = (
            f"the store has no shapes or labels named {slots.listed(missing)}"
            if missing
            else "the table names no shapes"
        )
        findings.assume(
            "positions", f'{why}, so that obsm["spatial"] is taken as it is', "obsm/spatial", n_cells
        )
    return None


def obs_columns(path: Path) -> list[str]:
    """List the columns of cells, where the store has one table."""
    from squint.io.zarr_store import Store  # noqa: PLC0415 - only where there is zarr

    tables: Mapping[str, str] = _tables(Store(path))
    return anndata_zarr.obs_columns(path, next(iter(tables.values()))) if len(tables) == 1 else []


def counts_bytes(path: Path) -> int:
    """Say how much memory the counts of the largest table fill; 0 if they cannot be read in parts."""
    from squint.io.counts import declared_bytes  # noqa: PLC0415 - only where there is zarr
    from squint.io.zarr_store import Store  # noqa: PLC0415

    store = Store(path)
    sizes = []
    for where in _tables(store).values():
        with store.open(where, streamed=True) as group:
            sizes.append(declared_bytes(group))
    return max(sizes, default=0)


READER = Reader("SpatialData", reads, read, obs_columns, counts_bytes)
