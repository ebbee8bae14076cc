"""Positions in a table, by the names of its columns."""

import numpy as np
import pandas as pd
import pytest

from squint import io
from squint.errors import InputError
from tests.helpers.tables_of_cells import cells, facts, saved, tissue


@pytest.mark.parametrize(
    "names",
    [("y", "x"), ("x", "y"), ("y_centroid", "x_centroid"), ("pxl_row_in_fullres", "pxl_col_in_fullres")],
)
def test_positions_in_a_table_are_taken_by_the_names_of_its_columns(tmp_path, names):
    adata = cells(positions := tissue())
    table = pd.DataFrame(
        {names[0]: positions[:, 1], names[1]: positions[:, 0], "area": 30.0}, index=adata.obs_names
    )
    if names[0] == "x":
        table = table.set_axis(["y", "x", "area"], axis=1)
    adata.obsm["spatial"] = table
    path = saved(adata, tmp_path)
    np.testing.assert_allclose(io.read(path).obsm["spatial"], positions)
    assert [item.what for item in facts(path).left_out] == ["column 'area'"]


def test_unknown_columns_of_positions_are_asked_about(tmp_path):
    adata = cells(positions := tissue())
    adata.obsm["spatial"] = pd.DataFrame(positions, columns=["a", "b"], index=adata.obs_names)
    path = saved(adata, tmp_path)
    with pytest.raises(InputError, match=r"there are a, b. Name them with --column x=COLUMN"):
        io.read(path)
    read = io.read(path, columns={"x": "b", "y": "a"})
    np.testing.assert_allclose(read.obsm["spatial"], positions[:, ::-1])


def test_positions_under_another_name_are_named_in_the_refusal(tmp_path):
    adata = cells(tissue())
    adata.obsm["X_spatial"] = adata.obsm.pop("spatial")
    with pytest.raises(InputError, match=r"It has obsm\['X_spatial'\]: rename it"):
        io.read(saved(adata, tmp_path))


def test_positions_that_are_columns_of_cells_are_named_in_the_refusal(tmp_path):
    adata = cells(tissue(), X=1.0, Y=2.0)
    del adata.obsm["spatial"]
    with pytest.raises(InputError, match=r"It has obs\['X'\] and obs\['Y'\]: put them there"):
        io.read(saved(adata, tmp_path))
