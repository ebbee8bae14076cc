"""Where the cells of a SpatialData table lie: in the shapes or labels that the table annotates."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from squint.errors import InputError
from squint.io import label_images, ngff, shapes
from squint.io.boundaries import Boundaries, from_rings
from squint.io.content import Placed
from squint.io.findings import Findings
from squint.io.ngff import Matrix
from squint.io.shapes import Shapes, as_names, moved
from squint.io.slots import listed
from squint.io.zarr_store import Store

GLOBAL = "global"  # SpatialData's name of the coordinates that its elements usually share
MOST = 0.5  # share of cells that have an outline by name, from which outlines are theirs
INSIDE = 0.9  # share of these that lie within the bounds of their outline
PIXEL = np.array(
    [[1.0, 0.0, 0.5], [0.0, 1.0, 0.5], [0.0, 0.0, 1.0]]
)  # SpatialData counts from a pixel's corner


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
    _choose_system(there, findings)
    xy = np.full((n_cells, 2), np.nan)
    for region in there:
        if region.system:
            matrix = _matrix(store, region.element, region.transformations, region.system, region.axes)
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
    _say_missing(int((at < 0).sum()), region, findings)
    xy = np.full((len(at), 2), np.nan)
    xy[at >= 0] = found.points[at[at >= 0]]
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
            f"{n_missing:,} of {len(region.rows):,} cells of {region.name!r} are not in it",
            region.element,
        )


def _matrix(store: Store, element: str, transformations: Any, system: str, axes: str) -> Matrix | None:
    try:
        return ngff.to_system(transformations, system, list(axes))
    except InputError as error:
        raise InputError(f"{store.name}: {element}: {error}") from error


def _choose_system(regions: list[Region], findings: Findings) -> None:
    """Give regions the coordinate system that they share; each its own where they share none."""
    known = [list(ngff.systems(region.transformations)) for region in regions]
    if not any(known):
        return
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


def outlines(
    store: Store,
    regions: list[Region],
    xy: NDArray[np.float64],
    instance_key: str,
    findings: Findings,
) -> tuple[Boundaries | None, Matrix | None]:
    """Find the outlines of cells: of the regions themselves, or in other shapes with the cells' names.

    Parameters
    ----------
    store
        The store.
    regions
        Which were placed, or not where positions are from elsewhere.
    xy
        (n, 2) positions of the table's cells.
    instance_key
        The column that names them.
    findings
        Added to.

    Returns
    -------
    The rings by rows of the table; and, where positions are from elsewhere, what takes ``"global"`` to them,
    if outlines told.
    """
    cells, sizes, corners, files = [], [], [], []
    frame: Matrix | None = None
    others = _others(store, regions)
    for region in regions:
        if region.shapes is not None and len(region.shapes.owners):
            candidates = [(region.shapes, [region.matrix])]
        else:
            candidates = _candidates(store, others, region, instance_key, findings)
        for found, matrices in candidates:
            at = found.names.get_indexer(region.instances)
            matrix = next((m for m in matrices if _are_theirs(found, at, xy[region.rows], m)), None)
            if matrix is None:
                continue
            cell_of = np.full(len(found.names), -1, np.int64)
            cell_of[at[at >= 0]] = region.rows[at >= 0]
            cells.append(cell_of[found.owners])
            sizes.append(np.diff(found.offsets))
            corners.append(moved(found.corners, matrix))
            files.append(found.file)
            if not region.element and len(matrices) > 1:
                frame = np.asarray(np.linalg.inv(matrices[1]), np.float64)
            break
    if not cells:
        return None, frame
    offsets = np.concatenate([[0], np.cumsum(np.concatenate(sizes))]).astype(np.int64)
    what = "nucleus" if all("nucle" in file.lower() for file in files) else "cell"
    rings = from_rings(np.concatenate(cells), offsets, np.concatenate(corners), what)
    findings.find("outlines", len(rings.cells), listed(sorted(set(files))))
    return rings, frame


def _others(store: Store, regions: list[Region]) -> list[str]:
    """Name the polygons that the table does not annotate, those of cells first."""
    annotated = {region.name for region in regions}
    names = [name for name in store.children("shapes") if name not in annotated]
    names.sort(key=lambda name: ("nucle" in name.lower(), "cell" not in name.lower(), name))
    return [name for name in names if shapes.holds_polygons(store, f"shapes/{name}")]


def _candidates(
    store: Store, others: list[str], region: Region, instance_key: str, findings: Findings
) -> list[tuple[Shapes, list[Matrix]]]:
    found = []
    for name in others:
        element = f"shapes/{name}"
        try:
            transformations = store.attributes(element).get("coordinateTransformations")
            moves = _matrix(store, element, transformations, region.system or GLOBAL, "xy")
            read = shapes.read_shapes(store, element, instance_key)
        except InputError as error:
            findings.leave_out(name, None, str(error), element)
            continue
        placed = [] if moves is None else [moves]
        found.append((read, placed if region.element else [np.eye(3), *placed]))
    return found


def _are_theirs(found: Shapes, at: NDArray[np.int64], xy: NDArray[np.float64], matrix: Matrix) -> bool:
    """Say whether outlines have the names of most cells, and lie around them."""
    if not len(found.owners) or (at >= 0).mean() < MOST:
        return False
    corners = moved(found.corners, matrix)
    low = np.full((len(found.names), 2), np.inf)
    high = -low
    shape = np.repeat(found.owners, np.diff(found.offsets))
    np.minimum.at(low, shape, corners)
    np.maximum.at(high, shape, corners)
    named = at[at >= 0]
    inside = ((xy[at >= 0] >= low[named]) & (xy[at >= 0] <= high[named])).all(axis=1)
    return bool(inside.mean() >= INSIDE)


def pictures(store: Store, system: str, frame: Matrix | None, findings: Findings) -> list[Placed]:
    """List the pictures of a store, and where they lie.

    Parameters
    ----------
    store
        The store.
    system
        The coordinate system of the positions, or one that ``frame`` leads from.
    frame
        From that system to the positions; None: not known.
    findings
        Added to: pictures that are broken, or of no known place.
    """
    found = []
    for name in store.children("images"):
        element = f"images/{name}"
        try:
            scales = label_images.multiscales_of(store.attributes(element))
            axes = [str(a.get("name") if isinstance(a, Mapping) else a) for a in scales.get("axes", [])]
            first = (scales.get("datasets") or [{}])[0]
            if not store.is_node(f"{element}/{first.get('path', '?')}"):
                findings.leave_out(f"picture {name!r}", None, "it has no pixels", element)
                continue
            own = np.eye(3)
            for one in first.get("coordinateTransformations") or []:
                own = ngff.matrix_of(one, axes) @ own
            moves = ngff.to_system(scales.get("coordinateTransformations"), system, axes)
        except (InputError, AttributeError, TypeError, LookupError) as error:
            why = str(error) if isinstance(error, InputError) else "its description is damaged"
            findings.leave_out(f"picture {name!r}", None, why, element)
            continue
        placed = None
        if moves is not None and frame is not None:
            rows = (frame @ moves @ own @ PIXEL)[:2].tolist()
            placed = (tuple(rows[0]), tuple(rows[1]))
        else:
            findings.note(f"{element}: where this picture lies under the cells is not stated.")
        found.append(Placed(store.path / element, name, placed))
    return found
