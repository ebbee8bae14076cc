import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from squint import io
from squint.errors import InputError

REAL = {  # cells, genes, sections, unit, values
    "cosmx_melanoma_crop": (1375, 960, 1, "um", "counts"),
    "cosmx_nsclc_lung5_rep3_4fov": (13463, 960, 1, "unknown", "counts"),
    "cosmx_nsclc_mini": (2198, 960, 1, "unknown", "counts"),
    "merfish_mouse_poa": (6508, 135, 1, "um", "counts"),
    "osmfish_sscortex": (6471, 33, 1, "um", "counts"),
    "seqfish_mouse_embryo2_z2_z5_subsampled": (5000, 351, 2, "unknown", "counts"),
    "starmap_3d_visual_cortex_28genes": (33598, 28, 1, "unknown", "intensities"),
    "starmap_mpfc_3sections": (3190, 166, 3, "unknown", "counts"),
    "xenium_breast_4quadrants_subsampled": (34451, 313, 4, "um", "counts"),
    "xenium_breast_roi_17k": (17136, 313, 1, "unknown", "counts"),
    "xenium_breast_serial_rep1_rep2_crop": (3520, 290, 2, "um", "counts"),
    "xenium_human_pancreas_full": (140702, 377, 1, "um", "counts"),
}


@pytest.mark.parametrize("name", REAL)
def test_real_sections_are_read(real_section, name):
    report = io.validate(real_section(name))
    facts = (report.n_cells, report.n_genes, len(report.sections), report.unit, report.values)
    assert facts == REAL[name]


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
