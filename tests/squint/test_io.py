import dataclasses
import json
import subprocess
import sys

import anndata
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

REAL = {  # cells, genes, sections, unit, values
    "cosmx_melanoma_crop": (1375, 960, 1, "um", "counts"),
    "cosmx_nsclc_lung5_rep3_4fov": (13463, 960, 1, "um (assumed)", "counts"),
    "cosmx_nsclc_mini": (2198, 960, 1, "um (assumed)", "counts"),
    "merfish_mouse_poa": (6508, 135, 1, "um", "counts"),
    "osmfish_sscortex": (6471, 33, 1, "um", "counts"),
    "seqfish_mouse_embryo2_z2_z5_subsampled": (5000, 351, 2, "unknown", "counts"),
    "starmap_3d_visual_cortex_28genes": (33598, 28, 1, "um (assumed)", "intensities"),
    "starmap_mpfc_3sections": (3190, 166, 3, "unknown", "counts"),
    "xenium_breast_4quadrants_subsampled": (34451, 313, 4, "um", "counts"),
    "xenium_breast_roi_17k": (17136, 313, 1, "um (assumed)", "counts"),
    "xenium_breast_serial_rep1_rep2_crop": (3520, 290, 2, "um", "counts"),
    "xenium_human_pancreas_full": (140702, 377, 1, "um", "counts"),
}


@pytest.fixture
def saved(section, tmp_path):
    """Write a section as other tools would, and give its path."""

    def save(name="file.h5ad"):
        section.write_h5ad(tmp_path / name)
        return tmp_path / name

    return save


def notes_of(adata):
    return " ".join(adata.uns["squint"]["notes"])


@pytest.mark.parametrize("name", REAL)
def test_real_sections_are_read(real_section, name):
    report = io.validate(real_section(name))
    facts = (report.n_cells, report.n_genes, len(report.sections), report.unit, report.values)
    assert facts == REAL[name]


def test_a_large_section_is_read_in_less_than_a_gigabyte(real_section):
    code = (
        "import resource, sys; import squint; squint.read(sys.argv[1]);"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
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
    assert read.obsm["spatial"].dtype == np.float64
    assert read.uns["squint"]["unit"] == "um (assumed)"
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


def test_cells_without_a_section_are_refused(section, saved):
    section.obs["section"] = pd.Categorical([None, ""] + ["a"] * 28)
    with pytest.raises(InputError, match="2 cells have no section"):
        io.read(saved())


def test_z_that_varies_within_a_section_is_a_coordinate(section, saved):
    section.obs["z"] = np.arange(30.0)
    read = io.read(saved())
    assert read.obsm["spatial"].shape == (30, 3)
    np.testing.assert_array_equal(read.obsm["spatial"][:, 2], np.arange(30.0))
    assert keys.Z not in read.obs


def test_z_that_is_constant_within_sections_is_the_height_of_a_level(section, saved):
    section.obs["z"] = [0] * 15 + [12] * 15
    read = io.read(saved())
    assert read.obsm["spatial"].shape == (30, 2)
    assert set(read.obs[keys.Z]) == {0.0, 12.0}


@pytest.mark.parametrize(
    ("stated", "scale", "unit", "note"),
    [
        (None, 1, "um (assumed)", ""),
        (None, 100, "unknown", "unit of the coordinates is unknown"),
        (None, 1e-6, "unknown", "unit of the coordinates is unknown"),
        ("um", 1, "um", ""),
        ("um", 1e6, "um", "check the unit"),
        ("unknown", 1, "unknown", ""),
        ("parsec", 1, "um (assumed)", ""),
    ],
)
def test_unit_is_as_stated_or_else_as_the_spacing_suggests(section, saved, stated, scale, unit, note):
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


def test_the_counts_layer_is_used_where_x_is_normalised(section, saved):
    section.layers["counts"] = section.X.copy()
    section.X = np.log1p(section.X.toarray())
    read = io.read(saved())
    np.testing.assert_array_equal(read.X.toarray(), section.layers["counts"].toarray())
    assert 'layers["counts"]' in notes_of(read)


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


def test_intensities_are_read_for_viewing(section, saved):
    section.X = sparse.csr_matrix(np.full((30, 6), 4000, dtype=np.int32))
    read = io.read(saved())
    assert read.uns["squint"]["values"] == "intensities"
    assert "viewing only" in notes_of(read)


def test_cells_without_counts_are_kept_and_counted(section, saved):
    section.X = sparse.csr_matrix((30, 6), dtype=np.float32)
    report = io.validate(saved())
    assert report.n_empty_cells == 30
    assert any("30 cells have no counts" in note for note in report.notes)


@pytest.mark.parametrize("n_cells", [1, 2, 8])
def test_few_cells_are_read_with_a_note(section, tmp_path, n_cells):
    section[:n_cells].copy().write_h5ad(tmp_path / "x.h5ad")
    report = io.validate(tmp_path / "x.h5ad")
    assert report.n_cells == n_cells
    assert any("neighbourhoods" in note for note in report.notes)


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
    ],
)
def test_unusable_coordinates_are_refused_by_name_of_their_slot(section, saved, spatial, message):
    del section.obsm["spatial"]
    if spatial is not None:
        section.obsm["spatial"] = spatial
    with pytest.raises(InputError, match=message) as error:
        io.read(saved())
    assert 'obsm["spatial"]' in str(error.value)


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


def test_a_table_of_an_older_anndata_is_refused(saved):
    path = saved()
    with h5py.File(path, "r+") as file:
        del file["obs"]
        file["obs"] = np.zeros(30, dtype=[("index", "S5"), ("n", "i4")])
    with pytest.raises(InputError, match=r"anndata before 0.7"):
        io.read(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(
    label=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1),
    provenance=st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1),
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers(-(2**31), 2**31)
            | st.floats(allow_nan=False)
            | st.just("text"),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b/c"]), inner),
            max_leaves=6,
        ),
        max_size=3,
    ),
)
def test_what_is_written_is_read_again(section, tmp_path, label, provenance):
    section.obs["section"] = [label] * 30
    section.write_h5ad(tmp_path / "a.h5ad")
    first = io.read(tmp_path / "a.h5ad")
    first.uns["squint"] |= {f"p_{key}": value for key, value in provenance.items()}
    io.write(first, tmp_path / "b.h5ad")
    second = io.read(tmp_path / "b.h5ad")
    assert (first.X != second.X).nnz == 0
    pd.testing.assert_frame_equal(first.obs, second.obs)
    np.testing.assert_array_equal(first.obsm["spatial"], second.obsm["spatial"])
    of_the_file = {"source_sha256", "notes"}
    kept = {key: value for key, value in first.uns["squint"].items() if key not in of_the_file}
    assert kept == {key: value for key, value in second.uns["squint"].items() if key not in of_the_file}


def test_results_are_read_again_and_other_layers_are_left(section, saved):
    section.obsm[keys.LATENT] = np.ones((30, 3), np.float32)
    section.obsp[keys.CONNECTIVITIES] = sparse.eye(30, format="csr")
    section.layers["scaled"] = section.X * 0.5
    read = io.read(saved())
    assert read.obsm[keys.LATENT].shape == (30, 3)
    assert read.obsp[keys.CONNECTIVITIES].nnz == 30
    assert not read.layers
    assert "layers/scaled" in notes_of(read)


def test_writing_changes_neither_the_object_nor_leaves_a_partial_file(section, tmp_path):
    section.uns["squint"] = {"section_condition": {"a/b": "trained"}}
    before = section.copy()
    io.write(section, tmp_path / "x.h5ad")
    pd.testing.assert_frame_equal(section.obs, before.obs)
    assert section.uns["squint"] == before.uns["squint"]
    section.uns["unwritable"] = object()
    with pytest.raises(anndata._io.specs.registry.IORegistryError):
        io.write(section, tmp_path / "x.h5ad")
    assert [path.name for path in tmp_path.iterdir()] == ["x.h5ad"]
    assert io.read(tmp_path / "x.h5ad").n_obs == 30


def test_writing_to_a_missing_folder_is_refused(section, tmp_path):
    with pytest.raises(InputError, match="could not be written"):
        io.write(section, tmp_path / "absent" / "x.h5ad")


def test_the_report_is_json_and_counts_each_section(section, saved):
    report = io.validate(saved())
    assert json.loads(json.dumps(dataclasses.asdict(report)))["n_cells"] == 30
    assert [(s.section_id, s.n_cells, s.patients) for s in report.sections] == [
        ("left", 15, ("P1",)),
        ("right", 15, ("P2",)),
    ]
    depth = np.asarray(section.X.sum(axis=1)).ravel()
    assert report.median_depth == np.median(depth)
    assert report.sections[0].median_depth == np.median(depth[:15])
    assert report.sections[0].median_spacing == 10.0
    assert report.lines()[0] == "file.h5ad: 30 cells, 6 genes, 2 sections, patients P1, P2"


def test_columns_are_listed_without_reading_them(section, saved):
    section.obs["type"] = pd.Categorical(["a", "b"] * 15)
    section.obs["score"] = 1.0
    section.obs.index.name = "barcode"
    assert io.obs_columns(saved()) == ["patient", "score", "section", "type"]


def test_columns_are_listed_where_the_file_cannot_be_read_yet(section, saved):
    del section.obsm["spatial"]
    assert io.obs_columns(saved()) == ["patient", "section"]


def test_columns_of_what_is_no_section_are_refused(tmp_path):
    (tmp_path / "photo.h5ad").write_bytes(b"PNG")
    with pytest.raises(InputError, match=r"not an \.h5ad file"):
        io.obs_columns(tmp_path / "photo.h5ad")


def test_what_may_identify_a_person_is_named_without_its_value(section, saved):
    section.obs["patient_name"] = "Jane Roe"
    section.obs["dob"] = "x"
    section.obs["visit"] = "1961-04-23"
    section.obs["chart"] = "patient 00918273"
    section.obs["gene_name"] = "ACTB"
    section.uns["clinic"] = {"MRN": "77", "recordNumber": 3, "colour": "red"}
    report = io.validate(saved("roe_19610423.h5ad"))
    assert {(s.where, s.key) for s in report.sensitive} == {
        ("obs", "patient_name"),
        ("obs", "dob"),
        ("obs", "visit"),
        ("obs", "chart"),
        ("uns", "clinic/MRN"),
        ("uns", "clinic/recordNumber"),
        ("file name", ""),
    }
    said = json.dumps([dataclasses.asdict(s) for s in report.sensitive])
    assert not any(value in said for value in ("Jane", "1961", "0918273"))


def test_reading_imports_neither_torch_nor_scanpy():
    code = (
        "import sys, squint; squint.read; sys.exit(bool({'torch', 'scanpy', 'streamlit'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
