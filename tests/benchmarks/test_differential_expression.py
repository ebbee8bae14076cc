"""Cost of comparing 50,000 with 50,000 cells over 1,000 genes, beside scanpy's own tests."""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.benchmark

SETUP = """
import json, resource, time
import numpy as np, pandas as pd
from scipy import sparse

n_cells, n_genes = {n_cells}, 1_000
rng = np.random.default_rng(0)

def some_cells():  # few at a time, since the peak of memory is to be that of the test
    here = rng.random((1_000, n_genes), dtype=np.float32) < 0.08
    return sparse.csr_matrix(here * (1 + rng.poisson(0.6, here.shape)).astype(np.float32))

counts = sparse.vstack([some_cells() for _ in range(n_cells // 1_000)], format="csr")
genes = pd.Index([f"G{{i}}" for i in range(n_genes)])
in_group = np.arange(n_cells) % 2 == 0

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6

def tell(run, n_parts=1):
    before, seconds = peak(), []
    for _ in range(3):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    print(json.dumps([seconds[0], min(seconds[1:]), before, peak(), n_parts]))
"""
SQUINT = """
from squint.stats import ranksum
from squint.stats.arms import Arms
from squint.stats.ranksum import GENES_AT_ONCE

arms = Arms(in_group, ~in_group)
tell(lambda: ranksum.combine(ranksum.compare(counts, arms, genes, test="{test}")),
     -(-n_genes // GENES_AT_ONCE))
"""
SCANPY = """
import scanpy as sc
from anndata import AnnData

obs = pd.DataFrame({{"arm": pd.Categorical(np.where(in_group, "a", "b"))}}).rename(index=str)
raw = AnnData(counts, obs=obs, var=pd.DataFrame(index=genes))
how = {{"tie_correct": True}} if "{test}" == "wilcoxon" else {{}}

def run():
    adata = sc.pp.normalize_total(raw, copy=True)
    sc.pp.log1p(adata)
    sc.tl.rank_genes_groups(adata, "arm", groups=["a"], reference="b", method="{test}", **how)

tell(run)
"""


def measure(code: str, n_cells: int, test: str, cache: str) -> list[float]:
    """Run in a new process: seconds of the first time and of a later one, GB before and at most, parts."""
    command = [sys.executable, "-W", "ignore", "-c", (SETUP + code).format(n_cells=n_cells, test=test)]
    environment = os.environ | {"NUMBA_CACHE_DIR": cache}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return [float(number) for number in json.loads(done.stdout.splitlines()[-1])]


def test_cost_of_a_comparison(tmp_path):
    print("\n| test | by | s | s in a new process | s to compile | GB before | GB at most | steps told |")
    print("|---|---|---|---|---|---|---|---|")
    for test in ("t-test", "wilcoxon"):
        for name, code in (("squint", SQUINT), ("scanpy", SCANPY)):
            cache = str(tmp_path / f"{name}-{test}")
            few = measure(code, 2_000, test, cache)  # scanpy compiles, and keeps that in the cache
            first, again, before, most, steps = measure(code, 100_000, test, cache)
            times = f"{again:.2f} | {first:.2f} | {few[0] - few[1]:.1f}"
            print(f"| {test} | {name} | {times} | {before:.2f} | {most:.2f} | {steps:.0f} |", flush=True)
