from dataclasses import asdict, dataclass

import pandas as pd
from anndata import AnnData
from scipy.sparse import csr_matrix

from squint.errors import InputError
from squint.stats.clusters import find_clusters
from squint.tl._named import Named


@dataclass(frozen=True)
class Clusters:
    """Clusters of cells by expression, numbered from the largest: Leiden on neighbours in PCA of log counts.

    Parameters
    ----------
    resolution
        Of Leiden: the higher, the more clusters.
    n_components
        Axes of PCA.
    n_neighbors
        Neighbours of a cell, itself among them.
    """

    resolution: float = 1.0
    n_components: int = 50
    n_neighbors: int = 15

    word = "clusters"

    def __post_init__(self) -> None:
        if not 0 < self.resolution <= 100:
            raise InputError(f"The resolution is {self.resolution}: choose one above 0, at most 100.")
        if self.n_components < 2 or self.n_neighbors < 2:
            raise InputError("Clusters need at least 2 components and 2 neighbours.")

    def name(self, adata: AnnData, seed: int) -> Named:
        """Cluster the cells."""
        found = find_clusters(csr_matrix(adata.X), **asdict(self), seed=seed)
        names = pd.Index([str(code + 1) for code in range(found.codes.max() + 1)], dtype=object)
        return Named(pd.Categorical.from_codes(found.codes, names), found.confidence, asdict(self), {}, [])
