"""Holes cut into measured tissue and filled: how many positions, how far apart, and of what types."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy.spatial import cKDTree
from scipy.spatial.distance import jensenshannon
from scipy.stats import wasserstein_distance

import squint
from squint import keys
from squint.geometry.positions import fill_area, lattice_spacing
from squint.geometry.predicted_positions import predict_positions
from squint.geometry.regions import Rectangle, load
from tests.helpers.paths import ROOT

pytestmark = pytest.mark.benchmark
SEEDS = (0, 1, 2)
N_HOLES = 16  # at places drawn at random, half of them half as wide
N_VOTERS = 64  # nearest measured cells that a position's type is drawn from
LEAST = 30  # cells in a hole


def holes(points: np.ndarray, side: float) -> list[Rectangle]:
    """Draw squares whose middle is a cell, whole within the section."""
    rng = np.random.default_rng(11)
    low, high = points.min(axis=0), points.max(axis=0)
    found: list[Rectangle] = []
    while len(found) < N_HOLES:
        half = side / (2 if len(found) < N_HOLES // 2 else 4)
        x, y = points[rng.integers(len(points))]
        if (np.array([x, y]) - half >= low).all() and (np.array([x, y]) + half <= high).all():
            found.append(Rectangle("s", x - half, x + half, y - half, y + half))
    return found


def fillings(around: np.ndarray, hole: Rectangle, seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """Fill a hole in three ways; the mean density of the section is that of where it has cells."""
    yield "predicted", predict_positions(around, hole, seed=seed).points
    yield "even, simulated", fill_area(around, hole, seed=seed)
    side = 2 * lattice_spacing(around)
    density = len(around) / (len(np.unique(np.floor(around / side), axis=0)) * side**2)
    rng = np.random.default_rng(seed)
    n = rng.poisson(density * (hole.x1 - hole.x0) * (hole.y1 - hole.y0))
    yield (
        "uniform, mean density",
        np.column_stack([rng.uniform(hole.x0, hole.x1, n), rng.uniform(hole.y0, hole.y1, n)]),
    )


def judge(points: np.ndarray, types: np.ndarray, cut: list[Rectangle]) -> pd.DataFrame:
    """Score each way on each hole."""
    rows = []
    names = np.unique(types)
    for number, hole in enumerate(cut):
        inside = hole.mask(pd.RangeIndex(len(points)), points, np.random.default_rng(0))
        if inside.sum() < LEAST:
            continue
        around, truth = points[~inside], types[inside]
        usual = cKDTree(points).query(points[inside], 2)[0][:, 1]
        for seed in SEEDS:
            for method, filled in fillings(around, hole, seed):
                rng = np.random.default_rng(seed)
                voters = cKDTree(around).query(filled, N_VOTERS)[1]
                drawn = types[~inside][
                    voters[np.arange(len(filled)), rng.integers(N_VOTERS, size=len(filled))]
                ]
                shares = [[(own == name).mean() for name in names] for own in (truth, drawn)]
                apart = cKDTree(np.concatenate([around, filled])).query(filled, 2)[0][:, 1]
                rows.append(
                    {
                        "hole": number,
                        "method": method,
                        "seed": seed,
                        "density error": abs(len(filled) / inside.sum() - 1),
                        "bias": np.log(len(filled) / inside.sum()),
                        "type JSD": jensenshannon(*shares, base=2),
                        "spacing error, um": wasserstein_distance(usual, apart),
                    }
                )
    return pd.DataFrame(rows)


def show(name: str, adata: AnnData, column: str, cut: list[Rectangle], what: str) -> None:
    """Print a row per method: means over holes and seeds, s.d. over seeds of the first."""
    points = np.asarray(adata.obsm[keys.SPATIAL], dtype=np.float64)[:, :2]
    table = judge(points, adata.obs[column].astype(str).to_numpy(), cut)
    scores = ["density error", "bias", "type JSD", "spacing error, um"]
    n_holes = table["hole"].nunique()
    for method, own in table.groupby("method", sort=False):
        mean, sd = own[scores].mean(), own.groupby("seed")["density error"].mean().std()
        print(
            f"| {name} | {what}, {n_holes} | {method} | {mean.iloc[0]:.3f} ± {sd:.3f} | {mean.iloc[1]:+.3f} "
            f"| {mean.iloc[2]:.3f} | {mean.iloc[3]:.2f} |",
            flush=True,
        )


def test_holes_in_real_and_simulated_sections(real_section):
    print("\n| section | holes | positions | density error | log bias | type JSD | spacing error, um |")
    print("|---|---|---|---|---|---|---|")
    for name, stem, column, side in (
        ("Xenium breast", "xenium_breast_roi_17k", keys.CELL_TYPE, 429.0),
        ("CosMx lung", "cosmx_nsclc_lung5_rep3_4fov", "pathology_level2", 278.0),
        ("MERFISH hypothalamus", "merfish_mouse_poa", keys.CELL_TYPE, 310.0),
    ):
        path = Path(real_section(stem))
        adata = squint.read(path)
        areas = path.parents[1] / "regions" / f"{stem}.json"
        if areas.exists():
            rectangles = [region for region in load(areas) if isinstance(region, Rectangle)]
            show(name, adata, column, rectangles, "rectangles given")
        points = np.asarray(adata.obsm[keys.SPATIAL], dtype=np.float64)[:, :2]
        show(name, adata, column, holes(points, side), "at random")
    adata = squint.read(ROOT / "data_samples" / "SIM-H-1.h5ad")
    show(
        "simulated",
        adata,
        keys.CELL_TYPE,
        holes(np.asarray(adata.obsm[keys.SPATIAL])[:, :2], 120.0),
        "at random",
    )
