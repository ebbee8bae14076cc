"""Sections between measured levels: whole levels left out and told from the others."""

import anndata
import numpy as np
import pytest
from numpy.typing import NDArray

import squint
from squint import keys, tl
from squint.benchmarks.virtual_section import leave_levels_out, to_markdown
from squint.model.between import SIZES, Between, weighed_means
from squint.stats.metrics import Judge
from tests.helpers.paths import ROOT

pytestmark = pytest.mark.benchmark
SLAB = 8.0  # voxels of z that make a level of the block


def test_levels_of_the_shipped_stack_left_out(tmp_path):
    adata = squint.read(ROOT / "data_samples" / "stack.h5ad")
    print("\n" + leave_levels_out(adata, tmp_path))


def test_thin_slabs_of_a_measured_block_left_out(real_section):
    """The one real block of many depths holds intensities of 28 genes, not counts."""
    block = anndata.read_h5ad(real_section("starmap_3d_visual_cortex_28genes"))
    z: NDArray[np.float64] = np.asarray(block.obsm["spatial"])[:, 2]
    slab = np.floor((z - z.min()) / SLAB)
    block.obs[keys.SECTION] = [f"slab-{int(one):02}" for one in slab]
    block.obs[keys.Z] = SLAB * slab
    enough = block.obs.groupby(keys.SECTION)[keys.Z].transform("size") > 1_000
    block = block[enough.to_numpy()].copy()
    tl.virtual_section_quality(block, n_levels=None, distributions=True)
    print("\n" + to_markdown(block.uns[keys.BETWEEN_QUALITY]))


def test_one_of_two_levels_told_from_the_other(real_section):
    """Two levels have none between them: one is told from one side only, and nothing can be learned."""
    stack = tl.level_by_level(squint.read(real_section("seqfish_mouse_embryo2_z2_z5_subsampled")))
    print("\n| level left out | target | K: PC | K: PG | K: MMD3 | K: E |\n|---|---|---|---|---|---|")
    for target in ("neighbourhood", "cell"):
        levels = getattr(stack, target)
        for hidden, other in (levels, levels[::-1]):
            judge = Judge(hidden.values.toarray())
            found = weighed_means(Between(other, other, 0.0), hidden.points)
            scores = {k: judge.score(one) for k, one in zip(SIZES, found, strict=True)}
            best = [
                better(scores.items(), key=lambda pair, name=name: getattr(pair[1], name))
                for name, better in (("pc", max), ("pg", max), ("mmd3", min), ("energy", min))
            ]
            said = " | ".join(
                f"{k}: {getattr(one, name):.4f}"
                for (k, one), name in zip(best, ("pc", "pg", "mmd3", "energy"), strict=True)
            )
            print(f"| z = {hidden.z:g} um | {target} | {said} |")
