"""Levels of a stack laid onto each other, in-painted and judged. Runs in the worker."""

from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

import squint
from app.requests import Align, InpaintStack, TrainOnStack
from app.tasks import models
from app.tasks.gather import ROW, gather
from app.tasks.models import keep_model
from squint import keys, tl
from squint.baselines.nearest import graph_mean
from squint.errors import InputError
from squint.geometry.registration import measure
from squint.library.results import Report, keep
from squint.library.store import LIBRARY_ID, Library

_TARGETS = ("cell", "neighbourhood")


def train(library: Library, asked: TrainOnStack, report: Report) -> str:
    """Train a model on a stack, some cells of each level held out; return its folder."""
    stack = gather(library, asked.ids, counts=True)
    choices = squint.TrainConfig(cells_held_out=asked.hold_out, n_epochs=asked.n_epochs)
    report(0.0, "preparing")
    last = None
    for last in squint.train(stack, train=choices):
        report(last.number / last.n_epochs, f"epoch {last.number} of {last.n_epochs}")
    if last is None:
        raise InputError("No epoch was run.")
    return keep_model(library, last.bundle, asked.ids, asked.model_name)


def inpaint(library: Library, asked: InpaintStack, report: Report) -> None:
    """Predict the held-out cells of a stack, and judge it beside the nearest cells."""
    report(0.05, "reading the levels")
    stack = gather(library, asked.ids, counts=True)
    bundle = models.load(library, asked.bundle)
    report(0.2, "predicting the cells that training did not see")
    tl.inpaint(stack, bundle)
    report(0.5, "comparing with the nearest observed cells")
    tl.imputation_quality(stack)
    quality = stack.uns[keys.QUALITY]
    hidden = stack.obs[keys.HIDDEN].to_numpy()
    genes = [gene for gene in bundle.genes if gene in stack.var_names]
    obs: Any = stack.obs
    where = obs.loc[hidden, [LIBRARY_ID, ROW]].rename(columns={LIBRARY_ID: "id"}).reset_index(drop=True)
    counts = csr_matrix(stack[:, genes].X, dtype=np.float32)
    truth = counts[hidden].toarray()
    observed = graph_mean(counts, csr_matrix(stack.obsp[keys.CONNECTIVITIES]), hidden, truth)
    slots: Any = stack.obsm
    imputed = {
        key: slots[key].loc[hidden, genes].reset_index(drop=True) for key in (keys.IMPUTED_CELL, keys.IMPUTED)
    }
    tables = {
        "hidden": where,
        "imputed_cell": imputed[keys.IMPUTED_CELL],
        "imputed_neighbourhood": imputed[keys.IMPUTED],
        "observed_cell": pd.DataFrame(truth, columns=genes),
        "observed_neighbourhood": pd.DataFrame(observed, columns=genes),
        "quality": quality,
        **{f"badges_{target}": tl.level_badges(quality, target=target).reset_index() for target in _TARGETS},
    }
    facts = stack.uns[keys.PROVENANCE]["inpainting"]
    keep(library, asked, {**facts, "held_out": bundle.train_config.cells_held_out}, tables)


def align(library: Library, asked: Align, report: Report) -> None:
    """Measure how neighbouring levels lie to each other, and where they would lie aligned."""
    report(0.05, "reading the levels")
    stack = gather(library, asked.ids, counts=True)
    levels = tl.stack_levels(stack)
    pairs = []
    for pair in measure(levels):
        pairs.append(pair)
        report(0.1 + 0.9 * len(pairs) / len(levels), f"laying {pair.upper} onto {pair.lower}")
    tl.align_levels(stack, pairs=pairs, apply=True)
    aligned: Any = np.asarray(stack.obsm[keys.ALIGNED])
    tables = {"pairs": stack.uns[keys.ALIGNMENT]}
    for section_id in asked.ids:
        here = (stack.obs[LIBRARY_ID] == section_id).to_numpy()
        tables[f"aligned_{section_id}"] = pd.DataFrame(aligned[here, :2], columns=["x", "y"])
    keep(library, asked, {}, tables)
