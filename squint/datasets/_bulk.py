"""Counts of any size, to time the model on: the sparsity of a real section, and little of its biology."""

from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.sparse import csr_matrix

from squint import keys
from squint.datasets._section import TRUE_TYPE

N_TYPES = 12
PATCH = 400.0  # um: side of the squares of tissue in which one cell type prevails
PREVAILS = 0.7  # share of a square's cells
ROOM = 100.0  # um² per cell
GENE_SD, TYPE_SD, DEPTH_SD = 1.2, 1.0, 0.4  # of logarithms
ROWS = 50_000  # cells at a time


def bulk(n_cells: int, n_genes: int, *, nonzero: float = 0.08, seed: int = 0) -> AnnData:
    """Simulate one section of any size.

    Parameters
    ----------
    n_cells, n_genes
        Its size.
    nonzero
        Share of counts that are not zero; 0.08 is usual for panels of 1,000 genes.
    seed
        Seed of chance; the same seed gives the same arrays.

    Returns
    -------
    Counts, CSR float32 (n, g), positions in um, and ``obs["true_type"]``. Squares of tissue differ in the
    cell type that prevails.
    """
    rng = np.random.default_rng(seed)
    side = np.sqrt(ROOM * n_cells)
    xy = rng.uniform(0, side, (n_cells, 2))
    square = (xy // PATCH).astype(np.int64) @ (1, int(side // PATCH) + 1)
    types = rng.integers(N_TYPES, size=square.max(initial=0) + 1)[square]
    types = np.where(rng.random(n_cells) < PREVAILS, types, rng.integers(N_TYPES, size=n_cells))
    shares = np.exp(rng.normal(0, GENE_SD, n_genes) + rng.normal(0, TYPE_SD, (N_TYPES, n_genes)))
    shares /= shares.sum(axis=1, keepdims=True)
    depth = _depth_for(nonzero, shares)
    parts = [
        _draw(types[start : start + ROWS], shares, depth, rng) for start in range(0, max(n_cells, 1), ROWS)
    ]
    indptr = np.cumsum([0, *np.concatenate([np.diff(part.indptr) for part in parts])])
    counts = csr_matrix(
        (
            np.concatenate([part.data for part in parts]),
            np.concatenate([part.indices for part in parts]),
            indptr,
        ),
        shape=(n_cells, n_genes),
    )
    obs = pd.DataFrame(
        {
            keys.SECTION: pd.Categorical(["SIM-BULK"] * n_cells),
            keys.PATIENT: pd.Categorical(["SIM-BULK"] * n_cells),
            TRUE_TYPE: pd.Categorical.from_codes(
                types, categories=pd.Index([f"type {code + 1}" for code in range(N_TYPES)])
            ),
        },
        index=pd.RangeIndex(n_cells).astype(str),
    )
    obsm: dict[str, Any] = {keys.SPATIAL: xy}
    provenance = {
        "unit": "um",
        "values": "counts",
        "simulated": True,
        "notes": ["Simulated counts, made by squint.datasets; not a measurement."],
    }
    return AnnData(
        counts,
        obs=obs,
        var=pd.DataFrame(index=[f"SIM{number + 1}" for number in range(n_genes)]),
        obsm=obsm,
        uns={keys.PROVENANCE: provenance},
    )


def _depth_for(nonzero: float, shares: NDArray[np.float64]) -> float:
    """Find the counts per cell at which a share ``nonzero`` of genes is seen."""

    def excess(log_depth: float) -> float:
        return float(-np.expm1(-np.exp(log_depth) * shares).mean() - nonzero)

    return float(np.exp(brentq(excess, -10, 30)))


def _draw(
    types: NDArray[np.int64], shares: NDArray[np.float64], depth: float, rng: np.random.Generator
) -> csr_matrix:
    """Draw the counts of some cells (m, g), CSR float32."""
    total = rng.poisson(depth * rng.lognormal(-(DEPTH_SD**2) / 2, DEPTH_SD, len(types)))
    cell = np.repeat(np.arange(len(types)), total)
    gene = np.empty(len(cell), dtype=np.int32)
    of_type = types[cell]
    for code, share in enumerate(shares):
        inside = of_type == code
        gene[inside] = np.searchsorted(np.cumsum(share)[:-1], rng.random(int(inside.sum())))
    counts = csr_matrix((np.ones(len(cell), np.float32), (cell, gene)), shape=(len(types), shares.shape[1]))
    counts.sum_duplicates()
    return counts
