"""Names of cells beside those that were published, and what clusters cost."""

import contextlib
import importlib
import io as text
import json
import logging
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scanpy
from anndata import AnnData
from scipy.sparse import csr_matrix
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from squint import io, keys, tl
from squint.stats import label_transfer
from squint.stats.expression import log_counts

pytestmark = pytest.mark.benchmark
SECONDS = 90  # for the clusters of 140,000 cells, on two cores
# What a published type may be called by markers. Its B cells include plasma cells, its tumour luminal cells.
BREAST: Mapping[str, set[str]] = {
    "Stromal": {"fibroblast"},
    "Myoepi_ACTA2+": {"myoepithelial or basal"},
    "Myoepi_KRT15+": {"myoepithelial or basal"},
    "DCIS_1": {"epithelial", "luminal (breast)"},
    "DCIS_2": {"epithelial", "luminal (breast)"},
    "Invasive_Tumor": {"epithelial", "luminal (breast)"},
    "Macrophages_1": {"macrophage"},
    "Macrophages_2": {"macrophage"},
    "CD4+_T_Cells": {"T cell"},
    "CD8+_T_Cells": {"T cell"},
    "B_Cells": {"B cell", "plasma cell"},
    "Endothelial": {"endothelial"},
    "IRF7+_DCs": {"plasmacytoid dendritic cell"},
    "LAMP3+_DCs": {"dendritic cell"},
    "Perivascular-Like": {"pericyte", "smooth muscle"},
    "Mast_Cells": {"mast cell"},
}
SERIAL: Mapping[str, set[str]] = {
    "Tumor": {"epithelial", "luminal (breast)"},
    "DCIS": {"epithelial", "luminal (breast)"},
    "Stromal": {"fibroblast"},
    "Myoepithelial": {"myoepithelial or basal"},
    "T_Cells": {"T cell"},
    "Macrophages": {"macrophage"},
    "Endothelial": {"endothelial"},
    "B_Cells": {"B cell", "plasma cell"},
}
# The 19 published types of one section as the 8 of the other; the two hybrids and dendritic cells are none.
EIGHT = {
    "DCIS_1": "DCIS",
    "DCIS_2": "DCIS",
    "Invasive_Tumor": "Tumor",
    "Myoepi_ACTA2+": "Myoepithelial",
    "Myoepi_KRT15+": "Myoepithelial",
    "CD4+_T_Cells": "T_Cells",
    "CD8+_T_Cells": "T_Cells",
    "B_Cells": "B_Cells",
    "Macrophages_1": "Macrophages",
    "Macrophages_2": "Macrophages",
    "Stromal": "Stromal",
    "Perivascular-Like": "Stromal",
    "Endothelial": "Endothelial",
}
CLUSTER = """
import json, os, resource, sys, time
start = time.perf_counter()
from squint import io, tl
adata = io.read(sys.argv[1])
read = time.perf_counter()
tl.cell_types(adata, by="clusters")
spent = [time.perf_counter() - read, read - start, time.process_time()]
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
print(json.dumps([*spent, peak, adata.n_obs, int(adata.obs["squint_cell_type"].nunique())]))
"""


def recalls(named, published, right: Mapping[str, set[str]]) -> "pd.Series[float]":
    """Give the share of each published type that is called rightly; no name is a wrong one."""
    known = np.isin(published, list(right))
    good = [name in right[kind] for name, kind in zip(named[known], published[known], strict=True)]
    return pd.Series(good).groupby(published[known]).mean()


def by_majority(codes, published) -> np.ndarray:
    """Call each cluster by the commonest published type of its cells."""
    table = pd.crosstab(codes, published)
    return table.idxmax(axis=1).loc[codes].to_numpy()


def words(column) -> np.ndarray:
    return column.astype(object).where(column.notna(), "unknown").to_numpy()


def quiet(run: Callable[[], Any]) -> Any:
    """Run celltypist without its prints; its errors are raised."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(text.StringIO()):
            warnings.simplefilter("ignore")
            return run()
    finally:
        logging.disable(logging.NOTSET)


def test_cost_of_clusters(real_section, record):
    path = real_section("xenium_human_pancreas_full")
    load = os.getloadavg()[0]
    words = [sys.executable, "-c", CLUSTER, str(path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    seconds, reading, cpu, peak, n_cells, n_clusters = json.loads(done.stdout)
    record(
        f"clusters of {n_cells:,} cells, in a fresh process",
        f"{seconds:.0f} s, and {reading:.0f} s to start and read; {cpu:.0f} CPU s in all, {peak:.1f} GB at "
        f"most, {n_clusters} clusters (load {load:.1f} before)",
        f"at most {SECONDS} s on two idle cores",
    )


def test_clusters_and_markers_beside_published_types(real_section):
    for name, right in (("xenium_breast_roi_17k", BREAST), ("xenium_breast_serial_rep1_rep2_crop", SERIAL)):
        adata = io.read(real_section(name))
        published = words(adata.obs[keys.CELL_TYPE])
        judged = np.isin(published, list(right))
        print(f"\n{name}: {judged.sum():,} cells of {len(right)} published types\n")
        judge_clusters(adata, published, judged)
        print("\n| names by markers of | known | balanced accuracy | accuracy of those with a name |")
        print("|---|---|---|---|")
        for title, way in (
            ("clusters", tl.Markers(tissue="breast")),
            ("clusters, resolution 3", tl.Markers(tissue="breast", resolution=3)),
            ("published types", tl.Markers(tissue="breast", groupby=keys.CELL_TYPE)),
            ("single cells", tl.Markers(tissue="breast", per="cell")),
        ):
            tl.cell_types(adata, by=way)
            found = words(adata.obs[keys.NAMED_TYPE])
            known = judged & (found != "unknown")
            recall = recalls(found, published, right)
            good = np.mean([n in right[k] for n, k in zip(found[known], published[known], strict=True)])
            print(f"| {title} | {known.sum() / judged.sum():.1%} | {recall.mean():.3f} | {good:.3f} |")
            if title == "clusters":
                told = ", ".join(f"{kind} {value:.2f}" for kind, value in recall.items())
        print(f"\nOf clusters, by published type: {told}")


def test_clusters_of_cosmx_beside_the_regions_of_a_pathologist(real_section):
    """No types were published with this section: clusters of cells are held against three kinds of tissue."""
    regions = io.Answers(columns={keys.REGION: "pathology_region"})
    adata = io.read(real_section("cosmx_nsclc_lung5_rep3_4fov"), answers=regions)
    published = words(adata.obs[keys.REGION])
    judged = published != "unknown"
    print(f"\ncosmx_nsclc_lung5_rep3_4fov: {judged.sum():,} cells in {len(set(published[judged]))} regions\n")
    judge_clusters(adata, published, judged)


def judge_clusters(adata: AnnData, published: np.ndarray, judged: np.ndarray) -> None:
    """Hold clusters of cells against labels, beside those of scanpy and k-means."""
    tl.cell_types(adata, by="clusters")
    ours = adata.obs[keys.NAMED_TYPE].astype(str).to_numpy()
    n_clusters = len(set(ours))
    print("| clusters | number | ARI | balanced accuracy, each called as most of its cells |")
    print("|---|---|---|---|")
    others = {"squint": ours, "scanpy": scanpy_clusters(adata), "k-means": k_means(adata, n_clusters)}
    for title, codes in others.items():
        rand = adjusted_rand_score(published[judged], codes[judged])
        named = by_majority(codes[judged], published[judged])
        share = recalls(named, published[judged], {kind: {kind} for kind in set(published[judged])}).mean()
        print(f"| {title} | {len(set(codes))} | {rand:.3f} | {share:.3f} |")


def scanpy_clusters(adata: AnnData) -> np.ndarray:
    """Cluster as scanpy's tutorial does; its own search of neighbours fails with pynndescent 0.7."""
    alone = AnnData(csr_matrix(adata.X).astype(np.float32))
    scanpy.pp.normalize_total(alone)
    scanpy.pp.log1p(alone)
    scanpy.pp.pca(alone, random_state=0)
    try:
        scanpy.pp.neighbors(alone, random_state=0, transformer="sklearn")
    except AttributeError as error:
        print(f"scanpy's neighbours: {error}")
        return np.full(adata.n_obs, "none")
    scanpy.tl.leiden(alone, flavor="igraph", n_iterations=2, directed=False, random_state=0)
    return alone.obs["leiden"].astype(str).to_numpy()


def k_means(adata: AnnData, n_clusters: int) -> np.ndarray:
    """Cluster by k-means, on the components that squint takes."""
    cells = AnnData(log_counts(csr_matrix(adata.X), 200))
    scanpy.pp.pca(cells, n_comps=50, svd_solver="arpack", random_state=0)
    return KMeans(n_clusters, n_init=10, random_state=0).fit_predict(cells.obsm["X_pca"]).astype(str)


def test_transfer_to_a_section_beside(real_section, tmp_path, monkeypatch):
    monkeypatch.setenv("CELLTYPIST_FOLDER", str(tmp_path))  # which it makes when it is imported
    celltypist = quiet(lambda: importlib.import_module("celltypist"))
    teacher = io.read(real_section("xenium_breast_roi_17k"))
    both = io.read(real_section("xenium_breast_serial_rep1_rep2_crop"))
    pupil = both[both.obs[keys.SECTION] == "Xenium_Breast_rep2"].copy()
    published = words(pupil.obs[keys.CELL_TYPE])
    right = {kind: {old for old, new in EIGHT.items() if new == kind} for kind in set(EIGHT.values())}
    start = time.perf_counter()
    tl.cell_types(pupil, by=tl.Transfer(teacher))
    seconds = time.perf_counter() - start
    facts = pupil.uns[keys.PROVENANCE]["labelings"]["transfer"]["facts"]
    print(f"\n{facts['n_cells_taught']:,} cells teach, {pupil.n_obs:,} are named, {seconds:.1f} s")
    print("held out in the teacher:", facts["calibration"])
    print("\n| on rep2, 8 types | unknown | balanced accuracy, unknown is wrong | of those with a name |")
    print("|---|---|---|---|")
    show("squint", words(pupil.obs[keys.NAMED_TYPE]), published, right)
    tl.cell_types(pupil, by=tl.Transfer(teacher, strange=0.0))
    show("squint, strange cells named", words(pupil.obs[keys.NAMED_TYPE]), published, right)
    tl.cell_types(pupil, by=tl.Transfer(teacher, strange=0.0, min_confidence=0.0))
    show("squint, all named", words(pupil.obs[keys.NAMED_TYPE]), published, right)
    given = teacher[teacher.obs[keys.CELL_TYPE] != "Unlabeled"]
    genes = [gene for gene in given.var_names if gene in set(pupil.var_names)]
    learned, asked = (AnnData(log_counts(csr_matrix(one[:, genes].X), 1e4)) for one in (given, pupil))
    learned.var_names = asked.var_names = pd.Index(genes)
    kinds = given.obs[keys.CELL_TYPE].astype(str).to_numpy()
    np.random.seed(0)  # noqa: NPY002 - celltypist draws from it
    model = quiet(lambda: celltypist.train(learned, labels=kinds, use_SGD=True, random_state=0))
    said = quiet(lambda: celltypist.annotate(asked, model=model))
    show("celltypist, its SGD", said.predicted_labels["predicted_labels"].to_numpy(), published, right)


def show(title: str, named: np.ndarray, published: np.ndarray, right: Mapping[str, set[str]]) -> None:
    known = named != "unknown"
    all_cells = recalls(named, published, right)
    some = recalls(named[known], published[known], right)
    print(f"| {title} | {(~known).mean():.1%} | {all_cells.mean():.3f} | {some.mean():.3f} |")


@pytest.mark.parametrize(
    ("name", "withheld"),
    [
        (
            "xenium_breast_roi_17k",
            [
                ["Endothelial"],
                ["B_Cells"],
                ["Myoepi_ACTA2+", "Myoepi_KRT15+"],
                ["Macrophages_1", "Macrophages_2"],
            ],
        ),
        ("xenium_breast_serial_rep1_rep2_crop", [[kind] for kind in SERIAL]),
        ("merfish_mouse_poa", [["Astrocyte"], ["Microglia"], ["Ependymal"], ["Inhibitory"], ["Excitatory"]]),
    ],
)
def test_types_that_a_teacher_lacks(real_section: Callable[[str], Path], name, withheld):
    adata = io.read(real_section(name))
    kinds = words(adata.obs[keys.CELL_TYPE])
    counts = csr_matrix(adata.X)
    some = ~np.isin(kinds, ["Unlabeled", "Ambiguous", "unknown"])
    print(
        f"\n| {name}, withheld | of these unknown, by probability alone | and strangeness | of all others |"
    )
    print("|---|---|---|---|")
    for kind in withheld:
        out = np.isin(kinds, kind)
        teacher = label_transfer.teach(counts[some & ~out], kinds[some & ~out])
        named, confidence = teacher.name(counts[some], 0.5)
        unknown, unsure, here = named < 0, confidence < 0.5, out[some]
        print(
            f"| {', '.join(kind)} | {unsure[here].mean():.0%} | {unknown[here].mean():.0%} | "
            f"{unknown[~here].mean():.0%} |"
        )
