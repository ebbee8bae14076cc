"""Sections at depths between the levels of a stack, and how well such are told. Runs in the worker."""

from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

from app.requests import Align, JudgeLevels, VirtualSection, WriteVirtualSection
from app.tasks import stacks
from app.tasks.gather import gather
from squint import io, keys, tl
from squint.errors import InputError
from squint.geometry.positions import grid_within
from squint.library.results import Report, Result, find, keep
from squint.library.store import LIBRARY_ID, Library
from squint.model.between import find_between

_TABLES = {"cell": keys.IMPUTED_CELL, "neighbourhood": keys.IMPUTED}


def judge(library: Library, asked: JudgeLevels, report: Report) -> None:
    """Tell levels of a stack from the others, as if they had not been measured, and score that."""
    report(0.05, "reading the levels")
    stack = _gather(library, asked, report)
    report(0.2, "telling levels that were measured from the others")
    tl.virtual_section_quality(stack)
    keep(library, asked, {}, {"quality": stack.uns[keys.BETWEEN_QUALITY]})


def predict(library: Library, asked: VirtualSection, report: Report) -> None:
    """Predict a section at a depth between two measured levels."""
    judged = find(library, asked.judged)
    if judged is None:
        judge(library, asked.judged, lambda done, words: report(0.7 * done, words))
        judged = find(library, asked.judged)
    report(0.7, "reading the levels")
    stack = _gather(library, asked.judged, report)
    if judged is not None:
        stack.uns[keys.BETWEEN_QUALITY] = judged.table("quality")
    report(0.8, "predicting the section")
    out = tl.virtual_section(stack, asked.z, _points(stack, asked))
    cells = pd.DataFrame(out.obsm[keys.SPATIAL], columns=["x", "y"])
    for column in (keys.PREDICTED_TOKEN, keys.PREDICTED_TOKEN_SHARE):
        if column in out.obs:
            values = out.obs[column].to_numpy()
            cells[column] = values.astype(str) if column == keys.PREDICTED_TOKEN else values
    tables = {
        name: pd.DataFrame(np.asarray(out.obsm[slot]), columns=list(out.var_names))
        for name, slot in _TABLES.items()
    }
    facts = {**out.uns[keys.PROVENANCE]["virtual_section"], "genes": list(out.var_names)}
    keep(library, asked, facts, {"cells": cells, **tables})


def write(library: Library, asked: WriteVirtualSection, report: Report) -> str:
    """Write a predicted section as an AnnData file; return its path.

    Raises
    ------
    InputError
        If it is gone.
    """
    report(0.1, "writing the section")
    found = find(library, asked.section)
    if found is None:
        raise InputError("The predicted section is gone. Predict it again.")
    with library.handed_out() as folder:
        path = folder / "virtual_section.h5ad"
        io.write(_adata(found, asked), path)
    return str(path)


def _adata(found: Result, asked: WriteVirtualSection) -> ad.AnnData:
    facts = found.facts
    genes = facts.pop("genes")
    cells = found.table("cells")
    obs = pd.DataFrame(index=pd.Index([f"virtual-{number}" for number in range(1, len(cells) + 1)]))
    obs[keys.SECTION] = pd.Categorical([f"virtual-z{asked.section.z:g}"] * len(cells))
    obs[keys.Z] = asked.section.z
    obs[keys.HIDDEN] = obs[keys.SIMULATED_POSITION] = True
    for column in (keys.PREDICTED_TOKEN, keys.PREDICTED_TOKEN_SHARE):
        if column in cells:
            values = cells[column].to_numpy()
            obs[column] = pd.Categorical(values) if column == keys.PREDICTED_TOKEN else values
    out = ad.AnnData(obs=obs, var=pd.DataFrame(index=pd.Index(genes)))
    out.obsm[keys.SPATIAL] = cells[["x", "y"]].to_numpy(dtype=np.float64)
    for name, slot in _TABLES.items():
        out.obsm[slot] = found.table(name).to_numpy(dtype=np.float32)
    out.uns[keys.PROVENANCE] = {"virtual_section": facts, "stamp": dict(asked.marks)}
    return out


def _gather(library: Library, asked: JudgeLevels, report: Report) -> ad.AnnData:
    """Read the levels, with tokens and aligned as asked."""
    stack = gather(library, asked.ids, counts=True, model=asked.model or None)
    if asked.aligned:
        laid = Align(asked.ids)
        if find(library, laid) is None:
            stacks.align(library, laid, lambda _, words: report(0.1, words))
        result = find(library, laid)
        if result is not None:
            parts = [result.table(f"aligned_{section_id}").to_numpy(np.float64) for section_id in asked.ids]
            stack.obsm[keys.ALIGNED] = np.concatenate(parts)
    return stack


def _points(stack: ad.AnnData, asked: VirtualSection) -> Any:
    """Find where to predict (m, 2): where a level has cells, or on a grid."""
    slots: Any = stack.obsm
    points = np.asarray(slots[keys.ALIGNED if keys.ALIGNED in slots else keys.SPATIAL], dtype=np.float64)
    if asked.like:
        return points[(stack.obs[LIBRARY_ID] == asked.like).to_numpy(), :2]
    between = find_between(tl.level_by_level(stack).cell, asked.z)
    return grid_within([between.below.points, between.above.points], asked.step)
