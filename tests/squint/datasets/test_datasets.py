"""The simulated tissue: its slots, its geometry, and the effects that were planted in it."""

import re
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial import cKDTree

from squint import datasets, keys
from squint.datasets import _points, _tubules

pytestmark = pytest.mark.slow

CORE_GENES = ["CA9", "LDHA", "PFKFB3", "MMP14", "VEGFA", "SLC2A1", "NDRG1"]
INDUCED_GENES = ["CXCL9", "CXCL10", "IDO1", "CD274"]
MEGABYTE = 1e6


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> list[Path]:
    return datasets.write(tmp_path_factory.mktemp("cohort") / "made" / "here", seed=0)


@pytest.fixture(scope="module")
def cohort(written) -> list[AnnData]:
    return [anndata.read_h5ad(path) for path in written[:-1]]


@pytest.fixture(scope="module")
def high(cohort) -> AnnData:
    return anndata.concat(cohort[:3], uns_merge="same")


@pytest.fixture(scope="module")
def stack(written) -> AnnData:
    return anndata.read_h5ad(written[-1])


def share(adata, genes) -> NDArray[np.float32]:
    """Share of each cell's counts that falls on some genes."""
    depth = np.maximum(np.asarray(adata.X.sum(axis=1)).ravel(), 1)
    return np.asarray(adata[:, genes].X.sum(axis=1)).ravel() / depth


def assert_same(left, right) -> None:
    assert (left.X != right.X).nnz == 0
    np.testing.assert_array_equal(left.obsm[keys.SPATIAL], right.obsm[keys.SPATIAL])
    pd.testing.assert_frame_equal(left.obs, right.obs)


def assert_valid(adata) -> None:
    assert sparse.isspmatrix_csr(adata.X) or isinstance(adata.X, sparse.csr_array)
    assert adata.X.dtype == np.float32
    assert (adata.X.data == np.round(adata.X.data)).all()
    assert adata.X.data.min() >= 1
    assert adata.obsm[keys.SPATIAL].dtype == np.float64
    assert adata.obsm[keys.SPATIAL].shape == (adata.n_obs, 2)
    categorical = [keys.SECTION, keys.PATIENT, keys.CELL_TYPE, datasets.REGION, datasets.TRUE_TYPE]
    for column in [*categorical, datasets.STATE, datasets.RISK]:
        assert isinstance(adata.obs[column].dtype, pd.CategoricalDtype)
        assert adata.obs[column].notna().all()
    assert adata.obs[datasets.TUMOUR_CORE].dtype == bool
    assert adata.obs[datasets.HYPOXIA].between(0, 1).all()
    assert adata.obs_names.is_unique
    assert adata.var_names.is_unique
    assert adata.uns[keys.PROVENANCE]["unit"] == "um"
    assert adata.uns[keys.PROVENANCE]["simulated"]


def test_files_are_small(written) -> None:
    sizes = [path.stat().st_size for path in written]
    assert [path.stem for path in written] == ["SIM-H-1", "SIM-H-2", "SIM-H-3", "SIM-L-1", "SIM-L-2", "stack"]
    assert max(sizes) < 5 * MEGABYTE
    assert sum(sizes) < 20 * MEGABYTE


def test_slots_are_valid(cohort, stack) -> None:
    for adata in [*cohort, stack, datasets.toy()]:
        assert_valid(adata)


def test_same_seed_gives_the_same_stack(stack) -> None:
    again = datasets.kidney_stack(seed=0)
    assert_same(again, stack)


def test_cells_keep_their_distance_at_real_density(cohort) -> None:
    for adata in cohort:
        positions = adata.obsm[keys.SPATIAL]
        nearest = cKDTree(positions).query(positions, k=2)[0][:, 1]
        assert 6 <= nearest.min() < nearest.mean() < 12
        # A jittered lattice would spread less.
        assert nearest.std() / nearest.mean() > 0.2
        area = np.prod(np.ptp(positions, axis=0)) / 1e6  # mm²
        assert 4000 < adata.n_obs / area < 6500
        assert 5000 <= adata.n_obs <= 7000


def test_cohort_holds_the_types_and_the_genes(cohort) -> None:
    for adata in cohort:
        assert (adata.obs[datasets.TRUE_TYPE].value_counts() >= 5).sum() >= 14
        assert 270 <= adata.n_vars <= 330
        assert {"LDHA", "MMP14", "PFKFB3", "CA9"} <= set(adata.var_names)


def test_depth_is_real_and_differs_between_sections(cohort) -> None:
    depths = [np.median(np.asarray(adata.X.sum(axis=1))) for adata in cohort]
    assert 150 <= min(depths) < max(depths) <= 260
    assert 1.2 < max(depths) / min(depths) < 1.6


def test_only_the_high_risk_tumour_has_a_core(cohort) -> None:
    for adata in cohort:
        share_of = adata.obs[datasets.REGION].value_counts(normalize=True)
        assert share_of["tumour"] > 0.05
        assert share_of[["proximal cortex", "distal cortex", "medullary ray"]].sum() > 0.2
        assert share_of["tertiary lymphoid structure"] > 0.01
        risky = adata.obs[datasets.RISK].iloc[0] == "high"
        assert (0.15 < share_of["tumour core"] < 0.4) == risky
        assert (adata.obs[datasets.HYPOXIA].max() == 1) == risky
        in_core = adata.obs[datasets.REGION] == "tumour core"
        np.testing.assert_array_equal(adata.obs[datasets.TUMOUR_CORE], in_core)


def test_core_switches_hypoxia_on(high) -> None:
    tumour = high[high.obs[datasets.TRUE_TYPE] == "tumour"]
    in_core = tumour.obs[datasets.TUMOUR_CORE].to_numpy()
    for gene in CORE_GENES:
        expressed = share(tumour, [gene])
        assert expressed[in_core].mean() > 1.5 * expressed[~in_core].mean(), gene


def test_hypoxia_rises_inwards(high) -> None:
    tumour = high[high.obs[datasets.TRUE_TYPE] == "tumour"]
    hypoxia = tumour.obs[datasets.HYPOXIA].to_numpy()
    expressed = share(tumour, CORE_GENES)
    steps = [expressed[mask].mean() for mask in (hypoxia == 0, (hypoxia > 0) & (hypoxia < 0.5), hypoxia == 1)]
    assert steps[0] < steps[1] < steps[2]


def test_low_risk_tumour_expresses_ca9_but_less(cohort) -> None:
    low = anndata.concat(cohort[3:])
    in_tumour = low[low.obs[datasets.TRUE_TYPE] == "tumour"]
    outside = low[low.obs[datasets.REGION] == "proximal cortex"]
    in_core = cohort[0][(cohort[0].obs[datasets.TRUE_TYPE] == "tumour") & cohort[0].obs[datasets.TUMOUR_CORE]]
    assert share(in_tumour, ["CA9"]).mean() > 5 * share(outside, ["CA9"]).mean()
    assert share(in_core, ["CA9"]).mean() > 2 * share(in_tumour, ["CA9"]).mean()


def test_cytotoxic_neighbours_induce_macrophages_and_sham_ones_do_not(cohort) -> None:
    near: dict[str, list[float]] = {"cytotoxic": [], "sham": [], "nobody": []}
    for adata in cohort:
        positions, state = adata.obsm[keys.SPATIAL], adata.obs[datasets.STATE]
        macrophages = (adata.obs[datasets.TRUE_TYPE] == "macrophage").to_numpy()
        expressed = share(adata[macrophages], INDUCED_GENES)
        felt = {
            name: cKDTree(positions[state == name]).query(positions[macrophages])[0] < 27
            for name in ("cytotoxic", "sham")
        }
        np.testing.assert_array_equal(adata.obs[datasets.INDUCTION][macrophages] > 0, felt["cytotoxic"])
        near["cytotoxic"].extend(expressed[felt["cytotoxic"]])
        near["sham"].extend(expressed[felt["sham"] & ~felt["cytotoxic"]])
        near["nobody"].extend(expressed[~felt["sham"] & ~felt["cytotoxic"]])
    means = {name: np.mean(values) for name, values in near.items()}
    assert means["cytotoxic"] > 3 * means["sham"]
    assert means["sham"] == pytest.approx(means["nobody"], rel=0.3)


def test_stack_changes_with_depth(stack) -> None:
    levels = stack.obs.groupby(keys.SECTION, observed=True)
    assert levels[keys.Z].first().tolist() == [60.0 * level for level in range(13)]
    assert levels.size().max() <= 2000
    step = np.linspace(20, 540, 40)
    grid = np.stack(np.meshgrid(step, step), axis=-1).reshape(-1, 2)
    masks = []
    for _, obs in levels:
        positions = stack[obs.index].obsm[keys.SPATIAL]
        nearest = cKDTree(positions).query(grid)[1]
        masks.append((obs[datasets.TO_TUMOUR] < 0).to_numpy()[nearest])

    def overlap(apart) -> float:
        pairs = zip(masks[:-apart], masks[apart:], strict=True)
        return np.mean([(one & other).sum() / (one | other).sum() for one, other in pairs])

    assert overlap(1) > overlap(4) > overlap(8)
    assert masks[-1].sum() < 0.8 * masks[4].sum()


@pytest.mark.parametrize(("n_cells", "n_sections"), [(600, 2), (25, 1), (90, 4)])
def test_toy_has_the_cells_asked_for(n_cells, n_sections) -> None:
    toy = datasets.toy(seed=3, n_cells=n_cells, n_sections=n_sections)
    assert toy.shape == (n_cells, 40)
    assert toy.obs[keys.SECTION].nunique() == n_sections
    assert_valid(toy)


def test_toy_plants_a_core_in_one_of_two_patients() -> None:
    toy = datasets.toy()
    in_core = toy.obs.groupby(keys.PATIENT, observed=True)[datasets.TUMOUR_CORE].sum()
    assert in_core["TOY-H"] > 40
    assert in_core["TOY-L"] == 0


def test_seed_decides() -> None:
    assert_same(datasets.toy(seed=1), datasets.toy(seed=1))
    one, other = datasets.toy(seed=1), datasets.toy(seed=2)
    assert not np.array_equal(one.obsm[keys.SPATIAL], other.obsm[keys.SPATIAL])
    assert (one.X != other.X).nnz > 0


def test_hard_core_keeps_all_that_it_can() -> None:
    positions = np.random.default_rng(0).uniform(0, 30, (300, 2))
    kept = _points.hard_core(positions, 2.0)
    by_hand: list[int] = []
    for candidate in range(len(positions)):
        if all(np.linalg.norm(positions[candidate] - positions[other]) > 2.0 for other in by_hand):
            by_hand.append(candidate)
    assert kept.tolist() == by_hand


def test_noise_is_smooth_and_has_unit_variance() -> None:
    rng = np.random.default_rng(0)
    noise = _points.SmoothNoise(50, rng, n_waves=400)
    positions = rng.uniform(0, 5000, (4000, 3))
    assert noise(positions).std() == pytest.approx(1, abs=0.1)
    assert np.abs(noise(positions + 0.5) - noise(positions)).max() < 0.1


def test_nearest_tubule_is_the_nearest() -> None:
    lines = np.zeros((3, 9, 3))
    lines[:, :, 2] = np.arange(9)
    lines[1, :, 0], lines[2, :, 0] = 10, 30
    near = _tubules.Tubules(lines).nearest(np.array([[2.0, 0, 4], [22.0, 0, 4]]))
    assert near.curve.tolist() == [0, 2]
    np.testing.assert_allclose(near.distance, [2, 8])
    np.testing.assert_allclose(near.margin, [3, 2])


def test_gene_symbols_are_not_run_together(cohort):
    assert not [gene for gene in cohort[0].var_names if re.search(r"\d[A-Z]{3,}", gene)]
