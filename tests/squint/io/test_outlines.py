"""Outlines from a table of corners: each lies by its cell, whatever their order."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from squint.errors import InputError
from squint.io.outlines import read_outlines
from tests.helpers.xenium_folder import write_table


def square(cell: str, at: float) -> list[tuple[str, float, float]]:
    return [(cell, at + x, at + y) for x, y in ((0, 0), (2, 0), (2, 2), (0, 2), (0, 0))]


def write_corners(path: Path, rows: list[tuple[str, float, float]]) -> None:
    cells, x, y = zip(*rows, strict=True)
    write_table(path, {"cell_id": list(cells), "vertex_x": list(x), "vertex_y": list(y)})


@pytest.mark.parametrize("name", ["t.parquet", "t.csv.gz"])
def test_outlines_lie_by_the_rows_of_their_cells(tmp_path, name):
    write_corners(
        tmp_path / name, [*square("c", 10), *square("other", 5), *square("a", 20), *square("b", 0)[:2]]
    )
    rings = read_outlines(tmp_path / name, pd.Index(["a", "b", "c"]), "cell_id")
    assert rings.cells.tolist() == [0, 2]
    corners = rings.corners + np.array(rings.origin)
    assert corners[:4].tolist() == [[20, 20], [22, 20], [22, 22], [20, 22]]
    assert corners[4:].tolist() == [[10, 10], [12, 10], [12, 12], [10, 12]]


def test_outlines_of_other_cells_alone_are_refused(tmp_path):
    write_corners(tmp_path / "t.parquet", square("z", 1))
    with pytest.raises(InputError, match=r"t\.parquet holds no outline of these cells"):
        read_outlines(tmp_path / "t.parquet", pd.Index(["a"]), "cell_id")


@given(data=st.data(), n_cells=st.integers(1, 8))
def test_each_ring_comes_back_for_its_cell(tmp_path_factory, data, n_cells):
    order = data.draw(st.permutations(range(n_cells)))
    kinds = data.draw(
        st.lists(st.sampled_from(["closed", "open", "short", "nan"]), min_size=n_cells, max_size=n_cells)
    )
    sizes = data.draw(st.lists(st.integers(3, 6), min_size=n_cells, max_size=n_cells))
    rings = {i: [(1000.0 * i + k, 7.0 * k * k + i) for k in range(sizes[i])] for i in range(n_cells)}
    rows: list[tuple[str, float, float]] = []
    for i in order:
        corners = rings[i] if kinds[i] != "short" else rings[i][:2]
        corners = [*corners, corners[0]] if kinds[i] == "closed" else corners
        corners = [(float("nan"), 0.0), *corners[1:]] if kinds[i] == "nan" else corners
        rows += [(str(i), x, y) for x, y in corners]
    path = tmp_path_factory.mktemp("any") / "t.parquet"
    write_corners(path, rows)
    found = read_outlines(path, pd.Index([str(i) for i in range(n_cells)]), "cell_id")
    assert found.cells.tolist() == [i for i in range(n_cells) if kinds[i] in {"closed", "open"}]
    for cell, start, stop in zip(found.cells, found.offsets, found.offsets[1:], strict=False):
        assert (found.corners[start:stop] + np.array(found.origin)).tolist() == [list(c) for c in rings[cell]]
