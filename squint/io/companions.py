"""What lies around the cells of a SpatialData table: outlines by their names, and pictures."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from squint.errors import InputError
from squint.io import label_images, ngff, shapes
from squint.io.boundaries import Boundaries, from_rings
from squint.io.content import Placed
from squint.io.elements import GLOBAL, Region, matrix_to
from squint.io.findings import Findings
from squint.io.ngff import Matrix
from squint.io.shapes import Shapes, moved
from squint.io.slots import listed
from squint.io.zarr_store import Store

MOST = 0.5  # share of cells that have an outline by name, from which outlines are theirs
INSIDE = 0.9  # share of these that lie within the bounds of their outline
PIXEL = np.array(
    [[1.0, 0.0, 0.5], [0.0, 1.0, 0.5], [0.0, 0.0, 1.0]]
)  # SpatialData counts from a pixel's corner


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
    others = _others(store, regions, findings)
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
                frame = np.asarray(matrix @ np.linalg.inv(matrices[1]), np.float64)
            break
    if not cells:
        return None, frame
    offsets = np.concatenate([[0], np.cumsum(np.concatenate(sizes))]).astype(np.int64)
    what = "nucleus" if all("nucle" in file.lower() for file in files) else "cell"
    rings = from_rings(np.concatenate(cells), offsets, np.concatenate(corners), what)
    findings.find("outlines", len(rings.cells), listed(sorted(set(files))))
    return rings, frame


def _others(store: Store, regions: list[Region], findings: Findings) -> list[str]:
    """Name the polygons that the table does not annotate, those of cells first; say which are damaged."""
    annotated = {region.name for region in regions}
    found = []
    for name in (name for name in store.children("shapes") if name not in annotated):
        try:
            if shapes.holds_polygons(store, f"shapes/{name}"):
                found.append(name)
        except InputError as error:
            findings.leave_out(f"shapes {name!r}", None, str(error), f"shapes/{name}")
    return sorted(found, key=lambda name: ("nucle" in name.lower(), "cell" not in name.lower(), name))


def _candidates(
    store: Store, others: list[str], region: Region, instance_key: str, findings: Findings
) -> list[tuple[Shapes, list[Matrix]]]:
    found = []
    for name in others:
        element = f"shapes/{name}"
        try:
            transformations = store.attributes(element).get("coordinateTransformations")
            moves = matrix_to(store, element, transformations, region.system or GLOBAL, "xy")
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
