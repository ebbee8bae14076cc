"""In-painting of sections, and of places in them, that no choice of the method was made on.

The rectangles come from a rule that was fixed before anything was scored: in the largest section of a file,
three squares about cells drawn with seed 0, each of 4.5 % of the cells, full on all sides, none on another.
"""

import numpy as np
import pytest
from anndata import AnnData
from numpy.typing import NDArray

from squint import ModelConfig, TrainConfig, io, keys
from squint.benchmarks.inpainting import Inpainting

pytestmark = pytest.mark.benchmark
NAMES = (
    "osmfish_sscortex",
    "xenium_breast_serial_rep1_rep2_crop",
    "cosmx_nsclc_mini",
    "cosmx_melanoma_crop",
)
N_SQUARES, SHARE = 3, 0.045
LEAST_IN_A_QUARTER = 0.12  # of a square's cells, or it lies at the edge of the tissue
SEEDS = (0, 1, 2)


@pytest.mark.parametrize("name", NAMES)
def test_sections_that_no_choice_was_made_on(real_section, tmp_path, name):
    adata = io.read(real_section(name))
    # One epoch: tokens take no part in in-painting.
    choices = TrainConfig(n_epochs=1)
    work = Inpainting([adata], [squares(adata)], tmp_path, ModelConfig(), choices, device="cpu")
    for step in work.run(SEEDS):
        print(step, flush=True)
    print(f"\n{name}\n{work.text}", flush=True)


def squares(adata: AnnData) -> NDArray[np.bool_]:
    """Choose the hidden cells (n,) by the rule."""
    section = adata.obs[keys.SECTION].astype(str).to_numpy()
    names, n_cells = np.unique(section, return_counts=True)
    largest = np.flatnonzero(section == names[n_cells.argmax()])
    xy = np.asarray(adata.obsm[keys.SPATIAL], dtype=np.float64)[largest, :2]
    rng = np.random.default_rng(0)
    hidden = np.zeros(adata.n_obs, dtype=bool)
    n_found = 0
    while n_found < N_SQUARES:
        off = xy - xy[rng.integers(len(xy))]
        reach = np.abs(off).max(axis=1)
        square = reach <= np.sort(reach)[int(SHARE * len(xy))]
        quarters = [((off[square] * (sx, sy)) > 0).all(axis=1).mean() for sx in (1, -1) for sy in (1, -1)]
        if min(quarters) > LEAST_IN_A_QUARTER and not hidden[largest[square]].any():
            hidden[largest[square]] = True
            n_found += 1
    return hidden
