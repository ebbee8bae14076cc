"""Cells named by each way, for real, and everything that shows types following the names in use."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

import squint
from app.cell_sets.split import GROUP, REFERENCE, Split
from app.exports.stamp import stamp
from app.maps import views
from app.requests import DescribeTypes, Differential, NameByFile, NameCells, SplitType
from app.tasks import cell_types, comparison
from app.tasks.gather import gather
from squint import datasets, keys
from squint.errors import InputError
from squint.library import gene_sets, ingest, labelings, relabeling, results
from squint.library.store import DATA, Library, Section
from squint.stats import labelings as names_of

TRUTH = datasets.TRUE_TYPE


def silent(fraction: float, words: str) -> None:
    """Report nothing."""


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> tuple[Library, Section, Section]:
    """Keep a section without types, and one with."""
    library = Library(tmp_path_factory.mktemp("types"))
    adata = datasets.toy(n_cells=1200)
    kept = []
    for number, name in enumerate(adata.obs[keys.SECTION].cat.categories):
        part = adata[adata.obs[keys.SECTION] == name].copy()
        del part.obs[keys.CELL_TYPE]
        if number:
            part.obs[keys.CELL_TYPE] = part.obs[TRUTH].astype(str)
        else:
            part.obs["cluster"] = pd.Categorical(part.obs[TRUTH].cat.codes.astype(str))
        path = library.home / "made.h5ad"
        squint.write(part, path)
        (clean,) = ingest.clean(squint.read(path), ingest.Labels({p: p for p in part.obs[keys.PATIENT]}, {}))
        path.unlink()
        kept.append(ingest.add(library, clean, ingest.Labels({}, {}))[0])
    return library, kept[0], kept[1]


@pytest.fixture
def library(bare: tuple[Library, Section, Section]) -> Library:
    for found in labelings.known(bare[0], bare[1].id):
        labelings.delete(bare[0], found)
    return bare[0]


@pytest.fixture
def section(bare: tuple[Library, Section, Section]) -> Section:
    return bare[1]


@pytest.fixture
def teacher(bare: tuple[Library, Section, Section]) -> Section:
    return bare[2]


@pytest.fixture
def truth(section: Section) -> "pd.Series[str]":
    """Give the planted types, which the library does not know."""
    adata = datasets.toy(n_cells=1200)
    return adata.obs.loc[adata.obs[keys.SECTION] == section.section, TRUTH].astype(str)


def the(library: Library, section: Section) -> labelings.KnownLabeling:
    (found,) = labelings.known(library, section.id)
    return found


def shown(library: Library, section: Section) -> "pd.Series[str]":
    return library.cells(section.id)[keys.CELL_TYPE].astype(object).fillna("-").astype(str)


def test_clusters_are_found_and_their_provenance_is_said(
    library: Library, section: Section, truth: "pd.Series[str]"
) -> None:
    asked = NameCells(section.id, "clusters", "mine", resolution=0.5, seed=3)
    key = cell_types.name_cells(library, asked, silent)
    found = the(library, section)
    assert (found.id, found.in_use, found.name) == (key, True, "mine")
    assert adjusted_rand_score(truth, shown(library, section)) > 0.5
    words = "mine: clusters by PCA, neighbours and Leiden, resolution 0.5, seed 3, by squint"
    assert found.words.startswith(words)
    now = library.get(section.id)
    assert stamp("T", [now], None, {})["Cell types"].startswith(f"{now.title}: {words}")
    assert "Cell types" not in stamp("T", [replace(now, named=None)], None, {})


def test_clusters_of_the_instrument_are_taken_as_they_are(
    library: Library, section: Section, truth: "pd.Series[str]", teacher: Section
) -> None:
    cell_types.name_cells(library, NameCells(section.id, "instrument", "theirs"), silent)
    assert adjusted_rand_score(truth, shown(library, section)) == 1
    assert set(shown(library, section).str.split(" ").str[0]) == {"cluster"}
    with pytest.raises(InputError, match="gave no clusters"):
        cell_types.name_cells(library, NameCells(teacher.id, "instrument", "theirs"), silent)


def test_markers_name_clusters_and_what_they_do_not_know_is_unknown(
    library: Library, section: Section, truth: "pd.Series[str]"
) -> None:
    gene_sets.add(library, "mine.gmt", {"tubule": ("LRP2", "CUBN", "SLC34A1", "ALDOB")})
    gene_sets.add(library, "more.gmt", {"fibroblast": ("COL1A1", "COL1A2", "COL3A1", "DCN", "LUM")})
    sets = tuple(name for name in gene_sets.find_sets(library) if name.startswith(("mine", "more")))
    assert len(sets) == 2
    asked = NameCells(section.id, "markers", "mine", groups="instrument", sets=sets)
    cell_types.name_cells(library, asked, silent)
    names = shown(library, section)
    assert set(names.unique()) >= set(sets)
    rest = names[~names.isin(sets)]
    assert len(rest)
    assert rest.str.startswith("unknown ").all()
    assert truth[(names == sets[0]).to_numpy()].nunique() == 1
    evidence = labelings.read_evidence(library, the(library, section))
    assert evidence is not None
    assert set(evidence["set"]) == set(sets)
    assert "decoupler" in the(library, section).words
    gone = replace(asked, sets=("gone",), title="other")
    with pytest.raises(InputError, match="no longer in the library"):
        cell_types.name_cells(library, gone, silent)


def test_squints_markers_are_of_the_species_of_the_genes(library: Library, section: Section) -> None:
    cell_types.name_cells(library, NameCells(section.id, "markers", "mine", tissue="kidney"), silent)
    assert "squint's table of human markers with those of kidney" in the(library, section).words
    (notes,) = [the(library, section).facts["notes"]]
    assert any("clusters stay unknown" in note for note in notes)


def test_types_are_carried_over_with_their_calibration(
    library: Library, section: Section, teacher: Section, truth: "pd.Series[str]"
) -> None:
    asked = NameCells(section.id, "transfer", "carried", teacher=teacher.id, min_confidence=0.6)
    cell_types.name_cells(library, asked, silent)
    names = shown(library, section)
    known = (names != "-").to_numpy()
    assert known.mean() > 0.5
    assert (names[known].to_numpy() == truth[known].to_numpy()).mean() > 0.8
    found = the(library, section)
    calibration = found.facts["facts"]["calibration"]
    assert calibration["n_cells"] > 0
    assert teacher.sha256[:12] in found.words
    _, sure = labelings.read(library, found)
    assert (sure[known] >= 0.6).all()


def test_what_is_unknown_is_not_taught(library: Library, section: Section, teacher: Section) -> None:
    cells = library.cells(teacher.id)[keys.CELL_TYPE].astype(object).astype(str)
    largest = str(cells.value_counts().index[0])
    column = pd.Categorical(cells.replace(largest, "unknown cluster 1"))
    made = labelings.Made("partly", "markers", "", column, np.full(len(cells), np.nan, np.float32))
    key = labelings.add(library, teacher.id, made)
    try:
        asked = NameCells(section.id, "transfer", "carried", teacher=teacher.id)
        cell_types.name_cells(library, asked, silent)
    finally:
        (own,) = [one for one in labelings.known(library, teacher.id) if one.id == key]
        labelings.delete(library, own)
    assert not shown(library, section).str.startswith("unknown").any()


def test_a_table_names_cells_by_their_ids(
    library: Library, section: Section, truth: "pd.Series[str]", tmp_path: Path
) -> None:
    path = tmp_path / "Jane Doe.csv"
    cells = library.cells(section.id).index
    pd.DataFrame({"cell_id": cells, "cell_type": truth.to_numpy()}).to_csv(path, index=False)
    cell_types.name_by_file(library, NameByFile(section.id, "theirs", str(path)), silent)
    assert shown(library, section).tolist() == truth.tolist()
    found = the(library, section)
    assert "cell_type" in found.words
    assert "Jane" not in str(found)
    pd.DataFrame({"cell_id": ["x"], "cell_type": ["y"]}).to_csv(path, index=False)
    with pytest.raises(InputError, match="names 0 of"):
        cell_types.name_by_file(library, NameByFile(section.id, "more", str(path)), silent)
    assert len(labelings.known(library, section.id)) == 1


def test_a_type_is_split_by_clusters_of_its_own(library: Library, section: Section) -> None:
    cell_types.name_cells(library, NameCells(section.id, "instrument", "theirs"), silent)
    names, _ = labelings.read(library, the(library, section))
    largest = max(names.sizes(), key=lambda name: names.sizes()[name])
    seen = the(library, section)
    asked = SplitType(section.id, seen.id, seen.at, largest, resolution=2.0)
    n_parts = cell_types.split_type(library, asked, silent)
    now, _ = labelings.read(library, the(library, section))
    parts = {name: n for name, n in now.sizes().items() if name.startswith(f"{largest} ")}
    assert len(parts) == n_parts >= 2
    assert sum(parts.values()) == names.sizes()[largest]
    assert the(library, section).undoes.startswith(f"split {largest!r} in {n_parts}")
    with pytest.raises(InputError, match="changed these names meanwhile"):
        cell_types.split_type(library, asked, silent)
    relabeling.undo(library, the(library, section))
    with pytest.raises(InputError, match="one cluster"):
        cell_types.split_type(library, replace(asked, resolution=0.001), silent)


def test_everything_that_shows_types_follows(library: Library, section: Section) -> None:
    before = views.cells_of(library, [section])
    assert keys.CELL_TYPE not in before
    cell_types.name_cells(library, NameCells(section.id, "instrument", "theirs"), silent)
    now = library.get(section.id)
    names = shown(library, section)
    assert views.cells_of(library, [now])[keys.CELL_TYPE].astype(str).tolist() == names.tolist()
    assert gather(library, [section.id], counts=False).obs[keys.CELL_TYPE].astype(str).tolist() == list(names)
    seen = the(library, section)
    old, _ = labelings.read(library, seen)
    relabeling.change(library, seen, "renamed", names_of.rename(old, old.names[0], "tumour"))
    now = library.get(section.id)
    assert "tumour" in set(views.cells_of(library, [now])[keys.CELL_TYPE])
    view = views.by_type(library, [now], views.cells_of(library, [now]))
    assert "tumour" in view.scale.highlighted
    labelings.use(library, section.id, None)
    assert keys.CELL_TYPE not in views.cells_of(library, [library.get(section.id)])
    assert squint.read(library.path(section.id, DATA)).n_obs == len(names)  # what was kept stays as it was


def test_a_comparison_rests_on_the_names_it_was_asked_with(library: Library, section: Section) -> None:
    cell_types.name_cells(library, NameCells(section.id, "instrument", "theirs"), silent)
    now = library.get(section.id)
    names, _ = labelings.read(library, the(library, section))
    split = Split(keys.CELL_TYPE, names.names[:1]).by_names_of([now])
    assert split.named == ((section.id, now.named.sha256 if now.named else ""),)
    assert Split(keys.TOKEN, ("1",)).by_names_of([now]).named == ()
    assert Split(keys.TOKEN, ("1",), types=("a",)).by_names_of([now]).named == split.named
    asked = Differential((section.id,), None, split, "wilcoxon")
    comparison.differential(library, asked, silent)
    first = results.find(library, asked)
    assert first is not None
    relabeling.change(library, the(library, section), "", names_of.merge(names, names.names[:2], "both"))
    with pytest.raises(InputError, match="changed meanwhile"):
        comparison.differential(library, asked, silent)
    again = replace(asked, split=Split(keys.CELL_TYPE, ("both",)).by_names_of([library.get(section.id)]))
    assert again.result != asked.result
    comparison.differential(library, again, silent)
    assert results.find(library, again) is not None
    rows = comparison.gather_groups(library, asked.ids, None, again.split).obs["arm"].value_counts()
    assert rows[GROUP] == names.sizes()[names.names[0]] + names.sizes()[names.names[1]]
    assert rows[REFERENCE] == section.n_cells - rows[GROUP]


def test_types_are_described_by_their_genes_and_markers(library: Library, section: Section) -> None:
    cell_types.name_cells(library, NameCells(section.id, "instrument", "theirs"), silent)
    names, _ = labelings.read(library, the(library, section))
    tubule = names_of.rename(names, names.names[0], "fibroblast")
    relabeling.change(library, the(library, section), "renamed", tubule)
    named = library.get(section.id).named
    assert named is not None
    asked = DescribeTypes((section.id,), named.sha256, gene_sets.sha256(library))
    cell_types.describe(library, asked, silent)
    found = results.find(library, asked)
    assert found is not None
    distinct = found.table("distinct")
    assert set(distinct["group"]) == set(tubule.names)
    adata = squint.read(library.path(section.id, DATA))
    for gene, rows in distinct.groupby("gene"):  # each gene is shown for a type that has more of it than all
        column = np.asarray(adata[:, str(gene)].X.todense()).ravel()
        assert rows["share"].max() >= (column > 0).mean()
    markers = found.table("markers")
    assert set(markers["gene"]) <= set(datasets.markers("human").query("lineage == 'fibroblast'")["gene"])
    assert found.facts["n_cells"] == section.n_cells
    for other in (replace(asked, named=""), replace(asked, sets="other")):  # names or sets of another time
        cell_types.describe(library, other, silent)
        assert results.find(library, other) is None
