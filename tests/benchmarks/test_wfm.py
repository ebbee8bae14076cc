"""How Wasserstein Flow Matching (Haviv et al. 2025), the baseline of the paper's table 2, fills hidden cells.

It generates microenvironments of a cell type, each a cloud of cells in a few principal components; means of
clouds go back to expression. It is told the types of the hidden cells, which were found from their counts and
which squint and its draws of near cells are not told, and nothing of where the cells lie. So only
distributions can be compared: MMD3 and E, not correlations.

The package is on GitHub only (DoronHav/WassersteinFlowMatching), and wants jax 0.4, flax 0.8 and ott-jax 0.4:
an environment of its own.
"""

import os
import subprocess
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import eye_array

from squint.baselines import catalogue
from squint.baselines.catalogue import Hidden
from squint.stats.metrics import Judge

pytestmark = pytest.mark.benchmark
SCRIPT = Path(__file__).with_name("wfm.py")
SETTING = "SQUINT_WFM_PYTHON"
NAMES = ("merfish_mouse_poa", "xenium_breast_roi_17k")  # those with regions and enough cells of known type
SEEDS = (0, 1)
N_STEPS = 3_000
N_COMPONENTS = 16  # as the authors take


class Components(NamedTuple):
    """Principal components of observed neighbourhoods' mean counts, each scaled to spread 1 over cells."""

    mean: NDArray[np.float64]  # (g,)
    axes: NDArray[np.float64]  # (g, d)
    spread: NDArray[np.float64]  # (d,)

    def of(self, counts: NDArray[np.floating]) -> NDArray[np.float32]:
        """Describe counts (n, g) by components (n, d). Linear: the mean of cells is that of the cloud."""
        return ((counts - self.mean) @ self.axes / self.spread).astype(np.float32)

    def back(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """Turn components (n, d) into counts (n, g), none below 0."""
        counts = (values * self.spread) @ self.axes.T + self.mean
        return np.maximum(counts, 0).astype(np.float32)


@pytest.fixture(scope="module")
def interpreter() -> str:
    """Give the Python that has WFM; the tests are skipped where there is none."""
    python = os.environ.get(SETTING)
    if not python:
        pytest.skip(f"{SETTING} names no Python of an environment with wassersteinflowmatching")
    found = subprocess.run([python, "-c", "import wassersteinflowmatching"], check=False, capture_output=True)
    if found.returncode:
        pytest.skip(f"{SETTING} ({python}) cannot import wassersteinflowmatching")
    return python


@pytest.mark.parametrize("name", NAMES)
def test_in_painting_by_wasserstein_flow_matching(real_regions, interpreter, tmp_path, name):
    adata, hidden = real_regions(name)
    (section,) = catalogue.hidden_in(adata, list(adata.var_names), hidden)
    judge = Judge(section.truth())
    components = write(section, tmp_path / "given.npz")
    print("\n| section | n | method | seed | MMD3 | E | training s |\n|---|---|---|---|---|---|---|")

    def show(method, seed, values, seconds=""):
        scores = judge.score(values)
        print(
            f"| {name} | {len(values):,} | {method} | {seed} | {scores.mmd3:.4f} | {scores.energy:.4f} "
            f"| {seconds} |",
            flush=True,
        )

    # For scale: the truth as the components keep it, and what is known without WFM from the type alone.
    show(f"truth through {N_COMPONENTS} components", "", components.back(components.of(judge.truth)))
    for seed in SEEDS:
        drawn = of_own_type(section, seed)
        show("an observed neighbourhood of the type", seed, drawn)
        show(f"the same through {N_COMPONENTS} components", seed, components.back(components.of(drawn)))
    for seed in SEEDS:
        made = tmp_path / f"made{seed}.npz"
        subprocess.run(
            [interpreter, SCRIPT, tmp_path / "given.npz", made, str(seed), str(N_STEPS)],
            check=True,
            capture_output=True,
        )
        with np.load(made) as result:
            first, last = result["losses"][:100].mean(), result["losses"][-100:].mean()
            values = components.back(result["means"])
            seconds = float(result["seconds"])
        assert last < first
        show(f"WFM, {N_STEPS:,} steps, loss {first:.4f} to {last:.4f}", seed, values, f"{seconds:.0f}")


def write(section: Hidden, path: Path) -> Components:
    """Write what WFM is given: whole observed neighbourhoods and their types, and types of hidden cells."""
    closed = (section.graph + eye_array(len(section.hidden))).tocsr()
    whole = np.flatnonzero(closed @ section.hidden.astype(float) == 0)  # no hidden cell among them
    means = np.asarray(section.means[whole].todense())
    axes = np.linalg.eigh(np.cov(means, rowvar=False))[1][:, ::-1][:, :N_COMPONENTS]
    components = Components(means.mean(axis=0), axes, np.ones(N_COMPONENTS))
    counts = np.asarray(section.counts[~section.hidden].todense())
    components = components._replace(spread=components.of(counts).std(axis=0))
    members = closed[whole]
    np.savez(
        path,
        cells=components.of(np.asarray(section.counts[members.indices].todense())),
        sizes=np.diff(members.indptr),
        types=section.cell_type[whole],
        wanted=section.cell_type[section.hidden],
    )
    return components


def of_own_type(section: Hidden, seed: int) -> NDArray[np.float32]:
    """Predict each hidden cell by the neighbourhood of any observed cell of its type: (m, g)."""
    rng = np.random.default_rng(seed)
    observed = np.flatnonzero(~section.hidden)
    drawn = [
        rng.choice(observed[section.cell_type[observed] == wanted])
        for wanted in section.cell_type[section.hidden]
    ]
    return np.asarray(section.means[drawn].todense(), dtype=np.float32)
