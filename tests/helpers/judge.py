"""How well tokens find what was planted in the simulated cohort; for the tests and the benchmarks."""

from typing import NamedTuple

import anndata
import numpy as np
from anndata import AnnData
from scipy.sparse import csr_matrix, diags, identity
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import normalized_mutual_info_score, roc_auc_score

from squint import datasets, keys, pp, tl

REFERENCE, AGAINST = "SIM-H", "SIM-L"
HIGH = 0.75


class Stratification(NamedTuple):
    """Activation scores against the planted tumour core."""

    auc: float  # core against the rest of the high-risk patient
    core_high: float  # share of core cells above 0.75
    low_risk_high: float  # share of the low-risk patient's cells above 0.75
    covered: float  # share of the high-risk patient's cells that carry one of the codes


def join(sections: list[AnnData]) -> AnnData:
    """Put tokenised sections on one axis, with their graphs."""
    joined = anndata.concat(sections, index_unique="-", keys=[str(i) for i in range(len(sections))])
    pp.spatial_neighbors(joined)
    return joined


def stratify(adata: AnnData, *, enriched: bool) -> Stratification:
    """Score the high-risk patient's five codes, the most enriched or the most frequent ones."""
    tl.activate(adata, reference=REFERENCE, against=AGAINST if enriched else None)
    score = adata.obs[keys.ACTIVATION].to_numpy()
    high_risk = (adata.obs[keys.PATIENT] == REFERENCE).to_numpy()
    core = adata.obs[datasets.TUMOUR_CORE].to_numpy(dtype=bool)
    return Stratification(
        auc=float(roc_auc_score(core[high_risk], score[high_risk])),
        core_high=float((score[core] > HIGH).mean()),
        low_risk_high=float((score[~high_risk] > HIGH).mean()),
        covered=adata.uns[keys.PROVENANCE]["activation"]["share_covered"],
    )


def regions_found(adata: AnnData) -> float:
    """Normalised mutual information of tokens and planted regions."""
    return float(normalized_mutual_info_score(adata.obs[datasets.REGION], adata.obs[keys.TOKEN]))


def regions_found_by_kmeans(adata: AnnData, n_clusters: int, *, n_init: int = 3) -> dict[str, float]:
    """Give the same for k-means on 50 principal components of the mean of each closed neighbourhood.

    The mean is taken of raw counts, of log-normalised counts, or of raw counts and then log-normalised.
    """
    closed = adata.obsp[keys.CONNECTIVITIES] + identity(adata.n_obs, format="csr")
    mean = diags(1 / np.asarray(closed.sum(axis=1)).ravel()) @ closed
    counts = csr_matrix(adata.X)
    depth = np.asarray(counts.sum(axis=1)).ravel()
    logged = csr_matrix(diags(np.median(depth) / np.maximum(depth, 1)) @ counts).log1p()
    raw_mean = (mean @ counts).toarray()
    scaled = raw_mean / np.maximum(raw_mean.sum(axis=1, keepdims=True), 1e-9)
    means = {
        "raw": raw_mean,
        "log, then mean": (mean @ logged).toarray(),
        "mean, then log": np.log1p(scaled * np.median(depth)),
    }
    found = {}
    for name, values in means.items():
        components = PCA(50, random_state=0).fit_transform(values)
        cluster = KMeans(n_clusters, n_init=n_init, random_state=0).fit_predict(components)
        found[name] = float(normalized_mutual_info_score(adata.obs[datasets.REGION], cluster))
    return found
