"""Outlines of cells come back from their tiles as they went in, and each is in one tile of a level."""

import json
from pathlib import Path

import numpy as np
import pytest
from anndata import AnnData
from hypothesis import given, settings
from hypothesis import strategies as st

import squint.io
from squint.errors import InputError
from squint.io.boundaries import Boundaries, from_rings
from squint.library import boundary_tiles, ingest
from squint.library.points import progressive_order
from squint.library.store import BOUNDARY_TILES, Library
from tests.helpers.tissue import outlined, section


def parts(content: bytes) -> tuple[np.ndarray, ...]:
    """Read a tile by what its format says, not by the code that wrote it."""
    n, k, t = np.frombuffer(content, "<u4", 3).tolist()
    at = 12
    found = []
    for kind, length in (("<u4", n), ("<u4", n), ("<u4", 3 * t), ("<i2", 2 * k), ("u1", n)):
        found.append(np.frombuffer(content, kind, length, at))
        at += found[-1].nbytes
    assert at == len(content)
    return tuple(found)


def read(path: Path, level: int) -> dict[int, np.ndarray]:
    """Give the corners of each polygon by its place."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    rings: dict[int, np.ndarray] = {}
    for tile in header["levels"][level]:
        begin = 8 + length + tile["at"]
        places, ends, _, corners, _ = parts(content[begin : begin + tile["bytes"]])
        own = np.asarray(tile["origin"]) + tile["step"] * corners.reshape(-1, 2)
        left, top, right, bottom = tile["box"]
        slack = tile["step"]
        assert (own >= [left - slack, top - slack]).all()
        assert (own <= [right + slack, bottom + slack]).all()
        for place, ring in zip(places.tolist(), np.split(own, ends[:-1]), strict=True):
            assert place not in rings
            rings[place] = ring
    assert len(rings) == header["n"]
    return rings


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 60), st.integers(0, 2**32 - 1), st.floats(-1e5, 1e5))
def test_rings_come_back_at_the_places_of_their_cells(tmp_path_factory, n: int, seed: int, far: float):
    rng = np.random.default_rng(seed)
    place = far + rng.uniform(0, 500, (n, 2))
    has = np.flatnonzero(rng.random(n) < 0.7)
    sizes = rng.integers(3, 20, len(has))
    around = [np.sort(rng.uniform(0, 2 * np.pi, size)) for size in sizes]
    rings = [
        place[i] + rng.uniform(2, 8, (len(a), 1)) * np.column_stack([np.cos(a), np.sin(a)])
        for i, a in zip(has, around, strict=True)
    ]
    corners = np.concatenate([np.empty((0, 2)), *rings])
    boundaries = from_rings(has, np.concatenate([[0], np.cumsum(sizes)]).astype(int), corners)
    order = progressive_order(place)
    path = tmp_path_factory.mktemp("tiles") / BOUNDARY_TILES
    boundary_tiles.write_tiles(boundaries, place, order, path)
    whole, few = read(path, 0), read(path, 1)
    assert set(whole) == set(few)
    assert sorted(order[list(whole)]) == sorted(boundaries.cells)
    for at, ring in whole.items():
        (k,) = np.flatnonzero(boundaries.cells == order[at])
        wanted = boundaries.corners[boundaries.offsets[k] : boundaries.offsets[k + 1]] + boundaries.origin
        if len(ring) != len(wanted):
            continue  # one that crosses itself
        near = np.abs(ring[:, None] - wanted[None]).max(axis=2)  # turned, so that the first corner sees all
        assert (near.min(axis=1) < 0.02).all()
        assert (near.min(axis=0) < 0.02).all()


def test_tiles_hold_cells_that_lie_together(tmp_path: Path) -> None:
    place, boundaries = outlined(100)
    path = tmp_path / BOUNDARY_TILES
    boundary_tiles.write_tiles(boundaries, place, progressive_order(place), path)
    header, _ = boundary_tiles._read_header(path)
    whole, few = header["levels"]
    assert [tile["n"] for tile in whole] == [2_048] * 4 + [10_000 - 4 * 2_048]
    assert [tile["n"] for tile in few] == [10_000]
    for tile in whole:
        left, top, right, bottom = tile["box"]
        assert (right - left) * (bottom - top) < 4 * tile["n"] * 100  # um2: ten times ten a cell
        assert tile["step"] < 0.02  # um


def kept(home: Path) -> tuple[Library, str, Boundaries]:
    library = Library(home)
    library.note_samples()
    place, boundaries = outlined(12)
    adata: AnnData = section(len(place), "S")
    adata.obsm["spatial"] = place
    adata.write_h5ad(home / "one.h5ad")
    labels = ingest.Labels({"P-1": "P-1"}, {})
    (part,) = ingest.clean(squint.io.read(home / "one.h5ad"), labels)
    return library, ingest.add(library, part, labels, boundaries)[0].id, boundaries


def test_a_tile_is_given_by_its_name_alone(tmp_path: Path) -> None:
    library, section_id, _ = kept(tmp_path)
    header = boundary_tiles.header_of(library, section_id)
    assert header is not None
    (tile,) = header["levels"][0]
    found = boundary_tiles.tile_of(library, section_id, 0, 0, tile["name"])
    assert found is not None
    assert len(found) == tile["bytes"]
    assert boundary_tiles.tile_of(library, section_id, 0, 0, "0" * 32) is None
    assert boundary_tiles.tile_of(library, section_id, 0, 1, tile["name"]) is None
    assert boundary_tiles.tile_of(library, section_id, 2, 0, tile["name"]) is None


def test_a_section_kept_before_there_were_tiles_gets_the_same(tmp_path: Path) -> None:
    library, section_id, _ = kept(tmp_path)
    path = library.folder(section_id) / BOUNDARY_TILES
    before = path.read_bytes()
    with library.database.writing() as session:
        library.files.forget(session, path)
    path.unlink()
    assert boundary_tiles.header_of(library, section_id) is None
    assert boundary_tiles.has_boundaries(library, section_id)
    boundary_tiles.make_tiles(library, section_id)
    made = boundary_tiles.header_of(library, section_id)
    assert made is not None
    assert made["n"] == 144
    assert abs(len(path.read_bytes()) - len(before)) < 200  # corners went through float32 once more


def test_damaged_tiles_are_not_sent(tmp_path: Path) -> None:
    library, section_id, _ = kept(tmp_path)
    path = library.folder(section_id) / BOUNDARY_TILES
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(InputError):
        boundary_tiles.header_of(library, section_id)
