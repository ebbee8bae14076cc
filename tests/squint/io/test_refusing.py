import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from squint import io
from squint.errors import InputError


def test_cells_without_a_section_are_refused(section, saved):
    section.obs["section"] = pd.Categorical([None, ""] + ["a"] * 28)
    with pytest.raises(InputError, match="2 cells have no section"):
        io.read(saved())


def test_normalised_values_without_counts_are_refused(section, saved):
    section.X = section.X.log1p()
    with pytest.raises(InputError, match=r'no whole numbers .* Store raw counts in layers\["counts"\]'):
        io.read(saved())


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -1.0])
@pytest.mark.parametrize("storage", [np.asarray, sparse.csr_matrix, sparse.csc_matrix])
def test_impossible_counts_are_refused_with_their_number_and_first_cell(section, saved, value, storage):
    dense = section.X.toarray()
    dense[7, 3] = dense[7, 1] = dense[20, 0] = value
    section.X = storage(dense)
    with pytest.raises(InputError, match=r"negative, NaN or infinite values \(3\); .* 'cell7'"):
        io.read(saved())


def test_no_cells_and_no_genes_are_refused(section, tmp_path):
    section[:0].copy().write_h5ad(tmp_path / "x.h5ad")
    with pytest.raises(InputError, match="0 cells"):
        io.read(tmp_path / "x.h5ad")
    section[:, :0].copy().write_h5ad(tmp_path / "x.h5ad")
    with pytest.raises(InputError, match="0 genes"):
        io.read(tmp_path / "x.h5ad")


@pytest.mark.parametrize(
    ("spatial", "message"),
    [
        (None, r'no obsm\["spatial"\]'),
        (np.zeros((30, 4)), "has shape"),
        (np.zeros((30, 1)), "has shape"),
        (np.array([["a", "b"]] * 30), "no numbers"),
        (np.array([[0.0, 1.0]] * 29 + [[np.nan, 1.0]]), "not finite for 1 cells, the first 'cell29'"),
        (np.array([[np.inf, 1.0]] * 30), "not finite for 30 cells"),
        (np.array([[0.0, 1.0]] * 3 + [[0.0, -1e300]] * 27), "beyond .* for 27 cells, the first 'cell3'"),
        (np.array([[0, 10**15]] * 30), "beyond .* for 30 cells, the first 'cell0'"),
    ],
)
def test_unusable_coordinates_are_refused_by_name_of_their_slot(section, saved, spatial, message):
    del section.obsm["spatial"]
    if spatial is not None:
        section.obsm["spatial"] = spatial
    with pytest.raises(InputError, match=message) as error:
        io.read(saved())
    assert 'obsm["spatial"]' in str(error.value)


def test_a_third_coordinate_from_a_column_is_bounded_too(section, saved):
    section.obs["z"] = [0.0, 1e300] * 15
    with pytest.raises(InputError, match="beyond"):
        io.read(saved())


@pytest.mark.parametrize(
    ("dataset", "position", "value", "message"),
    [
        ("X/indices", 4, 99, "99 at position 4"),
        ("X/indices", 4, -1, "-1 at position 4"),
        ("X/indptr", 3, -5, "falls at position 3"),
        ("X/indptr", 3, 10**6, "falls at position 4"),
        ("X/indptr", 0, 1, "no 0 first"),
        ("X/indptr", 30, 10**6, "ends at 1000000"),
        ("obs/section/codes", 0, 7, "`obs` is damaged"),
    ],
)
def test_indices_that_contradict_the_shape_are_refused_with_their_position(
    section, saved, dataset, position, value, message
):
    section.obs["section"] = section.obs["section"].astype("category")
    path = saved()
    with h5py.File(path, "r+") as file:
        file[dataset][position] = value
    with pytest.raises(InputError, match=message):
        io.read(path)


@pytest.mark.parametrize("slot", ["obs", "var", "X"])
def test_missing_slots_are_refused(saved, slot):
    path = saved()
    with h5py.File(path, "r+") as file:
        del file[slot]
    with pytest.raises(InputError, match=f"has no `{slot}`"):
        io.read(path)


def test_a_matrix_of_another_size_is_refused(saved):
    path = saved()
    with h5py.File(path, "r+") as file:
        file["X"].attrs["shape"] = (30, 7)
    with pytest.raises(InputError, match="30 x 7, but `obs` has 30 cells and `var` 6 genes"):
        io.read(path)


def test_a_table_of_an_older_anndata_is_refused(saved):
    path = saved()
    with h5py.File(path, "r+") as file:
        del file["obs"]
        file["obs"] = np.zeros(30, dtype=[("index", "S5"), ("n", "i4")])
    with pytest.raises(InputError, match=r"anndata before 0.7"):
        io.read(path)
