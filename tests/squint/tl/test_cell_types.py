import gzip
import json

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.metrics import adjusted_rand_score

from squint import datasets, io, keys, tl
from squint.errors import InputError
from squint.stats import marker_scores

SETS = {
    "proximal tubule": ["LRP2", "CUBN", "SLC34A1", "ALDOB"],
    "fibroblast": ["COL1A1", "COL1A2", "COL3A1", "DCN", "LUM"],
    "endothelium": ["PECAM1", "VWF", "CDH5", "KDR"],
    "macrophage": ["CD68", "CD163", "C1QA", "C1QB"],
    "CD8 T cell": ["CD3D", "CD8A", "TRAC", "GZMB"],
    "tumour": ["CA9", "NDUFA4L2", "VEGFA", "KRT18"],
}


@pytest.fixture(scope="module")
def toy():
    return datasets.toy(n_cells=1000)


@pytest.fixture
def adata(toy):
    return toy.copy()


def truth(adata):
    return adata.obs[datasets.TRUE_TYPE].astype(str).to_numpy()


def record(adata):
    made = adata.uns[keys.PROVENANCE]
    return made["labelings"][made["labeling"]]


def test_every_way_writes_the_same_slots_and_keeps_the_labelings_before(adata, tmp_path):
    table = tmp_path / "labels.csv"
    pd.DataFrame({"cell_id": adata.obs_names, "cell_type": truth(adata)}).to_csv(table, index=False)
    teacher = datasets.toy(seed=5, n_cells=1000)
    ways = {
        "clusters": "clusters",
        "markers": tl.Markers(SETS),
        "transfer": tl.Transfer(teacher, key=datasets.TRUE_TYPE),
        "file": tl.LabelFile(table),
    }
    for by in ways.values():
        tl.cell_types(adata, by=by)
    made = adata.uns[keys.PROVENANCE]
    assert list(made["labelings"]) == list(ways)
    assert made["labeling"] == "file"
    for name, one in made["labelings"].items():
        labels, confidence = adata.obs[one["labels"]], adata.obs[one["confidence"]]
        assert one["by"] == name
        assert one["n_named"] == labels.notna().sum()
        assert one["n_types"] == labels.nunique() == len(labels.cat.categories)
        assert confidence.dtype == np.float32
        assert confidence.dropna().between(0, 1).all()
        json.dumps(one)
    assert adata.obs[keys.NAMED_TYPE].equals(adata.obs[keys.LABELS_PREFIX + "file"])
    io.write(adata, tmp_path / "out.h5ad")
    back = io.read(tmp_path / "out.h5ad")
    assert back.uns[keys.PROVENANCE]["labelings"]["markers"]["facts"] == made["labelings"]["markers"]["facts"]
    assert (back.obs[keys.NAMED_TYPE].astype(str).to_numpy() == truth(adata)).all()


def test_a_copy_leaves_the_sections_as_they_were(adata):
    before = set(adata.obs)
    changed = tl.cell_types(adata, by=tl.Markers(SETS), copy=True)
    assert set(adata.obs) == before
    assert keys.PROVENANCE not in adata.uns or "labelings" not in adata.uns[keys.PROVENANCE]
    assert keys.NAMED_TYPE in changed.obs


def test_labelings_have_names_of_their_own(adata):
    way = tl.Markers(SETS, groupby=datasets.TRUE_TYPE)
    for name in (None, None, "mine"):
        tl.cell_types(adata, by=way, name=name)
    assert list(adata.uns[keys.PROVENANCE]["labelings"]) == ["markers", "markers-2", "mine"]
    for name, said in (
        ("mine", "already"),
        ("a/b", "cannot name"),
        ("", "cannot name"),
        ("=1", "cannot name"),
    ):
        with pytest.raises(InputError, match=said):
            tl.cell_types(adata, by=way, name=name)


def test_labels_follow_their_cells_when_cells_are_chosen(adata):
    tl.cell_types(adata, by=tl.Markers(SETS, groupby=datasets.TRUE_TYPE))
    some = adata[::3].copy()
    assert (some.obs[record(some)["labels"]].to_numpy() == adata.obs[keys.NAMED_TYPE].to_numpy()[::3]).all()


def test_clusters_find_the_planted_types_and_are_the_same_again(adata):
    tl.cell_types(adata, by=tl.Clusters(resolution=0.5), seed=2)
    again = tl.cell_types(adata, by=tl.Clusters(resolution=0.5), seed=2, copy=True)
    assert adjusted_rand_score(truth(adata), adata.obs[keys.NAMED_TYPE]) > 0.8
    assert again.obs[keys.NAMED_TYPE].equals(adata.obs[keys.NAMED_TYPE])
    assert record(adata)["parameters"]["resolution"] == 0.5


@pytest.mark.parametrize("per", ["cluster", "cell"])
def test_markers_name_the_planted_types(adata, per):
    tl.cell_types(adata, by=tl.Markers(SETS, per=per, resolution=0.5))
    named = adata.obs[keys.NAMED_TYPE].astype(object).to_numpy()
    known = pd.notna(named)
    assert known.mean() > (0.9 if per == "cluster" else 0.5)
    assert (named[known] == truth(adata)[known]).mean() > 0.9


def test_the_evidence_has_all_that_a_name_rests_on(adata):
    tl.cell_types(adata, by=tl.Markers(SETS, groupby=datasets.TRUE_TYPE))
    table = adata.uns[keys.EVIDENCE]
    assert len(table) == len(SETS) * adata.obs[datasets.TRUE_TYPE].nunique()
    for cluster, rows in table.groupby("cluster"):
        scores = rows["score"].to_numpy()
        assert (np.diff(scores) <= 0).all()
        assert rows["margin"].iloc[0] == pytest.approx(scores[0] - scores[1])
        assert rows["margin"].iloc[1:].isna().all()
        assert rows["n_cells"].unique() == (truth(adata) == cluster).sum()
        named = adata.obs[keys.NAMED_TYPE][truth(adata) == cluster].unique()
        assert list(named) == list(rows["set"][rows["named"]])
    sizes = table.set_index("set")["n_measured"].to_dict()
    assert sizes == {name: len(set(own) & set(adata.var_names)) for name, own in SETS.items()}


def test_types_without_enough_markers_or_lead_stay_unknown(adata):
    few = {**SETS, "tumour": ["CA9", "NOT MEASURED", "NEITHER"]}
    tl.cell_types(adata, by=tl.Markers(few, groupby=datasets.TRUE_TYPE))
    assert "tumour" not in adata.obs[keys.NAMED_TYPE].cat.categories
    assert record(adata)["facts"]["n_measured"]["tumour"] == 1
    tl.cell_types(adata, by=tl.Markers(SETS, groupby=datasets.TRUE_TYPE, bounds=(1e6, 0)))
    assert adata.obs[keys.NAMED_TYPE].isna().all()


def test_a_state_is_in_the_evidence_and_names_no_cell(adata, monkeypatch):
    table = pd.DataFrame(
        [(name, "", "type", gene, "a source") for name, own in SETS.items() for gene in own]
        + [("dividing", "", "state", gene, "a source") for gene in SETS["tumour"]],
        columns=["lineage", "tissue", "kind", "gene", "source"],
    )
    monkeypatch.setattr(datasets, "markers", lambda species: table if species == "human" else None)
    tl.cell_types(adata, by=tl.Markers(groupby=datasets.TRUE_TYPE))
    evidence = adata.uns[keys.EVIDENCE]
    assert not evidence.loc[evidence["set"] == "dividing", "named"].any()
    assert set(evidence.loc[evidence["set"] == "dividing", "kind"]) == {"state"}
    assert record(adata)["facts"]["states"] == ["dividing"]
    assert record(adata)["facts"]["species"] == "human"


def test_lineages_of_an_organ_are_looked_for_only_if_it_is_named(adata):
    way = {"min_measured": 2, "groupby": datasets.TRUE_TYPE}
    tl.cell_types(adata, by=tl.Markers(**way))
    assert "proximal tubule" not in set(adata.obs[keys.NAMED_TYPE].dropna())
    tl.cell_types(adata, by=tl.Markers(**way, tissue="kidney"))
    tubule = truth(adata) == "proximal tubule"
    assert set(adata.obs[keys.NAMED_TYPE][tubule]) == {"proximal tubule"}
    with pytest.raises(InputError, match=r"brain, breast.*not of 'spleen'"):
        tl.cell_types(adata, by=tl.Markers(tissue="spleen"))


def test_sets_come_from_a_file_as_well(adata, tmp_path):
    file = tmp_path / "sets.gmt"
    file.write_text("".join(f"{name}\t-\t" + "\t".join(own) + "\n" for name, own in SETS.items()))
    tl.cell_types(adata, by=tl.Markers(SETS, groupby=datasets.TRUE_TYPE))
    tl.cell_types(adata, by=tl.Markers(file, groupby=datasets.TRUE_TYPE))
    assert adata.obs[keys.LABELS_PREFIX + "markers"].equals(adata.obs[keys.LABELS_PREFIX + "markers-2"])
    assert record(adata)["facts"]["sets"] == "sets.gmt"


def test_a_species_that_is_not_clear_is_asked_for(adata):
    adata.var_names = [name if number % 2 else name.title() for number, name in enumerate(adata.var_names)]
    with pytest.raises(InputError, match=r"--species"):
        tl.cell_types(adata, by="markers")


def test_names_are_learned_from_another_section_on_shared_genes(adata):
    teacher = datasets.toy(seed=3, n_cells=1200)[:, 5:].copy()
    teacher.obs["kind"] = teacher.obs[datasets.TRUE_TYPE].astype(object)
    teacher.obs.loc[teacher.obs_names[:20], "kind"] = "Unlabeled"
    tl.cell_types(adata, by=tl.Transfer(teacher, key="kind"))
    named = adata.obs[keys.NAMED_TYPE].astype(object).to_numpy()
    known = pd.notna(named)
    assert known.mean() > 0.8
    assert (named[known] == truth(adata)[known]).mean() > 0.95
    facts = record(adata)["facts"]
    assert facts["n_genes_shared"] == adata.n_vars - 5
    assert facts["n_cells_taught"] == 1180
    assert "Unlabeled" not in facts["types"]
    assert facts["calibration"]["split"].startswith("a fifth of its blocks")
    assert facts["calibration"]["balanced_accuracy"] > 0.7


def test_a_teacher_without_positions_is_judged_on_random_cells(adata):
    teacher = datasets.toy(seed=3, n_cells=600)
    del teacher.obsm[keys.SPATIAL]
    tl.cell_types(adata, by=tl.Transfer(teacher, key=datasets.TRUE_TYPE))
    assert record(adata)["facts"]["calibration"]["split"] == "a fifth of its cells at random"


def test_teachers_that_cannot_teach_are_refused(adata):
    teacher = datasets.toy(seed=3)
    with pytest.raises(InputError, match="no column 'cell_kind'"):
        tl.Transfer(teacher, key="cell_kind")
    with pytest.raises(InputError, match="between 0 and 1"):
        tl.Transfer(teacher, key=datasets.TRUE_TYPE, min_confidence=2)
    with pytest.raises(InputError, match="share 4 genes"):
        tl.cell_types(adata, by=tl.Transfer(teacher[:, :4].copy(), key=datasets.TRUE_TYPE))


def labels_file(folder, table, name="labels.csv", **how):
    path = folder / name
    table.to_csv(path, index=False, **how)
    return path


def test_a_file_names_the_cells_that_it_lists_in_any_order_and_says_which_it_does_not(adata, tmp_path):
    table = pd.DataFrame({"barcode": adata.obs_names, "annotation": truth(adata), "confidence": 0.25})
    table = table.iloc[::-1].iloc[100:]
    more = pd.DataFrame({"barcode": ["another cell"], "annotation": ["x"], "confidence": [0.5]})
    table = pd.concat([table, more])
    tl.cell_types(adata, by=tl.LabelFile(labels_file(tmp_path, table)))
    named = adata.obs[keys.NAMED_TYPE]
    assert (named.to_numpy()[:900] == truth(adata)[:900]).all()
    assert named[900:].isna().all()
    assert adata.obs[keys.NAMED_TYPE_CONFIDENCE].iloc[:900].eq(0.25).all()
    assert "x" not in named.cat.categories
    assert "100 of 1,000 cells are not in it, 1 of its rows name no cell" in record(adata)["notes"][0]


def test_the_instrument_s_ids_are_looked_at_as_well_and_packed_files_read(adata, tmp_path):
    adata.obs[keys.CELL_ID] = np.arange(adata.n_obs) + 7
    table = pd.DataFrame({"cell_id": np.arange(adata.n_obs) + 7, "group": truth(adata)})
    path = labels_file(tmp_path, table)
    packed = tmp_path / "labels.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    for file in (path, packed):
        tl.cell_types(adata, by=tl.LabelFile(file))
        assert (adata.obs[keys.NAMED_TYPE].to_numpy() == truth(adata)).all()


def test_words_for_no_label_are_none(adata, tmp_path):
    words = ["a", "NA", "", "nan", "b"] * 200
    table = pd.DataFrame({"cell": adata.obs_names, "type": words})
    tl.cell_types(adata, by=tl.LabelFile(labels_file(tmp_path, table)))
    assert adata.obs[keys.NAMED_TYPE].value_counts().to_dict() == {"a": 200, "b": 200}


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        (lambda t: t.assign(cluster=1), {}, "does not say which column holds the types"),
        (lambda t: t.rename(columns={"cell_id": "name"}), {}, "does not say which column holds the ids"),
        (lambda t: t, {"types": "kind"}, "no column 'kind'"),
        (lambda t: t, {"confidence": "sure"}, "no column 'sure'"),
        (lambda t: t.assign(score=7.0), {}, "no confidences from 0 to 1"),
        (lambda t: t.assign(score="high"), {}, "no confidences from 0 to 1"),
        (lambda t: pd.concat([t, t.head(2)]), {}, "names 2 cells twice"),
        (lambda t: t.head(400), {}, "fewer than 50%"),
        (lambda t: t.assign(cell_id=t["cell_id"] + "-x"), {"min_matched": 0.0}, "names 0 of the section's"),
    ],
)
def test_files_that_leave_open_what_they_name_are_refused(adata, tmp_path, change, options, said):
    table = pd.DataFrame({"cell_id": adata.obs_names, "cell_type": truth(adata), "x": 1})
    with pytest.raises(InputError, match=said):
        tl.cell_types(adata, by=tl.LabelFile(labels_file(tmp_path, change(table)), **options))
    assert keys.NAMED_TYPE not in adata.obs


def test_files_that_are_none_are_refused(adata, tmp_path):
    (tmp_path / "empty.csv").write_text("")
    for name in ("absent.csv", "empty.csv"):
        with pytest.raises(InputError, match=name):
            tl.cell_types(adata, by=tl.LabelFile(tmp_path / name))


def test_cells_without_counts_have_no_name_however_they_are_named(adata):
    counts = adata.X.toarray()
    counts[:50] = 0
    adata.X = csr_matrix(counts)
    ways = [
        "clusters",
        tl.Markers(SETS),
        tl.Markers(SETS, per="cell"),
        tl.Transfer(datasets.toy(seed=4), key=datasets.TRUE_TYPE),
    ]
    for by in ways:
        tl.cell_types(adata, by=by)
        assert adata.obs[keys.NAMED_TYPE].iloc[:50].isna().all()
        assert adata.obs[keys.NAMED_TYPE_CONFIDENCE].iloc[:50].isna().all()
        assert adata.obs[keys.NAMED_TYPE].iloc[50:].notna().mean() > 0.4


@pytest.mark.parametrize(
    ("by", "said"),
    [
        (lambda: "magic", "not by 'magic'"),
        (lambda: tl.Clusters(resolution=0), "resolution"),
        (lambda: tl.Clusters(n_neighbors=1), "neighbours"),
        (lambda: tl.Markers(per="patient"), "per cluster or per cell"),
        (lambda: tl.Markers(min_measured=0), "At least 1"),
        (lambda: tl.Markers(SETS, groupby="nothing"), "no 'nothing'"),
        (lambda: tl.Markers(species="rat"), "not of 'rat'"),
    ],
)
def test_choices_that_make_no_sense_are_refused(adata, by, said):
    with pytest.raises(InputError, match=said):
        tl.cell_types(adata, by=by())
    assert keys.NAMED_TYPE not in adata.obs


def test_intensities_are_refused(adata):
    adata.uns[keys.PROVENANCE] = {"values": "intensities"}
    with pytest.raises(InputError, match="intensities"):
        tl.cell_types(adata)


def test_a_file_names_cells_of_intensities(adata, tmp_path):
    adata.uns[keys.PROVENANCE] = {"values": "intensities"}
    path = tmp_path / "types.csv"
    pd.DataFrame({"cell_id": adata.obs_names, "cell_type": truth(adata)}).to_csv(path, index=False)
    tl.cell_types(adata, by=tl.LabelFile(path))
    assert adata.obs[keys.NAMED_TYPE].tolist() == truth(adata).tolist()


@pytest.mark.parametrize(
    ("header", "cells", "types"),
    [
        ("cell_id,cell_type", "cell_id", "cell_type"),
        (",annotation,score", "", "annotation"),
        ("barcode\tGroup", "barcode", "Group"),
        ("id,label", None, "label"),
        ("barcode,label,cluster", "barcode", None),
    ],
)
def test_a_table_says_which_columns_are_meant_or_that_it_is_not_clear(tmp_path, header, cells, types):
    path = tmp_path / "types.csv"
    row = header.replace("\t", ",").count(",") + 1
    path.write_text(header + "\n" + ("\t" if "\t" in header else ",").join("x" * row) + "\n")
    found = tl.LabelFile(path).columns()
    assert (found.cells, found.types) == (cells, types)
    assert found.every == header.replace("\t", ",").split(",")


def test_clusters_of_a_real_section_get_the_names_that_were_published(real_section):
    adata = io.read(real_section("xenium_breast_serial_rep1_rep2_crop"))
    assert marker_scores.find_species(adata.var_names) == "human"
    tl.cell_types(adata, by=tl.Markers(tissue="breast"))
    pairs = {
        "T_Cells": "T cell",
        "Macrophages": "macrophage",
        "Endothelial": "endothelial",
        "Stromal": "fibroblast",
        "Myoepithelial": "myoepithelial or basal",
    }
    for published, lineage in pairs.items():
        named = adata.obs[keys.NAMED_TYPE][(adata.obs[keys.CELL_TYPE] == published).to_numpy()]
        assert named.mode()[0] == lineage
