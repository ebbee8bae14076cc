"""How well the starter models know tissue that they were not trained on; docs/starters.md tells the numbers.

Breast: judged on the crop of Rep2, another section of the same block, against a model trained on that crop
itself, of as many codes and with the same choices. Rep1 is not judged: the starter was trained on that slide.
Published types are used to judge alone. Those of the region in Rep1 are brought to the eight of the crop by
``breast_types.csv``, which is what the makers of the crop did themselves (phipsonlab/spaceMarker,
``inst/generate_vignette_data.R``); the types that they dropped have no counterpart and no row is made up.

Pancreas: a second model is trained without a fifth of the slide, in squares of 500 um, and judged there. The
cells that are held out are of the same slide, and of the same patient, as those of the training.

In-painting: the shipped breast starter fills squares of the crop of Rep2, beside the baselines.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from numpy.typing import NDArray

import squint
from squint import Bundle, TrainConfig, keys, pp, tl
from squint.baselines import catalogue
from squint.model.card import NOT_IN_TRAINING
from squint.model.cohort import prepare
from squint.model.tokens import decode, embed
from squint.stats.metrics import row_pearson
from squint.training.data import bare
from tests.helpers.agreement import (
    accuracy_across_blocks,
    agreement,
    blocks,
    mapped_accuracy,
    types_of_tokens,
)
from tests.helpers.paths import ROOT

pytestmark = pytest.mark.benchmark
NAME = "section"
SEEDS = (0, 1, 2)
SIDE = 100.0  # um, of blocks that a type is learned on or judged on
WIDE = 500.0  # um, of blocks that are held out
HELD_OUT = 0.2
MAPPING = Path(__file__).with_name("breast_types.csv")
CROP, REGION = "xenium_breast_serial_rep1_rep2_crop", "xenium_breast_roi_17k"
QUADRANTS, PANCREAS = "xenium_breast_4quadrants_subsampled", "xenium_human_pancreas_full"


def trained(adata: AnnData, seed: int) -> Bundle:
    """Train on counts and positions alone; in-painting changes no token and is left out."""
    start = time.perf_counter()
    *_, last = squint.train(bare(adata, NAME), train=TrainConfig(seed=seed, context_steps=0))
    print(f"  trained on {adata.n_obs:,} cells, seed {seed}: {time.perf_counter() - start:.0f} s", flush=True)
    return last.bundle


def tokens_of(adata: AnnData, bundle: Bundle) -> tuple[NDArray[np.str_], NDArray[np.bool_]]:
    """Give the token of each cell, and whether the cell is new to the model.

    All are called as in training: a model knows its own section by name and content, and no other.
    """
    done = bare(adata, NAME)
    tl.tokenize(done, bundle)
    beyond = done.obs[keys.DISTANCE].to_numpy() > bundle.distance_p99
    return done.obs[keys.TOKEN].astype(str).to_numpy(dtype=np.str_), beyond


def labels(adata: AnnData, name: str) -> NDArray[np.str_]:
    return adata.obs[name].astype(str).to_numpy(dtype=np.str_)


def show(title: str, rows: pd.DataFrame, by: str) -> None:
    """Print mean and range over seeds of each measure."""
    table = rows.groupby(by, sort=False).agg(
        lambda values: f"{values.mean():.3f} ({values.min():.3f}-{values.max():.3f})"
    )
    print(f"\n{title}\n{table.to_string()}", flush=True)


@pytest.fixture(scope="module")
def mapping() -> dict[str, str]:
    table = pd.read_csv(MAPPING).dropna()
    return dict(zip(table["published"], table["judged"], strict=True))


def test_a_breast_model_on_another_section(real_section, mapping):
    crop = squint.read(real_section(CROP))
    crop = crop[labels(crop, keys.SECTION) == "Xenium_Breast_rep2"].copy()
    region = squint.read(real_section(REGION))
    quadrants = squint.read(real_section(QUADRANTS))
    types, block = labels(crop, keys.CELL_TYPE), blocks(np.asarray(crop.obsm[keys.SPATIAL]), SIDE)
    published = np.array([mapping.get(kind, "") for kind in labels(region, keys.CELL_TYPE)])
    rows = []
    for seed in SEEDS:
        for name, source in (("starter", quadrants), ("dense region", region), ("the crop itself", crop)):
            bundle = trained(source, seed)
            tokens, beyond = tokens_of(crop, bundle)
            row = {"trained on": name, **agreement(types, tokens)._asdict()}
            row["balanced accuracy"] = accuracy_across_blocks(types, tokens, block)
            row["tokens in use"] = len(set(tokens))
            row["new"] = beyond.mean()
            row["by Rep1's types"] = np.nan
            if source is not crop:
                of_region, _ = tokens_of(region, bundle)
                known = (published != "") & (of_region != "nan")
                learned = types_of_tokens(published[known], of_region[known])
                row["by Rep1's types"] = mapped_accuracy(types, tokens, learned)
            rows.append(row)
    counts = ", ".join(f"{kind} {n:,}" for kind, n in pd.Series(types).value_counts().items())
    genes = len(set(crop.var_names) & set(quadrants.var_names))
    show(f"Rep2: {crop.n_obs:,} cells, {genes} genes ({counts})", pd.DataFrame(rows), "trained on")
    assert len(rows) == 3 * len(SEEDS)


def test_the_breast_starter_in_paints_another_section_beside_the_nearest_cells(real_section):
    adata = squint.read(real_section(CROP))
    adata = bare(adata[labels(adata, keys.SECTION) == "Xenium_Breast_rep2"].copy(), NAME)
    bundle = Bundle.load(ROOT / "data_samples" / "breast_model")
    genes = [gene for gene in bundle.genes if gene in adata.var_names]
    rows, n_hidden = [], []
    for seed in SEEDS:  # of the squares, and of the draws
        hidden = three_squares(np.asarray(adata.obsm[keys.SPATIAL]), seed)
        n_hidden.append(str(hidden.sum()))
        (part,) = catalogue.hidden_in(adata, genes, hidden)
        judge = catalogue.judge_of(part)
        predicted = [*catalogue.averages(part), *catalogue.draws(part, seed)]
        for name, n_draws in (("starter, expected", 0), ("starter, a draw", 1)):
            done = tl.inpaint(adata, bundle, hidden=hidden, n_draws=n_draws, seed=seed, copy=True)
            (said,) = done.uns[keys.PROVENANCE]["inpainting"]["protocol"].values()
            assert said == NOT_IN_TRAINING
            table = done.obsm[keys.IMPUTED].loc[hidden, genes]
            predicted.append((name, table.to_numpy(dtype=np.float32)))
        rows += [{"method": name, **judge.score(values[part.told])._asdict()} for name, values in predicted]
    cells = f"{adata.n_obs:,} cells, hidden: {', '.join(n_hidden)}, {len(genes)} genes"
    show(f"In-painting of Rep2 by the shipped starter ({cells})", pd.DataFrame(rows), "method")
    assert len(rows) % len(SEEDS) == 0


def three_squares(coordinates: NDArray[np.float64], seed: int) -> NDArray[np.bool_]:
    """Hide the cells (n,) in three squares of a sixth of the section's longer side, around cells drawn."""
    side = np.ptp(coordinates, axis=0).max() / 6
    hidden = np.zeros(len(coordinates), dtype=bool)
    for centre in coordinates[np.random.default_rng(seed).choice(len(coordinates), 3, replace=False)]:
        hidden |= (np.abs(coordinates - centre) <= side / 2).all(axis=1)
    return hidden


def test_a_pancreas_model_on_a_part_of_the_slide_that_it_did_not_see(real_section):
    whole = squint.read(real_section(PANCREAS))
    block = blocks(np.asarray(whole.obsm[keys.SPATIAL]), WIDE)
    there = np.unique(block)
    drawn = np.random.default_rng(0).permutation(there)[: round(HELD_OUT * len(there))]
    held_out = np.isin(block, drawn)
    clusters = labels(whole, "cluster")
    rows = []
    for seed in SEEDS:
        bundle = trained(whole[~held_out].copy(), seed)
        tokens, beyond = tokens_of(whole, bundle)
        named = (clusters != "<NA>") & (clusters != "nan") & (tokens != "nan")
        # Seen cells lend their map to the held-out ones, and to each other across blocks.
        learned = types_of_tokens(clusters[named & ~held_out], tokens[named & ~held_out])
        r = dict(reconstruction(whole, bundle))
        for name, cells in (("seen", named & ~held_out), ("held out", named & held_out)):
            row = {"cells": name, **agreement(clusters[cells], tokens[cells])._asdict()}
            row["balanced accuracy"] = (
                mapped_accuracy(clusters[cells], tokens[cells], learned)
                if name == "held out"
                else accuracy_across_blocks(clusters[cells], tokens[cells], block[cells], n_folds=5)
            )
            row["new"] = beyond[cells].mean()
            row["neighbourhood r"] = np.mean([r[i] for i in np.flatnonzero(cells) if i in r])
            rows.append(row)
    show(
        f"Pancreas, one slide: {(~held_out).sum():,} cells seen, {held_out.sum():,} held out in {len(drawn)} "
        f"of {len(there)} squares",
        pd.DataFrame(rows),
        "cells",
    )
    assert len(rows) == 2 * len(SEEDS)


def reconstruction(whole: AnnData, bundle: Bundle, *, n_cells: int = 10_000) -> Iterator[tuple[int, float]]:
    """Correlate decoded and observed neighbourhoods of some cells across genes, as a training measures it."""
    adata = bare(whole, NAME)
    pp.spatial_neighbors(adata, n_neighbors=bundle.model_config.n_neighbors)
    cohort = prepare(adata, bundle.genes, bundle.model_config, scale=bundle.scale)
    drawn = np.random.default_rng(1).permutation(np.flatnonzero(cohort.told))[:n_cells]
    unseen = np.zeros(1, dtype=np.int64)
    for part in embed(bundle.model, cohort, unseen, among=np.sort(drawn)):
        shares = decode(bundle.model, cohort, unseen, part).log_shares.exp().cpu().numpy()
        r = row_pearson(shares, cohort.neighbourhood_sums(part.cells))
        yield from zip(part.cells.tolist(), r.tolist(), strict=True)
