"""Small sections made of invented tissue, written as other tools write them."""

from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray
from scipy import sparse

from squint import io


def tissue(n: int = 400, seed: int = 0, spacing: float = 8.0) -> NDArray[np.float64]:
    """Place cells as tissue does: near a grid, none on another."""
    rng = np.random.default_rng(seed)
    side = int(np.ceil(np.sqrt(n)))
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2)[:n]
    return spacing * (grid + rng.uniform(-0.25, 0.25, grid.shape))


def cells(positions: NDArray[np.float64], n_genes: int = 20, seed: int = 0, **obs: object) -> AnnData:
    """Give each position a cell."""
    rng = np.random.default_rng(seed)
    n = len(positions)
    adata = AnnData(
        X=sparse.csr_matrix(rng.poisson(3.0, (n, n_genes)).astype(np.float32)),
        obs=pd.DataFrame(obs, index=[f"abcdef{i:02d}-1" for i in range(n)]),
        var=pd.DataFrame(index=[f"GENE{i}" for i in range(n_genes)]),
    )
    adata.obsm["spatial"] = positions
    return adata


def saved(adata: AnnData, folder: Path, name: str = "x.h5ad") -> Path:
    adata.write_h5ad(folder / name)
    return folder / name


def facts(path: Path, **answers: object) -> io.Report:
    return io.validate(path, answers=io.Answers(**answers))
