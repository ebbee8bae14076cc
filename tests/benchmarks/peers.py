# mypy: ignore-errors
# It runs in environments of other programs, which are not here.
"""Groups of cells by other programs, for `squint benchmark structure --beside`. It needs nothing of squint.

Each program in an environment of its own, with the versions that were measured:

    pip install pybanksy==1.3.5        # BANKSY
    pip install cellcharter==0.3.7     # CellCharter
    pip install novae==1.1.2           # Novae

    python tests/benchmarks/peers.py banksy SECTION.h5ad OUT.csv --groups 4
"""

import argparse
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import scanpy as sc
from anndata import AnnData, read_h5ad
from scipy.sparse import csr_matrix

SECTION = "section"
N_COMPONENTS = 30
APART = 3.0  # sides of a section, between sections on one plane


def read(path: Path) -> AnnData:
    """Read raw counts, sections laid apart, with the names of cells as they are."""
    given = read_h5ad(path)
    counts = csr_matrix(given.layers.get("counts", given.X), dtype=np.float32)
    section = given.obs[SECTION] if SECTION in given.obs else pd.Series("one", given.obs_names)
    adata = AnnData(
        counts, pd.DataFrame({SECTION: pd.Categorical(section.astype(str))}, given.obs_names), given.var
    )
    points = np.asarray(given.obsm["spatial"], dtype=float)[:, :2]
    side = np.ptp(points, axis=0).max()
    adata.obsm["spatial"] = points + np.outer(adata.obs[SECTION].cat.codes, [APART * side, 0])
    return adata


def log_counts(adata: AnnData) -> AnnData:
    """Bring cells to the median depth, and take log(1 + x)."""
    out = adata[np.asarray(adata.X.sum(axis=1)).ravel() > 0].copy()
    sc.pp.normalize_total(out)
    sc.pp.log1p(out)
    return out


def leiden(adata: AnnData, n_groups: int, seed: int) -> pd.Series:
    """Look for a resolution that gives as many clusters; the nearest that was found."""
    low, high, best = 0.01, 4.0, None
    for _ in range(14):
        middle = (low * high) ** 0.5
        sc.tl.leiden(adata, middle, random_state=seed, flavor="igraph", n_iterations=2, directed=False)
        found = adata.obs["leiden"].copy()
        n_found = found.nunique()
        if best is None or abs(n_found - n_groups) < abs(best.nunique() - n_groups):
            best = found
        if n_found == n_groups:
            break
        low, high = (middle, high) if n_found < n_groups else (low, middle)
    return best


def banksy(adata: AnnData, n_groups: int, seed: int) -> dict[str, pd.Series]:
    """BANKSY with lambda 0.8, its setting for domains: 15 neighbours, one azimuthal filter, 20 components."""
    from banksy.embed_banksy import generate_banksy_matrix  # noqa: PLC0415 - of its own environment
    from banksy.initialize_banksy import initialize_banksy  # noqa: PLC0415 - of its own environment
    from sklearn.cluster import KMeans  # noqa: PLC0415 - of its own environment

    logs = log_counts(adata)
    sc.pp.scale(logs)
    logs.obs["x"], logs.obs["y"] = logs.obsm["spatial"].T
    shown = {"plt_edge_hist": False, "plt_nbr_weights": False, "plt_agf_angles": False, "plt_theta": False}
    graphs = initialize_banksy(logs, ("x", "y", "spatial"), 15, "scaled_gaussian", 1, **shown)
    _, matrix = generate_banksy_matrix(logs, graphs, [0.8], 1, verbose=False)
    sc.pp.pca(matrix, 20, random_state=seed)
    sc.pp.neighbors(matrix, 50, use_rep="X_pca", random_state=seed)
    means = KMeans(n_groups, n_init=10, random_state=seed).fit_predict(matrix.obsm["X_pca"])
    return {
        "BANKSY, Leiden": leiden(matrix, n_groups, seed),
        "BANKSY, k-means": pd.Series(means, matrix.obs_names),
    }


def cellcharter(adata: AnnData, n_groups: int, seed: int) -> dict[str, pd.Series]:
    """CellCharter: Delaunay graph without long links, three layers, a mixture of Gaussians; on components."""
    import cellcharter as cc  # noqa: PLC0415 - of its own environment
    import squidpy as sq  # noqa: PLC0415 - of its own environment

    logs = log_counts(adata)
    sc.pp.pca(logs, min(N_COMPONENTS, logs.n_vars - 1), random_state=seed)
    sq.gr.spatial_neighbors(logs, library_key=SECTION, coord_type="generic", delaunay=True)
    cc.gr.remove_long_links(logs)
    cc.gr.aggregate_neighbors(logs, n_layers=3, use_rep="X_pca", sample_key=SECTION)
    model = cc.tl.Cluster(n_groups, random_state=seed)
    model.fit(logs, use_rep="X_cellcharter")
    return {
        "CellCharter": pd.Series(np.asarray(model.predict(logs, use_rep="X_cellcharter")), logs.obs_names)
    }


def novae(adata: AnnData, n_groups: int, seed: int) -> dict[str, pd.Series]:
    """Novae, trained on these sections alone with its own choices."""
    import lightning  # noqa: PLC0415 - of its own environment
    import novae as program  # noqa: PLC0415 - of its own environment

    lightning.seed_everything(seed)
    logs = log_counts(adata)
    logs.layers["counts"] = adata[logs.obs_names].X.copy()
    program.spatial_neighbors(logs, slide_key=SECTION, coord_type="generic")
    model = program.Novae(logs)
    model.fit(accelerator="cpu", num_workers=0)
    model.compute_representations(accelerator="cpu", num_workers=0)
    return {"Novae": logs.obs[model.assign_domains(n_domains=n_groups)]}


PROGRAMS: dict[str, Callable[[AnnData, int, int], dict[str, pd.Series]]] = {
    "banksy": banksy,
    "cellcharter": cellcharter,
    "novae": novae,
}


def main() -> None:
    """Run one program on one section."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("program", choices=sorted(PROGRAMS))
    parser.add_argument("section", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--groups", type=int, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    adata = read(options.section)
    columns = {}
    for seed in options.seeds:
        for name, groups in PROGRAMS[options.program](adata, options.groups, seed).items():
            columns[f"{name} (seed {seed})"] = groups.reindex(adata.obs_names)
    pd.DataFrame(columns, adata.obs_names).to_csv(options.out)


if __name__ == "__main__":
    main()
