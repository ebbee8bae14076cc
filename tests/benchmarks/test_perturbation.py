"""Whether perturbations find what was planted, and nothing where nothing was: on seeds fixed beforehand.

Two hours on two busy cores, half of one on idle ones. Tables and the histogram of `docs/results/analysis.md`.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from squint.benchmarks.ablation_report import write_figure
from squint.benchmarks.perturbation import PLANTED, PLANTED_SEEDS, SHAM, SHAM_SEEDS, Trial, p_values, trial

pytestmark = pytest.mark.benchmark


def table(seeds: tuple[int, ...], state: str) -> pd.DataFrame:
    """Run all seeds, and print each."""
    rows: list[Trial] = []
    for seed in seeds:
        rows.append(trial(seed, state))
        print(rows[-1])
    return pd.DataFrame(rows)


def test_planted_answers_are_found_and_sham_states_are_not(tmp_path: Path) -> None:
    planted, sham = table(PLANTED_SEEDS, PLANTED), table(SHAM_SEEDS, SHAM)
    print(f"\nplanted: p < 0.01 in {(planted['p'] < 0.01).sum()} of {len(planted)}")
    print(f"sham state: p < 0.05 in {(sham['p'] < 0.05).sum()} of {len(sham)}")
    print(f"p of the sham state, ten bins: {np.histogram(sham['p'], np.linspace(0, 1, 11))[0].tolist()}")
    print(tmp_path, write_figure(p_values(planted["p"].tolist(), sham["p"].tolist()), tmp_path / "p_values"))
    assert (planted["p"] < 0.01).sum() >= 18
    assert (sham["p"] < 0.05).sum() <= 10
