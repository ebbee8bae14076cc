import json
import subprocess
import sys

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

from squint import io, keys
from squint.errors import InputError


def notes_of(adata):
    return " ".join(adata.uns["squint"]["notes"])


def test_a_large_section_is_read_in_less_than_a_gigabyte(real_section):
    # VmHWM is of this process alone; ru_maxrss would begin with what the tests held when they forked.
    code = (
        "import re, sys; import squint; squint.read(sys.argv[1]);"
        "print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])"
    )
    path = real_section("xenium_human_pancreas_full")
    run = subprocess.run([sys.executable, "-c", code, path], capture_output=True, check=True, text=True)
    assert int(run.stdout) < 1_000_000


def test_what_is_read_has_the_documented_form(section, saved):
    read = io.read(saved())
    assert read.X.format == "csr"
    assert read.X.dtype == np.float32
    np.testing.assert_array_equal(read.X.toarray(), section.X.toarray())
    assert list(read.obs[keys.SECTION].cat.categories) == ["left", "right"]
    assert list(read.obs[keys.PATIENT].cat.categories) == ["P1", "P2"]
    assert np.asarray(read.obsm["spatial"]).dtype == np.float64
    assert read.uns["squint"]["unit"] == "unknown"
    assert read.uns["squint"]["values"] == "counts"
    json.dumps(read.uns["squint"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(
    counts=hnp.arrays(np.int64, (5, 4), elements=st.integers(0, 60)),
    dtype=st.sampled_from([np.float64, np.float32, np.int64, np.int32, np.uint8, np.uint16]),
    storage=st.sampled_from([np.asarray, sparse.csr_matrix, sparse.csc_matrix]),
)
def test_storage_and_number_type_do_not_matter(section, tmp_path, counts, dtype, storage):
    small = section[:5, :4].copy()
    small.X = storage(counts.astype(dtype))
    small.write_h5ad(tmp_path / "x.h5ad")
    read = io.read(tmp_path / "x.h5ad")
    assert read.X.dtype == np.float32
    np.testing.assert_array_equal(read.X.toarray(), counts)


@pytest.mark.parametrize(
    ("alias", "key"),
    [
        ("section_id", keys.SECTION),
        ("section", keys.SECTION),
        ("sample", keys.SECTION),
        ("library_id", keys.SECTION),
        ("batch", keys.SECTION),
        ("patient_id", keys.PATIENT),
        ("patient", keys.PATIENT),
        ("donor", keys.PATIENT),
        ("cell_type", keys.CELL_TYPE),
        ("celltype", keys.CELL_TYPE),
        ("annotation", keys.CELL_TYPE),
    ],
)
def test_every_alias_is_found(section, saved, alias, key):
    section.obs = pd.DataFrame({alias: ["a", "b", "c"] * 10, "other": 1.5}, index=section.obs_names)
    read = io.read(saved())
    assert list(read.obs[key]) == ["a", "b", "c"] * 10
    assert "other" in read.obs
    assert alias == key or alias not in read.obs


def test_the_first_alias_wins(section, saved):
    section.obs["batch"] = "b"
    section.obs["sample"] = "s"
    read = io.read(saved())
    assert set(read.obs[keys.SECTION]) == {"left", "right"}
    assert {"batch", "sample"} <= set(read.obs)


def test_columns_name_what_the_file_calls_otherwise(section, saved):
    section.obs["slide"] = [1.0, 2.0] * 15
    read = io.read(saved(), columns={"section_id": "slide"})
    assert set(read.obs[keys.SECTION]) == {"1", "2"}
    with pytest.raises(InputError, match="no column 'absent'"):
        io.read(saved(), columns={"section_id": "absent"})
    with pytest.raises(InputError, match="may name section_id"):
        io.read(saved(), columns={"colour": "slide"})


def test_a_file_without_sections_is_one_named_after_it(section, saved):
    section.obs = section.obs.drop(columns="section")
    read = io.read(saved("kidney 7.h5ad"))
    assert set(read.obs[keys.SECTION]) == {"kidney 7"}
    assert "'kidney 7'" in notes_of(read)


def test_z_that_varies_within_a_section_is_a_coordinate(section, saved):
    section.obs["z"] = np.arange(30.0)
    read = io.read(saved())
    assert np.shape(read.obsm["spatial"]) == (30, 3)
    np.testing.assert_array_equal(read.obsm["spatial"][:, 2], np.arange(30.0))
    assert keys.Z not in read.obs


def test_z_that_is_constant_within_sections_is_the_height_of_a_level(section, saved):
    section.obs["z"] = [0] * 15 + [12] * 15
    read = io.read(saved())
    assert np.shape(read.obsm["spatial"]) == (30, 2)
    assert set(read.obs[keys.Z]) == {0.0, 12.0}


@pytest.mark.parametrize(
    ("stated", "scale", "unit", "note"),
    [
        (None, 1, "unknown", ""),
        ("um", 1, "um", ""),
        ("um", 1e6, "um", "check the unit"),
        ("unknown", 1, "unknown", ""),
        ("um (assumed)", 1, "unknown", ""),  # as squint guessed once
        ("parsec", 1, "unknown", ""),
    ],
)
def test_unit_is_as_stated_and_never_guessed(section, saved, stated, scale, unit, note):
    if stated:
        section.uns["squint"] = {"unit": stated}
    section.obsm["spatial"] = section.obsm["spatial"] * scale
    read = io.read(saved())
    assert read.uns["squint"]["unit"] == unit
    assert note in notes_of(read)


def test_ensembl_ids_become_symbols(section, saved):
    section.var["gene_ids"] = [f"SYMBOL{i}" for i in range(5)] + [""]
    section.var_names = [f"ENSMUSG{i:011d}.2" for i in range(6)]
    read = io.read(saved())
    assert list(read.var_names) == [f"SYMBOL{i}" for i in range(5)] + ["ENSMUSG00000000005.2"]
    assert "5 genes" in notes_of(read)


def test_genes_that_share_a_name_are_summed(section, saved):
    section.var_names = ["A", "B", "A", "C", "D", "A"]
    dense = section.X.toarray()
    read = io.read(saved())
    assert list(read.var_names) == ["A", "B", "C", "D"]
    np.testing.assert_array_equal(read[:, "A"].X.toarray()[:, 0], dense[:, [0, 2, 5]].sum(axis=1))
    assert "2 genes share a name" in notes_of(read)


def test_repeated_cell_names_are_made_unique(section, saved):
    section.obs_names = ["a", "a", "a-1", "a"] + [f"c{i}" for i in range(26)]
    read = io.read(saved())
    assert list(read.obs_names[:4]) == ["a", "a-2", "a-1", "a-3"]
    assert "2 cell names" in notes_of(read)
    assert list(read.obs[keys.CELL_ID][:4]) == ["a", "a", "a-1", "a"]


def test_the_counts_layer_is_used_where_x_is_normalised(section, saved):
    section.layers["counts"] = section.X.copy()
    section.X = np.log1p(section.X.toarray())
    read = io.read(saved())
    np.testing.assert_array_equal(read.X.toarray(), section.layers["counts"].toarray())
    assert 'layers["counts"]' in notes_of(read)


def test_intensities_are_read_for_viewing(section, saved):
    section.X = sparse.csr_matrix(np.full((30, 6), 4000, dtype=np.int32))
    read = io.read(saved())
    assert read.uns["squint"]["values"] == "intensities"
    assert "viewing only" in notes_of(read)


def test_tables_of_anndata_0_7_are_read(section, saved):
    section.obs["section"] = section.obs["section"].astype("category")
    path = saved()
    with h5py.File(path, "r+") as file:
        codes, categories = file["obs/section/codes"][()], file["obs/section/categories"][()]
        del file["obs/section"]
        file["obs"].attrs["encoding-version"] = "0.1.0"
        file["obs/section"] = codes
        file["obs/__categories/section"] = categories
        file["obs/section"].attrs["categories"] = file["obs/__categories/section"].ref
    assert list(io.read(path).obs[keys.SECTION]) == ["left"] * 15 + ["right"] * 15


def test_results_are_read_again_and_other_layers_are_left(section, saved):
    section.obsm[keys.LATENT] = np.ones((30, 3), np.float32)
    section.layers["scaled"] = section.X * 0.5
    read = io.read(saved())
    assert np.shape(read.obsm[keys.LATENT]) == (30, 3)
    assert not read.layers
    assert "layers/scaled" in [item.what for item in io.validate(saved()).left_out]


def test_reading_imports_neither_torch_nor_scanpy():
    code = (
        "import sys, squint; squint.read; sys.exit(bool({'torch', 'scanpy', 'streamlit'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
