"""Cells of sections named, and what their types express. Runs in the worker."""

from pathlib import Path
from typing import Any

import anndata as ad
import h5py
import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

import squint.io
from app.requests import DescribeTypes, NameByFile, NameCells, ReadLabelColumns, SplitType
from app.tasks.gather import gather
from squint import datasets, keys, tl
from squint.columns import UNKNOWN
from squint.errors import DAMAGED, InputError
from squint.library import gene_sets, labelings, relabeling, results
from squint.library.instrument import CLUSTER
from squint.library.labeling_rows import CHANGED
from squint.library.labelings import Made
from squint.library.results import Report
from squint.library.store import DATA, Library
from squint.stats import labelings as names_of
from squint.stats.clusters import find_clusters
from squint.stats.expression import expression_by_group
from squint.stats.marker_scores import find_species
from squint.stats.token_profiles import most_distinct

_FOUND = "found_cluster"
N_SHOWN = 3  # genes a type
_TITLE = "labeling"  # of the copy in memory


def name_cells(library: Library, asked: NameCells, report: Report) -> str:
    """Name the cells of a section by clusters, markers or another section; return the labeling's id."""
    report(0.05, "reading the section")
    if asked.by == "instrument":
        adata = _cells(library, asked.section)
        column = _instrument(adata)
        sure = np.full(adata.n_obs, np.nan, dtype=np.float32)
        how = "clusters as the instrument found them"
        return labelings.add(library, asked.section, Made(asked.title, asked.by, how, column, sure))
    adata = _section(library, asked.section)
    if asked.by == "markers":
        return _by_markers(library, asked, adata, report)
    if asked.by == "transfer":
        source = library.get(asked.teacher)
        teacher = gather(library, [asked.teacher], counts=True)
        if library.get(asked.teacher).named != source.named:
            raise InputError(f"The types of {source.title} were changed meanwhile. Begin again.")
        report(0.2, f"learning the types of {source.title}")
        tl.cell_types(
            adata,
            by=tl.Transfer(teacher, min_confidence=asked.min_confidence),
            name=_TITLE,
            seed=asked.seed,
        )
        named = f", whose types are {source.named.words}" if source.named else ""
        how = (
            f"carried over from {source.title} (sha256 {source.sha256[:12]}{named}) by logistic regression, "
            f"unknown below {asked.min_confidence:g}, seed {asked.seed}"
        )
        return _keep(library, asked.section, asked.title, asked.by, how, adata)
    report(0.2, "finding clusters")
    tl.cell_types(adata, by=tl.Clusters(resolution=asked.resolution), name=_TITLE, seed=asked.seed)
    adata.obs[keys.NAMED_TYPE] = _numbered(pd.Categorical(adata.obs[keys.NAMED_TYPE]))
    return _keep(library, asked.section, asked.title, asked.by, _clusters(asked), adata)


def read_columns(library: Library, asked: ReadLabelColumns, report: Report) -> dict[str, Any]:
    """Look which columns a table of labels has, and which are meant."""
    del library
    report(0.2, "reading the table")
    return tl.LabelFile(asked.path).columns()._asdict()


def name_by_file(library: Library, asked: NameByFile, report: Report) -> str:
    """Name the cells of a section as a table of their ids says; return the labeling's id."""
    report(0.05, "reading the section")
    adata = _cells(library, asked.section)
    report(0.5, "reading the table")
    tl.cell_types(adata, by=tl.LabelFile(asked.path, cells=asked.cells, types=asked.types), name=_TITLE)
    record = adata.uns[keys.PROVENANCE]["labelings"][_TITLE]
    columns = record["parameters"]
    record["facts"].pop("file")  # it may be called as a person is
    record["notes"] = [note.replace(Path(asked.path).name, "The table") for note in record["notes"]]
    how = f"a table's column {columns['types']!r}, by its column {columns['cells']!r}"
    return _keep(library, asked.section, asked.title, "file", how, adata)


def split_type(library: Library, asked: SplitType, report: Report) -> int:
    """Part the cells of a type by clusters of them alone; return the number of parts.

    Raises
    ------
    InputError
        If the labeling was changed meanwhile, or all cells are in one cluster.
    """
    report(0.05, "reading the section")
    found = [one for one in labelings.known(library, asked.section) if one.id == asked.labeling]
    if not found or found[0].at != asked.at:
        raise InputError(CHANGED)
    names, _ = labelings.read(library, found[0])
    if asked.type not in names.names:
        raise InputError(CHANGED)
    adata = _section(library, asked.section)
    inside = names.codes == names.names.index(asked.type)
    report(0.2, "finding clusters")
    parts = find_clusters(csr_matrix(adata.X)[inside], resolution=asked.resolution, seed=asked.seed).codes
    n_parts = len(np.unique(parts[parts >= 0]))
    if n_parts < 2:
        raise InputError(
            f"The cells of {asked.type!r} are one cluster at resolution {asked.resolution:g}. Choose a "
            "higher one."
        )
    report(0.9, "keeping the parts")
    what = f"split {asked.type!r} in {n_parts} (resolution {asked.resolution:g}, seed {asked.seed})"
    relabeling.change(library, found[0], what, names_of.split(names, asked.type, parts))
    return n_parts


def describe(library: Library, asked: DescribeTypes, report: Report) -> None:
    """Find the genes that set each type of a section apart, and what the markers of its types show.

    The tables are those of :func:`squint.stats.expression.expression_by_group`: ``distinct``, of the genes
    whose share of a type's counts is largest against all cells, and ``markers``, of those that names rest on.
    Nothing is kept where names or gene sets are others by now: whoever looks asks for those.
    """
    (section_id,) = asked.ids
    section = library.get(section_id)
    report(0.1, "reading the section")
    adata = gather(library, [section_id], counts=True)
    if _is_stale(library, asked):
        return
    if keys.CELL_TYPE not in adata.obs:
        raise InputError(f"Section {section.title} has no cell types.")
    counts, genes = csr_matrix(adata.X), [str(gene) for gene in adata.var_names]
    types = adata.obs[keys.CELL_TYPE].astype(object)
    groups = types.where(types.notna(), None).to_numpy(dtype=object)
    report(0.4, "comparing genes")
    distinct = most_distinct(counts, genes, types, N_SHOWN)
    tables = {"distinct": expression_by_group(counts, genes, groups, distinct)}
    if marking := _markers_of(library, counts, genes, groups):
        tables["markers"] = expression_by_group(counts, genes, groups, marking)
    results.keep(library, asked, {"n_cells": int(types.notna().sum()), "n_genes": len(genes)}, tables)


def _is_stale(library: Library, asked: DescribeTypes) -> bool:
    """Say whether names or gene sets are others than those that were asked about."""
    (section_id,) = asked.ids
    named = library.get(section_id).named
    return (named.sha256 if named else "") != asked.named or gene_sets.sha256(library) != asked.sets


def _markers_of(
    library: Library, counts: csr_matrix, genes: list[str], groups: "np.ndarray[Any, Any]"
) -> list[str]:
    """Name measured markers of types that are called as sets of genes: those that most cells of it show."""
    known: dict[str, Any] = dict(gene_sets.find_sets(library))
    if species := find_species(genes):
        known |= {str(name): list(own) for name, own in datasets.markers(species).groupby("lineage")["gene"]}
    place = {gene: number for number, gene in enumerate(genes)}
    chosen: dict[str, None] = {}
    for name in sorted(set(filter(None, groups))):
        own = [gene for gene in known.get(name, ()) if gene in place]
        if own:
            inside = counts[groups == name][:, [place[gene] for gene in own]]
            n_cells = np.asarray((inside > 0).sum(axis=0)).ravel()
            chosen |= dict.fromkeys(own[best] for best in np.argsort(-n_cells, kind="stable")[:N_SHOWN])
    return list(chosen)


def _by_markers(library: Library, asked: NameCells, adata: ad.AnnData, report: Report) -> str:
    """Name clusters by markers; those of which they say little are unknown, told apart by their numbers."""
    sets = _chosen_sets(library, asked.sets)
    if asked.groups == "instrument":
        adata.obs[_FOUND] = _instrument(adata)
        of = "the instrument's clusters"
    else:
        report(0.1, "finding clusters")
        codes = find_clusters(csr_matrix(adata.X), resolution=asked.resolution, seed=asked.seed).codes
        titles = [str(code + 1) for code in range(codes.max() + 1)]
        adata.obs[_FOUND] = pd.Categorical.from_codes(codes, pd.Index(titles, dtype=object))
        of = _clusters(asked)
    report(0.6, "scoring markers")
    way = tl.Markers(sets=sets, species=asked.species, tissue=asked.tissue, groupby=_FOUND)
    tl.cell_types(adata, by=way, name=_TITLE, seed=asked.seed)
    named = adata.obs[keys.NAMED_TYPE].astype(object)
    cluster = adata.obs[_FOUND].astype(object)
    lacks = named.isna() & cluster.notna()
    adata.obs[keys.NAMED_TYPE] = pd.Categorical(np.where(lacks, UNKNOWN + " " + cluster.astype(str), named))
    facts = adata.uns[keys.PROVENANCE]["labelings"][_TITLE]["facts"]
    by = ", ".join(asked.sets) if asked.sets else f"squint's table of {facts['species']} markers"
    tissue = f" with those of {asked.tissue}" if asked.tissue else ""
    how = f"markers ({by}{tissue}), scored by decoupler's ulm, of {of}"
    return _keep(library, asked.section, asked.title, asked.by, how, adata)


def _chosen_sets(library: Library, chosen: tuple[str, ...]) -> dict[str, tuple[str, ...]] | None:
    if not chosen:
        return None
    known = gene_sets.find_sets(library)
    if gone := [name for name in chosen if name not in known]:
        raise InputError(f"The gene set {gone[0]!r} is no longer in the library. Choose others.")
    return {name: known[name] for name in chosen}


def _clusters(asked: NameCells) -> str:
    return f"clusters by PCA, neighbours and Leiden, resolution {asked.resolution:g}, seed {asked.seed}"


def _instrument(adata: ad.AnnData) -> "pd.Categorical[str]":
    """Give the clusters that the instrument found."""
    if CLUSTER not in adata.obs:
        raise InputError("The instrument gave no clusters with this section. Choose another way.")
    return _numbered(pd.Categorical(adata.obs[CLUSTER].astype(object)))


def _numbered(clusters: "pd.Categorical[Any]") -> "pd.Categorical[str]":
    """Say of numbers that they are of clusters: alone they would read like tokens."""
    return clusters.rename_categories({name: f"cluster {name}" for name in clusters.categories})


def _section(library: Library, section_id: str) -> ad.AnnData:
    adata: ad.AnnData = squint.io.read(library.path(section_id, DATA))
    return adata


def _cells(library: Library, section_id: str) -> ad.AnnData:
    """Give the cells of a section without what was measured, which may be intensities."""
    path = library.path(section_id, DATA)
    try:
        with h5py.File(path) as file:
            cells: Any = ad.io.read_elem(file["obs"])
    except DAMAGED as error:
        raise InputError(f"{path.name} in the library is damaged. Look at the page Sections.") from error
    return ad.AnnData(obs=cells)


def _keep(library: Library, section_id: str, title: str, method: str, how: str, adata: ad.AnnData) -> str:
    """Keep what :func:`squint.tl.cell_types` found as a labeling of the library."""
    record = adata.uns[keys.PROVENANCE]["labelings"][_TITLE]
    facts = {name: record[name] for name in ("parameters", "seed", "notes", "facts")}
    made = Made(
        title,
        method,
        how,
        pd.Categorical(adata.obs[keys.NAMED_TYPE]),
        adata.obs[keys.NAMED_TYPE_CONFIDENCE].to_numpy(dtype=np.float32),
        facts,
        adata.uns.get(keys.EVIDENCE),
    )
    return labelings.add(library, section_id, made)
