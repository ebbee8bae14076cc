"""Genes only: what is none is left out and counted."""

import h5py
import numpy as np
import pytest

from squint import io
from squint.errors import InputError
from tests.helpers.tables_of_cells import cells, facts, saved, tissue


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
