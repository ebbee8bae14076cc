"""Whether the baselines of in-painting are those that others measured on real sections."""

import json
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from squint.baselines import catalogue
from squint.stats.metrics import Judge, Scores
from tests.helpers.paths import REGIONS

pytestmark = pytest.mark.benchmark
NAMES = (
    "starmap_mpfc_3sections",
    "merfish_mouse_poa",
    "cosmx_nsclc_lung5_rep3_4fov",
    "xenium_breast_roi_17k",
    "xenium_human_pancreas_full",
)
METRICS = ("PC", "PG", "MMD", "MMD3", "E")
CLOSE = 1e-3  # between two implementations, where there is no chance
N_SEEDS = 10


@pytest.mark.parametrize("name", NAMES)
def test_baselines_agree_with_what_others_measured(real_regions, name):
    adata, hidden = real_regions(name)
    measured = json.loads((REGIONS / f"baselines_{name}.json").read_text())
    measured = {row.split(" ")[0]: [scores[m] for m in METRICS] for row, scores in measured.items()}
    (section,) = catalogue.hidden_in(adata, list(adata.var_names), hidden)
    print(f"\n{name}: {len(section.nearest):,} hidden cells; ours - theirs")
    print(f"| baseline | {' | '.join(METRICS)} | |\n" + "|---" * 7 + "|")
    wrong, seen = [], set()
    for row, ours, allowed, how in judged(section):
        if row not in measured:
            continue
        difference = ours - measured[row]
        print(f"| {row} | {' | '.join(f'{d:+.5f}' for d in difference)} | {how} |", flush=True)
        seen.add(row)
        if (np.abs(difference) > allowed).any():
            wrong.append(row)
    assert not wrong
    assert seen == set(measured)


def judged(section: catalogue.Hidden) -> Iterator[tuple[str, NDArray, NDArray, str]]:
    """Score each baseline: name, scores (5,), by how much they may differ (5,), and why."""
    truth = section.truth()
    judge = Judge(truth)
    for row, values in catalogue.averages(section):
        yield row, np.array(judge.score(values)), np.full(5, CLOSE), "no chance"
    drawn: dict[str, list[Scores]] = {}
    for seed in range(N_SEEDS):
        for row, values in catalogue.draws(section, seed):
            drawn.setdefault(row, []).append(judge.score(values))
    drawn[catalogue.TRUTH_HALVES] = catalogue.truth_halves(truth)
    for row, scores in drawn.items():
        allowed = 3 * np.std(scores, axis=0, ddof=1)
        yield row, np.mean(scores, axis=0), allowed, f"allowed {', '.join(f'{a:.5f}' for a in allowed)}"
