"""Whether perturbations find what was planted, and nothing where nothing was: on seeds fixed beforehand.

Two hours on two busy cores, half of one on idle ones. Tables and the histogram of `docs/results/analysis.md`.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from squint.benchmarks.ablation_report import write_figure
from squint.benchmarks.perturbation import (
    FLAT_SEEDS,
    PLANTED,
    PLANTED_SEEDS,
    SHAM,
    SHAM_SEEDS,
    Trial,
    p_values,
    trial,
)

pytestmark = pytest.mark.benchmark


def table(seeds: tuple[int, ...], state: str, *, flat: bool = False) -> pd.DataFrame:
    """Run all seeds, and print each."""
    rows: list[Trial] = []
    for seed in seeds:
        rows.append(trial(seed, state, flat=flat))
        print(rows[-1], flush=True)
    return pd.DataFrame(rows).assign(is_seen=[row.is_seen for row in rows])


def say(what: str, found: pd.DataFrame) -> None:
    """Print how many are small, how many of these are beyond the error of the scores, and how p is spread."""
    small = found["p"] < 0.05
    print(f"\n{what}: p < 0.05 in {small.sum()} of {len(found)}, {(small & found['is_seen']).sum()} seen")
    print(f"p in ten bins: {np.histogram(found['p'], np.linspace(0, 1, 11))[0].tolist()}")
    print(found[["response", "above_sham", "score_error"]].describe().loc[["min", "50%", "max"]].to_string())


def test_planted_answers_are_found_and_sham_states_are_not(tmp_path: Path) -> None:
    planted, sham = table(PLANTED_SEEDS, PLANTED), table(SHAM_SEEDS, SHAM)
    print(f"\nplanted: p < 0.01 in {(planted['p'] < 0.01).sum()} of {len(planted)}")
    say("planted", planted)
    say("sham state", sham)
    print(tmp_path, write_figure(p_values(planted["p"].tolist(), sham["p"].tolist()), tmp_path / "p_values"))
    assert (planted["p"] < 0.01).sum() >= 18
    assert (sham["p"] < 0.05).sum() <= 10


def test_a_programme_that_is_the_same_everywhere_is_said_to_be_within_error() -> None:
    """Its p is spread to both ends, for shams know nothing of how well scores are known."""
    found = table(FLAT_SEEDS, SHAM, flat=True)
    say("no macrophage switches the genes on", found)
    assert (found["is_seen"] & (found["p"] < 0.05)).mean() <= 0.05
