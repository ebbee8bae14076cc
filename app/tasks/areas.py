"""Marked areas of a section in-painted, and judged where that is fair. Runs in the worker."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import anndata as ad
import numpy as np
import pandas as pd
from numpy.typing import NDArray

import squint
import squint.io
from app.areas import marking
from app.areas.filled import CELL, KNN, MODEL, NEIGHBOURHOOD
from app.models import describe
from app.requests import InpaintArea, TrainWithoutArea
from app.tasks import models
from app.tasks.gather import ROW
from app.tasks.models import keep_model
from squint import keys, tl
from squint.baselines.catalogue import SIZES, Hidden, averages, hidden_in
from squint.baselines.nearest import knn_profiles
from squint.errors import InputError
from squint.geometry.positions import append_points, fill_area
from squint.geometry.predicted_positions import Filling, predict_positions
from squint.geometry.regions import Points, Polygon, Rectangle, Shape
from squint.library.results import Report, keep
from squint.library.store import DATA, Library
from squint.model.bundle import Bundle
from squint.model.card import NOT_IN_TRAINING, TRAINED_ON, read_card
from squint.model.section_hash import section_sha256
from squint.stats.metrics import column_pearson, row_pearson

LEAST_SCORED = 30  # cells, below which a correlation across cells says nothing
NOWHERE = -1  # the row of a cell that the section does not have

Floats = NDArray[np.floating]


class _Marked(NamedTuple):
    adata: ad.AnnData  # n cells, those at bare positions last
    hidden: NDArray[np.bool_]  # (n,)
    measured: int  # cells of the section itself
    expected: Mapping[str, float] | None = None  # cells in the area, where positions were predicted


def inpaint(library: Library, asked: InpaintArea, report: Report) -> None:
    """Predict what the cells of a marked area express, from the tissue around it."""
    report(0.05, "reading the section")
    (section_id,) = asked.ids
    whole: Any = squint.io.read(library.path(section_id, DATA))
    bundle = models.load(library, asked.bundle)
    marked = _fill(whole, asked) if asked.fill else _hide(whole, asked.regions)
    report(0.15, "predicting from the tissue around")
    adata, hidden = marked.adata, marked.hidden
    tl.inpaint(adata, bundle, hidden=hidden)
    tables = {
        CELL: _slot(adata, keys.IMPUTED_CELL, hidden),
        NEIGHBOURHOOD: _slot(adata, keys.IMPUTED, hidden),
    }
    facts = dict(adata.uns[keys.PROVENANCE]["inpainting"])
    facts["protocol"] = _protocol(whole, bundle, facts["protocol"])
    if marked.expected is not None:
        facts["positions"] = marked.expected
    if asked.n_draws > 1:
        report(0.4, f"drawing {asked.n_draws} times")
        tables |= _spread(adata, bundle, hidden, asked)
    report(0.8, "comparing with the nearest measured cells")
    measured = [gene for gene in bundle.genes if gene in adata.var_names]
    (section,) = hidden_in(adata, measured, hidden)
    if facts["protocol"] != TRAINED_ON and not asked.fill and section.told.sum() >= LEAST_SCORED:
        tables["scores"] = _judge(section, {name: tables[name][measured].to_numpy() for name in tables})
    rows, columns = section.graph.nonzero()
    tables = {name: table if name == "scores" else table[measured] for name, table in tables.items()}
    tables["edges"] = pd.DataFrame({"from": rows.astype(np.int32), "to": columns.astype(np.int32)})
    tables["hidden"] = _where(marked, section.nearest)
    model = asdict(describe(Path(asked.bundle).name, bundle.sha256, read_card(Path(asked.bundle))))
    keep(library, asked, {**facts, "genes": measured, "model": model, "n_draws": asked.n_draws}, tables)


def train(library: Library, asked: TrainWithoutArea, report: Report) -> str:
    """Train a model on a section without the cells of a marked area; return its folder."""
    report(0.0, "preparing")
    marked = _hide(squint.io.read(library.path(asked.section_id, DATA)), asked.regions)
    last = None
    for last in squint.train([marked.adata], hidden=[marked.hidden]):
        report(last.number / last.n_epochs, f"epoch {last.number} of {last.n_epochs}")
    if last is None:
        raise InputError("No epoch was run.")
    return keep_model(library, last.bundle, [asked.section_id], asked.model_name)


def _hide(adata: ad.AnnData, regions: Sequence[Shape]) -> _Marked:
    hidden = marking.inside(regions, adata.obs_names, _space(adata))
    if not hidden.any():
        raise InputError("The marked area holds no cell. Mark one that does.")
    return _Marked(adata, hidden, adata.n_obs)


def _fill(adata: ad.AnnData, asked: InpaintArea) -> _Marked:
    """Add cells without counts where the area has none: predicted, or at the section's own spacing."""
    space = _space(adata)
    section = str(adata.obs[keys.SECTION].iloc[0])
    lists: list[Points] = []
    told: list[Filling] = []
    for region in asked.regions:
        if isinstance(region, Points):
            lists.append(region)
        elif isinstance(region, Rectangle | Polygon):
            if asked.predicted:
                told.append(predict_positions(space, region, seed=asked.seed))
                found = told[-1].points
            else:
                found = fill_area(space, region, seed=asked.seed)
            space = np.concatenate([space, found])  # areas that overlap are filled once
            if len(found):
                lists.append(Points(section, tuple(map(tuple, found.tolist()))))
    if not lists:
        raise InputError(
            "There is no room for a cell in the marked area: measured cells fill it. Mark a gap, or hide the "
            "cells that are there."
        )
    together = append_points(adata, lists)
    return _Marked(together, np.arange(together.n_obs) >= adata.n_obs, adata.n_obs, _expected(told))


def _expected(told: Sequence[Filling]) -> dict[str, float] | None:
    """Add up how many cells areas are expected to hold; bounds that are added up are rather too wide."""
    if not told:
        return None
    total = {name: float(sum(getattr(one, name) for one in told)) for name in ("expected", "low", "high")}
    return {**total, "n_learned": min(one.n_learned for one in told)}


def _protocol(adata: ad.AnnData, bundle: Bundle, said: Mapping[str, str]) -> str:
    """Say whether training knew the marked cells; a section of the same content counts, whatever its name."""
    protocol = said[str(adata.obs[keys.SECTION].iloc[0])]
    if protocol == NOT_IN_TRAINING and set(bundle.genes) <= set(adata.var_names):
        same = section_sha256(adata[:, bundle.genes])
        if same in {record.sha256 for record in bundle.sections}:
            return TRAINED_ON
    return protocol


def _space(adata: ad.AnnData) -> NDArray[np.float64]:
    return np.asarray(adata.obsm[keys.SPATIAL], dtype=np.float64)


def _slot(adata: ad.AnnData, key: str, hidden: NDArray[np.bool_]) -> pd.DataFrame:
    slots: Any = adata.obsm
    table: pd.DataFrame = slots[key].loc[hidden].reset_index(drop=True)
    return table


def _spread(
    adata: ad.AnnData, bundle: Bundle, hidden: NDArray[np.bool_], asked: InpaintArea
) -> dict[str, pd.DataFrame]:
    """Give the standard deviation over draws (m, g)."""
    how: dict[str, Any] = {"n_draws": asked.n_draws, "seed": asked.seed}
    tl.inpaint(adata, bundle, hidden=hidden, **how)
    return {f"sd_{NEIGHBOURHOOD}": _slot(adata, keys.IMPUTED_SD, hidden)}


def _judge(section: Hidden, imputed: Mapping[str, Floats]) -> pd.DataFrame:
    """Score the model and what needs no model on the same cells and genes."""
    truth = {CELL: section.counts[section.hidden].toarray(), NEIGHBOURHOOD: section.truth()}
    told = section.told

    def score(target: str, method: str, values: Floats) -> dict[str, object]:
        return _score(target, method, truth[target][told], values[told])

    rows = [score(target, MODEL, imputed[target]) for target in truth]
    for name, values in averages(section):
        if name.startswith(KNN):
            rows.append(score(NEIGHBOURHOOD, name, values))
    for k, profiles in knn_profiles(section.counts, section.nearest, SIZES):
        rows.append(score(CELL, f"{KNN}{k}_cell", profiles))
    return pd.DataFrame(rows)


def _score(target: str, method: str, truth: Floats, values: Floats) -> dict[str, object]:
    by_gene = column_pearson(truth, values)
    known = by_gene[np.isfinite(by_gene)]
    return {
        "target": target,
        "method": method,
        "pc": float(row_pearson(truth, values).mean()),
        "pg": float(known.mean()) if len(known) else float("nan"),
        "n_cells": len(truth),
        "n_genes": len(known),
    }


def _where(marked: _Marked, nearest: NDArray[np.int64]) -> pd.DataFrame:
    """Say of each hidden cell (m,) which one it is, where, and how far from the nearest measured cell."""
    space = _space(marked.adata)
    rows = np.flatnonzero(marked.hidden)
    apart = np.linalg.norm(space[rows] - space[nearest[:, 0]], axis=1)
    return pd.DataFrame(
        {
            "cell": marked.adata.obs_names[rows].to_numpy(dtype=object),
            ROW: np.where(rows < marked.measured, rows, NOWHERE),
            "x": space[rows, 0],
            "y": space[rows, 1],
            "distance_to_measured": apart,
        }
    )
