"""Where the cells of a SpatialData table lie: in the shapes or labels that the table annotates."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from squint.errors import InputError
from squint.io import label_images, ngff, shapes
from squint.io.findings import Findings
from squint.io.ngff import Matrix
from squint.io.shapes import Shapes, as_names, moved
from squint.io.slots import listed
from squint.io.zarr_store import Store

GLOBAL = "global"  # SpatialData's name of the coordinates that its elements usually share


@dataclass
class Region:
    """Cells that a table says are of one element."""

    name: str
    rows: NDArray[np.int64]  # of the table
    instances: pd.Index  # (len(rows),) the names of the cells in the element, as text
    element: str = ""  # "shapes/cells", "labels/cells"; empty where there is none
    transformations: Any = None
    axes: str = "xy"
    system: str = ""
    matrix: Matrix = field(default_factory=lambda: np.eye(3))  # from the element to the positions
    shapes: Shapes | None = None


def regions_of(store: Store, obs: pd.DataFrame, attributes: Mapping[str, Any]) -> list[Region]:
    """Tell the elements apart that a table annotates.

    Parameters
    ----------
    store
        The store.
    obs
        The table of cells.
    attributes
        What the table says of itself: ``region_key``, ``instance_key``, and ``region``.

    Returns
    -------
    Each with its cells; none where the table annotates nothing.
    """
    region, instance = str(attributes.get("region_key", "")), str(attributes.get("instance_key", ""))
    if instance not in obs:
        return []
    if region in obs:
        codes, found_names = pd.factorize(obs[region].astype(object))
        names = [str(name) for name in found_names]
    elif isinstance(only := attributes.get("region"), str):
        codes, names = np.zeros(len(obs), np.intp), [only]
    else:
        return []
    instances = as_names(obs[instance])
    regions = []
    for code, name in enumerate(names):
        rows = np.flatnonzero(codes == code)
        found = Region(name, rows, instances[rows])
        kind = next((kind for kind in ("shapes", "labels") if name in store.children(kind)), "")
        if kind:
            found.element = f"{kind}/{name}"
        regions.append(found)
    return regions


def place(
    store: Store, regions: list[Region], n_cells: int, instance_key: str, findings: Findings
) -> NDArray[np.float64]:
    """Find the positions of cells in the elements that they are of.

    Parameters
    ----------
    store
        The store.
    regions
        Which each has an element or none; their shapes and places are added to them.
    n_cells
        Cells of the table.
    instance_key
        The column that names them.
    findings
        Added to.

    Returns
    -------
    (n, 2) x and y, NaN where a cell has no shape.

    Raises
    ------
    InputError
        If an element is damaged, or has a place that is not read.
    """
    own = {}
    if n_nowhere := n_cells - sum(len(region.rows) for region in regions):
        findings.leave_out("cells", n_nowhere, "the table does not say what shapes they are of", "obs")
    for region in regions:
        if not region.element:
            findings.leave_out(
                f"cells of {region.name!r}",
                len(region.rows),
                "the store has neither shapes nor labels of this name",
            )
            continue
        about = store.attributes(region.element)
        if region.element.startswith("shapes/"):
            region.transformations = about.get("coordinateTransformations")
            region.shapes = shapes.read_shapes(store, region.element, instance_key)
            own[region.name] = _in_shapes(region, region.shapes, findings)
        else:
            region.transformations = label_images.multiscales_of(about).get("coordinateTransformations")
            region.axes = "yx"
            own[region.name] = _in_labels(store, region, findings)
    there = [region for region in regions if region.element]
    _choose_system(store, there, findings)
    xy = np.full((n_cells, 2), np.nan)
    for region in there:
        if region.system:
            matrix = matrix_to(store, region.element, region.transformations, region.system, region.axes)
            region.matrix = np.eye(3) if matrix is None else matrix
        xy[region.rows] = moved(own[region.name], region.matrix)
    return xy


def _in_shapes(region: Region, found: Shapes, findings: Findings) -> NDArray[np.float64]:
    at = found.names.get_indexer(region.instances)
    n_unused = len(found.names) - len(np.unique(at[at >= 0]))
    if n_unused:
        findings.leave_out(
            "shapes without a cell",
            n_unused,
            f"the table has counts of {len(at):,} of {len(found.names):,}",
            found.file,
        )
    xy = np.full((len(at), 2), np.nan)
    xy[at >= 0] = found.points[at[at >= 0]]
    _say_missing(int(np.isnan(xy[:, 0]).sum()), region, findings)
    return xy


def _in_labels(store: Store, region: Region, findings: Findings) -> NDArray[np.float64]:
    numbers = pd.to_numeric(pd.Series(region.instances), errors="coerce").fillna(-1).to_numpy(np.int64)
    xy = label_images.centres(store, region.element, numbers)
    findings.assume("positions", "they are the centres of the cells' labels", region.element, len(xy))
    _say_missing(int(np.isnan(xy[:, 0]).sum()), region, findings)
    return xy


def _say_missing(n_missing: int, region: Region, findings: Findings) -> None:
    if n_missing:
        findings.leave_out(
            "cells without a shape",
            n_missing,
            f"{n_missing:,} of {len(region.rows):,} cells of {region.name!r} have no place in it",
            region.element,
        )


def matrix_to(store: Store, element: str, transformations: Any, system: str, axes: str) -> Matrix | None:
    """Give the transformation of an element to a coordinate system; None if there is none.

    Parameters
    ----------
    store
        The store.
    element
        Its folder.
    transformations
        The list ``coordinateTransformations`` of the element.
    system
        Name of the coordinate system.
    axes
        Of the element, one letter each.

    Raises
    ------
    InputError
        If it is of a kind that is not read, or broken.
    """
    try:
        return ngff.to_system(transformations, system, list(axes))
    except InputError as error:
        raise InputError(f"{store.name}: {element}: {error}") from error


def _choose_system(store: Store, regions: list[Region], findings: Findings) -> None:
    """Give regions the coordinate system that they share; each its own where they share none."""
    known = [list(ngff.systems(region.transformations)) for region in regions]
    nowhere = [region.element for region, names in zip(regions, known, strict=True) if not names]
    if not any(known):
        for element in nowhere:
            why = "its description (.zattrs or zarr.json) names no coordinate system: as stored"
            findings.assume("where the shapes lie", why, element)
        return
    if nowhere:
        raise InputError(
            f"{store.name}: {nowhere[0]} names no coordinate system, as others do. Copy its description "
            "(.zattrs or zarr.json) again."
        )
    shared = [name for name in known[0] if all(name in names for names in known)]
    chosen = GLOBAL if GLOBAL in shared else (shared or [""])[0]
    for region, names in zip(regions, known, strict=True):
        region.system = chosen or (names or [""])[0]
    if not chosen:
        own = listed([f"{region.name} in {region.system}" for region in regions])
        findings.assume("coordinate systems", f"regions share none, so that each lies in its own: {own}")
    elif chosen != GLOBAL:
        findings.assume("coordinate system", f"there is no {GLOBAL!r}, so that positions are in {chosen!r}")


def um_of(regions: list[Region]) -> float | None:
    """Give the micrometres of a unit of the positions, where the regions' systems state the same."""
    stated = {ngff.systems(region.transformations).get(region.system) for region in regions if region.element}
    return stated.pop() if len(stated) == 1 else None


def scale_of(regions: list[Region]) -> float | None:
    """Give how much longer a unit of the elements is than one of the positions, where that is one number."""
    found = set()
    for region in (region for region in regions if region.element):
        turned = region.matrix[:2, :2]
        scale = float(np.sqrt(abs(np.linalg.det(turned))))
        if scale <= 0 or not np.allclose(turned @ turned.T, scale**2 * np.eye(2), rtol=1e-6, atol=0):
            return None
        found.add(round(scale, 12))
    return found.pop() if len(found) == 1 else None
