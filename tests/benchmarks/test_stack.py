"""How well held-out cells of a stack are in-painted, and how well levels out of place are put back."""

import time
from itertools import pairwise

import numpy as np
import pytest
from anndata import AnnData

import squint
from squint import TrainConfig, keys, tl
from squint.geometry.registration import Level, Rigid, measure
from tests.helpers.paths import ROOT

pytestmark = pytest.mark.benchmark
STACK = ROOT / "data_samples" / "stack.h5ad"
GROUPS = ("top 50", "top 100", "all")
MOVES = ((90, 300, 0), (170, -200, 250), (-35, 100, -300), (233, 0, 300), (12, 30, 20), (4, 10, 10))


def judged(adata: AnnData, seed: int) -> tuple[AnnData, float]:
    """Train with a tenth of the cells held out, in-paint and judge; give the seconds of training too."""
    start = time.perf_counter()
    # One epoch: tokens take no part in in-painting.
    *_, last = squint.train(adata, train=TrainConfig(seed=seed, cells_held_out=0.1, n_epochs=1))
    seconds = time.perf_counter() - start
    done = tl.inpaint(adata, last.bundle, copy=True)
    assert done is not None
    tl.imputation_quality(done)
    return done, seconds


def show(name: str, adata: AnnData, seconds: float) -> None:
    """Print two lines of the table: cells, and neighbourhoods."""
    quality = adata.uns[keys.QUALITY]
    for target in ("cell", "neighbourhood"):
        of_target = quality[quality["target"] == target]
        mean = of_target.groupby(["method", of_target["group"].str.replace(r"all \d+", "all", regex=True)])[
            "pearson"
        ].mean()
        k = of_target.loc[of_target["method"] == "knn", "k"].iloc[0]
        scores = " | ".join(f"{mean['model', group]:.3f} / {mean['knn', group]:.3f}" for group in GROUPS)
        nothing = f"{mean['nothing', 'all']:.3f}" if target == "neighbourhood" else "0"
        verdicts = tl.level_badges(quality, target=target)["verdict"].value_counts()
        said = ", ".join(f"{n} {verdict}" for verdict, n in verdicts.items())
        print(f"| {name} | {target} | {scores} | {k} | {nothing} | {said} | {seconds:.0f} |", flush=True)


def head() -> None:
    print(
        "\n| stack, training seed | target | top 50: model / kNN | top 100 | all genes | K | nothing, all "
        "| levels | training s |\n|---|---|---|---|---|---|---|---|---|"
    )


def test_in_painting_of_the_shipped_stack():
    head()
    for seed in (0, 1, 2):
        show(f"simulated, {seed}", *judged(squint.read(STACK), seed))


def test_in_painting_of_a_real_stack(real_section):
    path = real_section("seqfish_mouse_embryo2_z2_z5_subsampled")
    head()
    for seed in (0, 1, 2):
        show(f"seqFISH, 2 levels, {seed}", *judged(squint.read(path), seed))


def test_alignment_of_the_shipped_stack():
    adata = squint.read(STACK)
    start = time.perf_counter()
    levels = tl.stack_levels(adata)
    as_they_are = list(measure(levels))
    seconds = time.perf_counter() - start
    outcomes = [pair.outcome for pair in as_they_are]
    farthest = max(off(pair.found, upper) for pair, upper in zip(as_they_are, levels[1:], strict=True))
    print(
        f"\nAs they are: {outcomes.count('moved')} of {len(outcomes)} pairs moved; the best placement found, "
        f"declined, is at most {farthest:.0f} um away. {seconds:.1f} s for {adata.n_obs:,} cells."
    )
    print(
        "\n| upper level turned, shifted by | put back | um off: median, worst | degrees off: median, worst |"
        "\n|---|---|---|---|"
    )
    for rotation, *shift in MOVES:
        found = [put_back(lower, upper, rotation, shift) for lower, upper in pairwise(levels)]
        away, turned = np.array([(one[0], one[1]) for one in found]).T
        print(
            f"| {rotation}°, {shift} um | {sum(one[2] for one in found)} of {len(found)} "
            f"| {np.median(away):.1f}, {away.max():.1f} | {np.median(turned):.1f}, {turned.max():.1f} |",
            flush=True,
        )


def off(move: Rigid, level: Level) -> float:
    """RMS movement of a level's cells."""
    moved = move.apply(level.coordinates) - level.coordinates
    return float(np.sqrt((moved**2).sum(axis=1).mean()))


def put_back(lower: Level, upper: Level, rotation: float, shift: list[float]) -> tuple[float, float, bool]:
    """Move a level, and find it again: um and degrees off, and whether the movement was proposed."""
    move = Rigid(rotation, np.array(shift, dtype=float), upper.coordinates.mean(axis=0))
    (pair,) = measure([lower, upper._replace(coordinates=move.apply(upper.coordinates))])
    away = pair.found.apply(move.apply(upper.coordinates)) - upper.coordinates
    turned = abs((pair.found.rotation + rotation + 180) % 360 - 180)
    return float(np.sqrt((away**2).sum(axis=1).mean())), turned, pair.outcome == "moved"
