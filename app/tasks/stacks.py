"""Levels of a stack laid onto each other, in-painted and judged. Runs in the worker."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

import squint
import squint.io
from app.engine.client import Report
from app.library.results import keep
from app.library.stacks import ROW
from app.library.store import DATA, Library
from app.tasks.gather import join
from squint import keys, tl
from squint.baselines.nearest import graph_mean
from squint.errors import InputError
from squint.geometry.registration import measure
from squint.model.bundle import Bundle

_TARGETS = ("cell", "neighbourhood")


def train(args: Mapping[str, Any], report: Report) -> str:
    """Train a model on a stack, some cells of each level held out; return its folder."""
    library = Library(Path(args["home"]))
    stack = gather(library, args["ids"])
    choices = squint.TrainConfig(cells_held_out=args["hold_out"], n_epochs=args["n_epochs"])
    report(0.0, "preparing")
    last = None
    for last in squint.train(stack, train=choices):
        report(last.number / last.n_epochs, f"epoch {last.number} of {last.n_epochs}")
    if last is None:
        raise InputError("No epoch was run.")
    return keep_model(library, last.bundle, args["ids"], args["model_name"])


def keep_model(library: Library, bundle: Bundle, ids: Sequence[str], name: str) -> str:
    """Store a model that was trained on sections of the library; return its folder.

    Raises
    ------
    InputError
        If a section was deleted meanwhile: then nothing made of it stays.
    """
    bundle.simulated = all(library.get(section_id).simulated for section_id in ids)
    folder = library.workspace()
    bundle.save(folder / "model")
    target = library.models / f"{name}-{bundle.sha256[:12]}"
    if target.exists():
        shutil.rmtree(folder)
    else:
        (folder / "model").rename(target)
        folder.rmdir()
    try:
        for section_id in ids:
            library.get(section_id)
    except InputError:
        shutil.rmtree(target)
        raise
    return str(target)


def inpaint(args: Mapping[str, Any], report: Report) -> None:
    """Predict the held-out cells of a stack, and judge it beside the nearest cells."""
    library = Library(Path(args["home"]))
    report(0.05, "reading the levels")
    stack = gather(library, args["ids"])
    bundle = Bundle.load(Path(args["bundle"]))
    report(0.2, "predicting the cells that training did not see")
    tl.inpaint(stack, bundle)
    report(0.5, "comparing with the nearest observed cells")
    tl.imputation_quality(stack)
    quality = stack.uns[keys.QUALITY]
    hidden = stack.obs[keys.HIDDEN].to_numpy()
    genes = [gene for gene in bundle.genes if gene in stack.var_names]
    obs: Any = stack.obs
    where = obs.loc[hidden, ["id", ROW]].reset_index(drop=True)
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
    keep(library, args, {**facts, "held_out": bundle.train_config.cells_held_out}, tables)


def align(args: Mapping[str, Any], report: Report) -> None:
    """Measure how neighbouring levels lie to each other, and where they would lie aligned."""
    library = Library(Path(args["home"]))
    report(0.05, "reading the levels")
    stack = gather(library, args["ids"])
    levels = tl.stack_levels(stack)
    pairs = []
    for pair in measure(levels):
        pairs.append(pair)
        report(0.1 + 0.9 * len(pairs) / len(levels), f"laying {pair.upper} onto {pair.lower}")
    tl.align_levels(stack, pairs=pairs, apply=True)
    aligned: Any = np.asarray(stack.obsm[keys.ALIGNED])
    tables = {"pairs": stack.uns[keys.ALIGNMENT]}
    for section_id in args["ids"]:
        here = (stack.obs["id"] == section_id).to_numpy()
        tables[f"aligned_{section_id}"] = pd.DataFrame(aligned[here, :2], columns=["x", "y"])
    keep(library, args, {}, tables)


def gather(library: Library, ids: Sequence[str]) -> ad.AnnData:
    """Put the levels of a stack on one axis, over the genes that all measure."""
    parts = []
    for section_id in ids:
        section = library.get(section_id)
        part: Any = squint.io.read(library.folder(section_id) / DATA)
        obs = part.obs.assign(**{"id": section_id, ROW: np.arange(part.n_obs), keys.SECTION: section.section})
        alone = ad.AnnData(X=part.X, obs=obs, var=pd.DataFrame(index=part.var_names))
        alone.obsm[keys.SPATIAL] = np.asarray(part.obsm[keys.SPATIAL])
        parts.append(alone)
    together = join(parts, [library.get(section_id).title for section_id in ids])
    facts = parts[0].uns.get(keys.PROVENANCE, {})
    together.uns[keys.PROVENANCE] = {**facts, "unit": library.get(ids[0]).unit}
    together.obs[keys.SECTION] = together.obs[keys.SECTION].astype("category")
    return together
