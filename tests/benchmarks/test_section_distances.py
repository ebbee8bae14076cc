"""How often sections of one tissue are said to lie beyond chance, by the size of their structures.

Four minutes of processor time. The table of `docs/results/analysis.md`.
"""

import numpy as np
import pytest

from squint.benchmarks.section_distances import ALPHA, HEAD, LENGTHS, Trial, interval, trial

pytestmark = pytest.mark.benchmark


def test_sections_of_one_tissue_lie_beyond_chance_no_oftener_than_said() -> None:
    print(f"\n{HEAD}")
    found: list[Trial] = []
    for length in LENGTHS:
        found.append(trial(length))
        print(found[-1].row())
    together = np.concatenate([one.p for one in found])
    n_small = int((together <= ALPHA).sum())
    low, high = interval(n_small, len(together))
    print(f"one tissue, all lengths: {n_small} of {len(together)} ({low:.1%} to {high:.1%})")
    print(f"p, ten bins: {np.histogram(together, np.linspace(0, 1, 11))[0].tolist()}")
    for one in found:  # 5 % is not beyond chance, and what differs is seen where structures are small
        assert interval(int((one.p <= ALPHA).sum()), len(one.p))[0] <= ALPHA, one.length
    assert (found[0].p_apart <= ALPHA).mean() > 0.5
