"""Outlines of the cells of a section as the map draws them: tiles of cells that lie together, in two levels.

The file begins with eight bytes, the length of a JSON header, and the header; the bytes of the tiles follow,
each named by a hash of its content. Cells lie along a Z-curve. A tile of level 0 holds 2,048 of them with all
their corners; one of level 1 holds those of eight tiles, each with at most eight corners, for cells that are
a few pixels wide. Corners are 16-bit integers, in steps of 1/65,000 of the tile's longer side: hundredths of
a micrometre. A tile is little-endian:

===========  ==========  ======================================================================
numbers      type        what
===========  ==========  ======================================================================
3            uint32      polygons p, corners k, and triangles t that are listed
p            uint32      place of each polygon's cell in the order in which cells are drawn
p            uint32      where its corners end
3 t          uint32      corners of the triangles of polygons that are not filled from the first
2 k          int16       x and y of each corner, in steps from the middle of the tile
p            uint8       1 for polygons whose triangles are listed, 0 for those filled from the first
===========  ==========  ======================================================================
"""

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

from squint.errors import InputError
from squint.files import whole
from squint.geometry.triangles import Rings, octagons, simple_rings, triangulated
from squint.io.boundaries import Boundaries, read_boundaries
from squint.library.points import Order
from squint.library.store import BOUNDARIES, BOUNDARY_TILES, PLACES, Library

SIZES = (2_048, 16_384)  # cells of a tile, by level
_STEPS = 65_000  # along the longer side of a tile
_FORM = 1


class Tile(TypedDict):
    """A tile, as the header of the file has it."""

    name: str  # hash of its content
    at: int  # where it begins, from the end of the header
    bytes: int  # how many it has
    n: int  # polygons
    corners: int  # of all of them
    box: list[float]  # left, top, right and bottom of what it covers, in the unit of the section
    origin: list[float]  # x and y of its middle
    step: float  # of its corners


class Header(TypedDict):
    """What the file holds."""

    form: int
    n: int  # polygons
    levels: list[list[Tile]]
    sizes: list[int]  # cells of a tile, by level


class _Sorted(NamedTuple):
    """Rings in the order of the tiles."""

    places: NDArray[np.uint32]  # (p,)
    rings: Rings


def write_tiles(boundaries: Boundaries, coordinates: NDArray[np.float64], order: Order, path: Path) -> None:
    """Write outlines as tiles, whole or not at all.

    Parameters
    ----------
    boundaries
        The outlines.
    coordinates
        (n, 2 | 3) of all cells of the section.
    order
        (n,) in which the map draws them.
    path
        Of the file.

    Raises
    ------
    InputError
        If the disk refuses.
    """
    from squint.formats.sequences import morton_place  # noqa: PLC0415 - it imports pyarrow, once per section

    rank = np.empty(len(order), np.int64)
    rank[np.argsort(morton_place(coordinates[:, :2]), kind="stable")] = np.arange(len(order))
    place = np.empty(len(order), np.uint32)
    place[order] = np.arange(len(order), dtype=np.uint32)
    along = np.argsort(rank[boundaries.cells], kind="stable")
    sizes = np.diff(boundaries.offsets)[along]
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    at = np.repeat(boundaries.offsets[along] - offsets[:-1], sizes) + np.arange(offsets[-1])
    corners = boundaries.corners[at].astype(np.float64) + boundaries.origin
    offsets, corners = simple_rings(offsets, corners)
    places = place[boundaries.cells[along]]
    few = octagons(offsets, corners)
    coarse = Rings(*few, np.ones(len(places), bool), np.empty((0, 3), np.int64))
    levels: list[list[Tile]] = []
    content: list[bytes] = []
    begins = 0
    for size, rings in zip(SIZES, (triangulated(offsets, corners), coarse), strict=True):
        levels.append([])
        for first in range(0, len(places), size):
            tile, made = _tile(_Sorted(places, rings), first, min(first + size, len(places)))
            levels[-1].append({**tile, "at": begins})
            content.append(made)
            begins += len(made)
    header: Header = {"form": _FORM, "n": len(places), "levels": levels, "sizes": list(SIZES)}
    said = json.dumps(header).encode()
    with whole(path) as temporary, temporary.open("wb") as file:
        file.write(len(said).to_bytes(8, "little"))
        file.write(said)
        file.writelines(content)


def _tile(rows: _Sorted, first: int, last: int) -> tuple[Tile, bytes]:
    """Make the tile of polygons ``first`` to ``last``, not included."""
    offsets, corners, fan, triangles = rows.rings
    begin, end = int(offsets[first]), int(offsets[last])
    own = corners[begin:end]
    low, high = own.min(axis=0), own.max(axis=0)
    middle = (low + high) / 2
    step = max(float((high - low).max()) / _STEPS, 1e-9)
    listed = triangles[np.searchsorted(triangles[:, 0], begin) : np.searchsorted(triangles[:, 0], end)]
    parts = [
        np.array([last - first, end - begin, len(listed)], "<u4"),
        rows.places[first:last].astype("<u4"),
        (offsets[first + 1 : last + 1] - begin).astype("<u4"),
        (listed - begin).astype("<u4"),
        np.round((own - middle) / step).astype("<i2"),
        (~fan[first:last]).astype("u1"),
    ]
    content = b"".join(part.tobytes() for part in parts)
    return {
        "name": hashlib.blake2b(content, digest_size=16).hexdigest(),
        "at": 0,
        "bytes": len(content),
        "n": last - first,
        "corners": end - begin,
        "box": [*low.tolist(), *high.tolist()],
        "origin": middle.tolist(),
        "step": step,
    }, content


def make_tiles(library: Library, section_id: str) -> None:
    """Make the tiles of a section that was kept before there were any, and keep them.

    Raises
    ------
    InputError
        If the section is gone or has no outlines, or they are damaged.
    """
    folder = library.folder(section_id)
    if (folder / BOUNDARY_TILES).exists():
        return
    boundaries = read_boundaries(library.path(section_id, BOUNDARIES))
    cells = library.cells(section_id)
    with np.load(library.path(section_id, PLACES)) as kept:
        order = kept["order"]
    with library.staged() as staged:
        write_tiles(boundaries, cells[["x", "y"]].to_numpy(np.float64), order, staged / BOUNDARY_TILES)
        library.put(staged, folder, section_id)


def has_boundaries(library: Library, section_id: str) -> bool:
    """Say whether a section came with outlines of cells that the map can draw."""
    folder = library.folder(section_id)
    return (folder / BOUNDARIES).exists() and (folder / PLACES).exists()


def header_of(library: Library, section_id: str) -> Header | None:
    """Read what tiles a section has; ``None`` if they are not made yet.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    path = library.folder(section_id) / BOUNDARY_TILES
    return _read_header(library.files.checked(path))[0] if path.exists() else None


def tile_of(library: Library, section_id: str, level: int, number: int, name: str) -> bytes | None:
    """Give the bytes of a tile; ``None`` if there is none of this name at this place.

    Raises
    ------
    InputError
        If the file is missing or damaged.
    """
    path = library.path(section_id, BOUNDARY_TILES)
    header, begins = _read_header(path)
    if level >= len(header["levels"]) or number >= len(header["levels"][level]):
        return None
    tile = header["levels"][level][number]
    if tile["name"] != name:
        return None
    with path.open("rb") as file:
        file.seek(begins + tile["at"])
        return file.read(tile["bytes"])


def _read_header(path: Path) -> tuple[Header, int]:
    stamp = path.stat()
    return _header(str(path), stamp.st_mtime_ns, stamp.st_size)


@lru_cache(maxsize=16)
def _header(path: str, _changed: int, _size: int) -> tuple[Header, int]:
    with Path(path).open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header: Any = json.loads(file.read(length))
    if header["form"] != _FORM:
        raise InputError(f"{BOUNDARY_TILES} is of another squint. Delete the section and add it again.")
    return header, 8 + length
