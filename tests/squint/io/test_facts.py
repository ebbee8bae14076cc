"""Facts before guesses: what field's bug reports describe, each with the right value."""

import json
import subprocess
import sys
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse

from squint import io, keys, pp
from squint.errors import InputError
from squint.io import slots
from squint.io.annotated import um_of_bins
from squint.io.findings import AskedError, Findings
from tests.helpers.paths import CASES


def tissue(n: int = 400, seed: int = 0, spacing: float = 8.0) -> NDArray[np.float64]:
    """Place cells as tissue does: near a grid, none on another."""
    rng = np.random.default_rng(seed)
    side = int(np.ceil(np.sqrt(n)))
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2)[:n]
    return spacing * (grid + rng.uniform(-0.25, 0.25, grid.shape))


def cells(positions: NDArray[np.float64], n_genes: int = 20, seed: int = 0, **obs: object) -> AnnData:
    """Give each position a cell."""
    rng = np.random.default_rng(seed)
    n = len(positions)
    adata = AnnData(
        X=sparse.csr_matrix(rng.poisson(3.0, (n, n_genes)).astype(np.float32)),
        obs=pd.DataFrame(obs, index=[f"abcdef{i:02d}-1" for i in range(n)]),
        var=pd.DataFrame(index=[f"GENE{i}" for i in range(n_genes)]),
    )
    adata.obsm["spatial"] = positions
    return adata


def saved(adata: AnnData, folder: Path, name: str = "x.h5ad") -> Path:
    adata.write_h5ad(folder / name)
    return folder / name


def facts(path: Path, **answers: object) -> io.Report:
    return io.validate(path, answers=io.Answers(**answers))


# --- labels are brought to one form before they decide who is who --------------------------------------


def test_words_for_missing_are_missing_and_said(tmp_path):
    labels = np.array(["P1", "P1 ", "P2", "nan", "None", "NA", "", "  ", "<NA>", "n/a"] * 40, dtype=object)
    types = np.array(["T", "None", "B", "B", "T", "T", "T", "B", "B", "T"] * 40, dtype=object)
    report = facts(saved(cells(tissue(), patient=labels, celltype=types), tmp_path))
    assert report.patients == ("P1", "P2")
    assert report.n_cell_types == 2
    notes = " ".join(report.notes)
    assert "280 cells have no patient in obs['patient'], spelt" in notes
    assert "40 cells have no cell type" in notes
    assert "spells 2 labels in 3 ways" in notes


@pytest.mark.parametrize(
    "column", [[1, 2, 3, 1], [1.0, 2.0, 3.0, np.nan], ["1", "2.0", " 3", "1"], pd.Categorical([1, 2, 3, 1])]
)
def test_a_number_is_one_label_however_it_is_written(column):
    assert list(slots.labels(pd.Series(column)).categories) == ["1", "2", "3"]


def test_letters_that_no_one_sees_make_no_other_label():
    values = ["P1", "P1\u200b", "\ufeffP1", "P\u00ad1\u00a0", "#N/A", "?", ".", "\u200b"]
    named = slots.labels(pd.Series(values))
    assert named.categories.tolist() == ["P1"]
    assert pd.isna(named).tolist() == [False] * 4 + [True] * 4


@given(st.lists(st.one_of(st.text(max_size=6), st.none(), st.integers(-3, 3)), min_size=1, max_size=12))
def test_labels_are_in_one_form_and_stay_in_it(values):
    once = slots.labels(pd.Series(values, dtype=object))
    again = slots.labels(pd.Series(once))
    pd.testing.assert_extension_array_equal(once, again)
    assert all(label == label.strip() and label for label in once.categories)


# --- the layout is held against the data ---------------------------------------------------------------


@pytest.mark.parametrize("n_fields", [2, 6])
def test_fields_that_count_from_their_own_corner_are_asked_about(tmp_path, n_fields):
    fields = [tissue(seed=seed, spacing=65) for seed in range(n_fields)]
    fov = np.repeat(np.arange(n_fields), 400)
    types = np.random.default_rng(0).choice(["T", "B"], len(fov))
    path = saved(cells(np.concatenate(fields), fov=fov, cell_type=types), tmp_path)
    with pytest.raises(AskedError, match=r"obs\['fov'\] lie on top of each other") as error:
        io.read(path)
    assert error.value.question.choices[0] == "fov"
    assert "--column section_id=COLUMN" in str(error.value)
    assert len(facts(path, columns={"section_id": "fov"}).sections) == n_fields
    assert len(facts(path, columns={"section_id": ""}).sections) == 1  # the user's word


def test_types_mixed_in_one_tissue_and_fields_side_by_side_are_no_reason_to_ask(tmp_path):
    rng = np.random.default_rng(1)
    positions = tissue(2500)
    fov = (positions[:, 0] // 100).astype(int)
    types = rng.choice(["a", "b", "c", "d"], 2500, p=[0.6, 0.2, 0.15, 0.05])
    assert facts(saved(cells(positions, fov=fov, cell_type=types, cluster=types), tmp_path)).n_cells == 2500


def test_sections_of_hardly_any_cells_are_asked_about(tmp_path):
    path = saved(cells(tissue(1000), section=np.arange(1000) // 2), tmp_path)
    with pytest.raises(AskedError, match="500 sections of 2 cells"):
        io.read(path)


def test_many_cells_at_one_position_are_said(tmp_path):
    positions = tissue()
    positions[:30] = positions[0]
    assert "30 cells share their position" in " ".join(facts(saved(cells(positions), tmp_path)).notes)


# --- features: genes only ------------------------------------------------------------------------------


def test_what_the_file_says_is_no_gene_is_left_out_and_counted(tmp_path):
    adata = cells(tissue(), 6)
    kinds = ["Gene Expression"] * 3 + ["Negative Control Probe"] * 2 + ["Protein Expression"]
    adata.var["feature_types"] = kinds
    adata.var_names = ["CD8A", "CD4", "EPCAM", "NegControlProbe_1", "NegControlProbe_2", "CD8A-protein"]
    path = saved(adata, tmp_path)
    report = facts(path)
    assert report.n_genes == 3
    assert {(item.what, item.n) for item in report.left_out} == {
        ("Negative Control Probe", 2),
        ("Protein Expression", 1),
    }
    read = io.read(path)
    controls = np.asarray(adata.X[:, 3:5].sum(axis=1)).ravel()
    np.testing.assert_array_equal(read.obs["control_counts"], controls)


def test_a_protein_is_never_summed_with_the_gene_of_its_name(tmp_path):
    adata = cells(tissue(), 4)
    adata.var["feature_types"] = ["Gene Expression", "Gene Expression", "Antibody Capture", "Gene Expression"]
    adata.var_names = ["CD8A", "CD4", "CD8A", "EPCAM"]
    read = io.read(saved(adata, tmp_path))
    np.testing.assert_array_equal(read[:, "CD8A"].X.toarray(), adata.X.toarray()[:, :1])


VENDORS = {
    "NegControlProbe_00042": "Negative Control Probe",
    "NegControlCodeword_0500": "Negative Control Codeword",
    "antisense_ADCY4": "Negative Control Probe",
    "BLANK_0006": "Blank",
    "Blank-12": "Blank",
    "UnassignedCodeword_0003": "Unassigned Codeword",
    "DeprecatedCodeword_0318": "Deprecated Codeword",
    "Intergenic_Region_19": "Genomic Control",
    "NegPrb3": "Negative probe",
    "Negative10": "Negative probe",
    "SystemControl78": "System control",
    "FalseCode12": "System control",
}


def test_controls_are_known_by_their_vendors_names_where_no_column_tells(tmp_path):
    genes = ["NEGR1", "BLNK", "NELL2", "SYS1", "HLA-DQB1/2", "FALSE1"]
    adata = cells(tissue(), len(genes) + len(VENDORS))
    adata.var_names = [*genes, *VENDORS]
    path = saved(adata, tmp_path)
    assert list(io.read(path).var_names) == genes
    assert sum(item.n or 0 for item in facts(path).left_out) == len(VENDORS)


@pytest.mark.parametrize("column", ["feature_types", "Feature_Type", "CodeClass"])
@pytest.mark.parametrize("kinds", [("gene_expression", "negative_control"), ("GENE EXPRESSION", "Blank")])
def test_types_are_known_however_they_are_spelt(tmp_path, column, kinds):
    adata = cells(tissue(), 5)
    adata.var[column] = [*[kinds[0]] * 3, *[kinds[1]] * 2]
    report = facts(saved(adata, tmp_path))
    assert report.n_genes == 3
    assert [(item.what, item.n) for item in report.left_out] == [(kinds[1], 2)]


def test_controls_are_known_in_small_letters_too(tmp_path):
    adata = cells(tissue(), len(VENDORS) + 1)
    adata.var_names = [*map(str.lower, VENDORS), "GENE1"]
    assert io.read(saved(adata, tmp_path)).var_names.tolist() == ["GENE1"]


def test_text_that_is_stored_as_bytes_is_text(tmp_path):
    """HDF5 of other programs has text of one length, which numpy reads as bytes."""
    adata = cells(tissue(), 5, patient_id="x")
    adata.var["feature_types"] = 0
    path = saved(adata, tmp_path)
    texts = {
        "obs/_index": [f"cell{i:03d}" for i in range(400)],
        "obs/patient_id": ["P\u00e41"] * 400,
        "var/feature_types": ["Gene Expression"] * 3 + ["Negative Control Probe"] * 2,
    }
    with h5py.File(path, "r+") as file:
        for slot, values in texts.items():
            del file[slot]
            file[slot] = np.array([value.encode() for value in values])
            file[slot].attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
    read = io.read(path)
    assert read.obs_names.tolist() == texts["obs/_index"]
    assert read.obs["patient_id"].unique().tolist() == ["P\u00e41"]
    assert read.n_vars == 3


def test_names_of_genes_have_nothing_that_no_one_sees(tmp_path):
    adata = cells(tissue(), 4)
    adata.var_names = ["CD4 ", "CD4", "EPCAM\u00a0", "\ufeffCD8A\u200b"]
    read = io.read(saved(adata, tmp_path))
    assert read.var_names.tolist() == ["CD4", "EPCAM", "CD8A"]
    np.testing.assert_array_equal(read[:, "CD4"].X.toarray(), adata.X[:, :2].toarray().sum(axis=1)[:, None])
    assert any("3 names of genes had blanks" in note for note in read.uns["squint"]["notes"])


def test_a_file_of_controls_alone_is_refused(tmp_path):
    adata = cells(tissue(), 2)
    adata.var["feature_types"] = "Protein Expression"
    with pytest.raises(InputError, match="None of the 2 features is a gene"):
        io.read(saved(adata, tmp_path))


# --- units ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("said", "factor"), [("um", 1), ("mm", 1000), ("nm", 0.001), ("0.2125", 0.2125)])
def test_an_answer_converts_positions(tmp_path, said, factor):
    path = saved(cells(tissue()), tmp_path)
    read = io.read(path, answers=io.Answers(unit=said))
    assert read.uns["squint"]["unit"] == "um"
    np.testing.assert_allclose(read.obsm["spatial"], tissue() * factor)
    assert read.uns["squint"]["answers"] == {"unit": said}


@pytest.mark.parametrize("said", ["parsec", "-1", "0", "nan", "inf", ""])
def test_an_answer_that_is_no_unit_is_refused(tmp_path, said):
    with pytest.raises(InputError, match="is no unit"):
        io.read(saved(cells(tissue()), tmp_path), answers=io.Answers(unit=said))


def test_without_an_answer_the_unit_is_unknown_and_asked(tmp_path):
    report = facts(saved(cells(tissue()), tmp_path))
    assert report.unit == "unknown"
    assert [question.option for question in report.asked] == ["unit"]
    assert not facts(saved(cells(tissue()), tmp_path), unit="unknown").asked


def test_pixels_are_converted_where_the_file_states_their_size(tmp_path):
    adata = cells(tissue())
    adata.uns["spatial"] = {"lib": {"scalefactors": {"microns_per_pixel": 0.5}}}
    read = io.read(saved(adata, tmp_path))
    assert read.uns["squint"]["unit"] == "um"
    np.testing.assert_allclose(read.obsm["spatial"], tissue() * 0.5)


@given(
    width=st.sampled_from([2, 8, 16]),
    pitch=st.floats(0.1, 100),
    angle=st.floats(0, 2 * np.pi),
    mirrored=st.booleans(),
)
def test_bins_of_visium_hd_state_their_width(width, pitch, angle, mirrored):
    rows, columns = np.divmod(np.arange(60), 10)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    positions = pitch * np.column_stack([columns, -rows if mirrored else rows]) @ turn + 1234.5
    names = pd.Index([f"s_{width:03d}um_{r:05d}_{c:05d}-1" for r, c in zip(rows, columns, strict=True)])
    assert um_of_bins(names, positions, Findings()) == pytest.approx(width / pitch)
    assert um_of_bins(names, np.random.default_rng(0).permutation(positions), Findings()) is None


# --- positions in a table ------------------------------------------------------------------------------


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


# --- a stored graph ------------------------------------------------------------------------------------


def test_positions_that_are_columns_of_cells_are_named_in_the_refusal(tmp_path):
    adata = cells(tissue(), X=1.0, Y=2.0)
    del adata.obsm["spatial"]
    with pytest.raises(InputError, match=r"It has obs\['X'\] and obs\['Y'\]: put them there"):
        io.read(saved(adata, tmp_path))


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


# --- SpatialData's keys --------------------------------------------------------------------------------


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


# --- what is read can be written -----------------------------------------------------------------------


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


# --- the inputs of the bug reports themselves, where they are at hand ----------------------------------

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
