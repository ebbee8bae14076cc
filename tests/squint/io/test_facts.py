"""Facts before guesses: what field's bug reports describe, each with the right value."""

import json
import subprocess
import sys

import anndata
import h5py
import numpy as np
import pytest
from scipy import sparse

from squint import io, keys, pp
from tests.helpers.paths import CASES
from tests.helpers.tables_of_cells import cells, facts, saved, tissue


def test_a_stored_graph_is_used_only_if_it_is_squints_own(tmp_path):
    adata = cells(tissue(), section=np.arange(400) // 200)
    own = io.read(saved(adata, tmp_path))
    pp.spatial_neighbors(own)
    adata.obsp[keys.CONNECTIVITIES] = own.obsp[keys.CONNECTIVITIES]
    read = io.read(saved(adata, tmp_path))
    ours, theirs = (sparse.csr_matrix(one.obsp[keys.DISTANCES]) for one in (own, read))
    assert abs(ours - theirs).max() < 1e-9
    for n_neighbors in (6, 9):
        pp.spatial_neighbors(own, n_neighbors=n_neighbors)
        adata.obsp[keys.CONNECTIVITIES] = own.obsp[keys.CONNECTIVITIES]
        path = saved(adata, tmp_path)
        assert not io.read(path).obsp
        assert "stored graph of neighbours" in [item.what for item in facts(path).left_out]


def test_a_stored_graph_that_joins_sections_is_not_used(tmp_path):
    adata = cells(tissue())
    whole = io.read(saved(adata, tmp_path))
    pp.spatial_neighbors(whole)
    adata.obs["section"] = np.arange(400) // 200
    adata.obsp[keys.CONNECTIVITIES] = whole.obsp[keys.CONNECTIVITIES]
    assert not io.read(saved(adata, tmp_path)).obsp


def test_the_region_of_spatialdata_is_a_section_and_its_instance_the_name_of_a_cell(tmp_path):
    adata = cells(
        tissue(), region=["left"] * 200 + ["right"] * 200, cell_id=[f"jcccmpde-{i}" for i in range(400)]
    )
    adata.obs_names = [str(i) for i in range(400)]
    adata.uns["spatialdata_attrs"] = {
        "region": ["left", "right"],
        "region_key": "region",
        "instance_key": "cell_id",
    }
    read = io.read(saved(adata, tmp_path))
    assert list(read.obs[keys.SECTION].cat.categories) == ["left", "right"]
    assert keys.REGION not in read.obs
    assert read.obs_names[0] == "jcccmpde-0"


def test_an_index_named_like_a_column_is_written_again(tmp_path):
    adata = cells(tissue(100))
    adata.obs["label"] = np.arange(100)
    path = saved(adata, tmp_path)
    with h5py.File(path, "r+") as file:  # as other tools write it: index and column of one name
        file["obs"].move("_index", "label_index")
        file["obs"].attrs["_index"] = "label_index"
    read = io.read(path)
    io.write(read, tmp_path / "again.h5ad")
    assert list(io.read(tmp_path / "again.h5ad").obs["label"]) == list(range(100))


def test_columns_that_no_file_can_hold_are_left_out_and_text_is_repaired(tmp_path):
    adata = cells(tissue(100))
    path = saved(adata, tmp_path)
    with h5py.File(path, "r+") as file:
        file["obs/pair"] = np.zeros(100, dtype=[("a", "f4"), ("b", "f4")])
        file["obs/pair"].attrs.update({"encoding-type": "rec-array", "encoding-version": "0.2.0"})
        labels = file["obs"].create_dataset("label", data=[b"bad\x01"] * 100, dtype=h5py.string_dtype())
        labels.attrs.update({"encoding-type": "string-array", "encoding-version": "0.2.0"})
        file["obs"].attrs["column-order"] = ["pair", "label"]
    read = io.read(path)
    assert set(read.obs["label"]) == {"bad"}
    assert "column 'pair'" in [item.what for item in facts(path).left_out]
    io.write(read, tmp_path / "again.h5ad")
    assert "100 texts in obs, 'label'" in " ".join(read.uns["squint"]["notes"])


def test_sections_that_number_cells_alike_are_written_into_one_file(tmp_path):
    paths = [saved(cells(tissue(60, seed), section=f"S{seed}"), tmp_path, f"s{seed}.h5ad") for seed in (0, 1)]
    code = (
        "import sys; from squint.cli.terminal import joined; import squint.io as io\n"
        "io.write(joined([io.read(p) for p in sys.argv[1:3]]), sys.argv[3])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *paths, tmp_path / "one.h5ad"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert io.read(tmp_path / "one.h5ad").obs_names.is_unique


RIGHT: dict[str, dict[str, object]] = {
    "03_missing_spelt_nan/text_nan.h5ad": {"patients": ("P1", "P2", "P3"), "n_cells": 2000},
    "06_graph_without_distances/connectivities_only.h5ad": {"n_cells": 400},
    "06_graph_without_distances/distances_only.h5ad": {"n_cells": 400},
    "08_control_probes/xenium_controls.h5ad": {"n_genes": 283},
    "14_numbers_as_labels/holes.h5ad": {"patients": ("1", "3")},
    "14_numbers_as_labels/whole.h5ad": {"patients": ("1", "2")},
    "22_spots_without_counts/outside.h5ad": {"n_empty_cells": 191},
}


@pytest.mark.parametrize("name", RIGHT)
def test_cases_of_bug_reports(name):
    path = CASES / name
    if not path.exists():
        pytest.skip(f"{name} is not in {CASES}, beside SQUINT_TEST_DATA")
    report = io.validate(path)
    assert {key: getattr(report, key) for key in RIGHT[name]} == RIGHT[name]


def test_left_out_assumed_and_asked_are_in_the_json_of_the_command(tmp_path):
    adata = cells(tissue(), 3)
    adata.var_names = ["CD4", "CD8A", "Blank-1"]
    path = saved(adata, tmp_path)
    out = tmp_path / "facts.json"
    command = [sys.executable, "-m", "squint", "validate", path, "--json", out]
    subprocess.run(command, check=True, capture_output=True)
    said = json.loads(out.read_text())
    assert said["left_out"] == [{"what": "Blank", "n": 1, "why": "no gene", "file": "names of features"}]
    assert said["assumed"] == []
    assert said["asked"][0]["option"] == "unit"
    assert said["unit"] == "unknown"
    subprocess.run([*command, "--unit", "0.5"], check=True, capture_output=True)
    said = json.loads(out.read_text())
    assert (said["unit"], said["asked"]) == ("um", [])


def test_the_command_ends_with_2_and_one_line_on_an_open_question(tmp_path):
    fields = [tissue(seed=seed) for seed in range(3)]
    path = saved(cells(np.concatenate(fields), fov=np.repeat(np.arange(3), 400)), tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "squint", "validate", path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "--column section_id=COLUMN (fov)" in done.stderr


def test_anndata_reads_what_is_written(tmp_path):
    io.write(io.read(saved(cells(tissue()), tmp_path)), tmp_path / "out.h5ad")
    assert anndata.read_h5ad(tmp_path / "out.h5ad").uns["squint"]["unit"] == "unknown"
