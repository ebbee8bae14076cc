"""Computed perturbations of a section. Runs in the worker."""

from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray

from app.cell_sets.content import read_rows
from app.requests import Perturb
from app.requests.perturbation import Some
from app.tasks import models
from app.tasks.gather import gather
from squint import keys, tl
from squint.errors import InputError
from squint.library.results import Report, keep
from squint.library.store import Library


def perturb(library: Library, asked: Perturb, report: Report) -> None:
    """Change some cells, and keep which tokens the cells beside them take."""
    report(0.02, "reading the section")
    (section_id,) = asked.ids
    section = library.get(section_id)
    if (section.named.sha256 if section.named else "") != asked.labeling:
        raise InputError("Cell types were changed meanwhile. Compute again.")
    bundle = models.bundle_of(library, asked.model)
    adata = gather(library, [section_id], counts=True, model=asked.model)
    adata.uns[keys.PROVENANCE]["model_sha256"] = asked.model  # whose tokens it holds
    report(0.08, "finding the cells around")
    what = tl.Perturbation(
        cells=_mask(library, section_id, adata, asked.changed),
        by=_way(library, section_id, adata, asked),
        programme=asked.programme,
        responders=_mask(library, section_id, adata, Some(types=asked.responders)),
        roi=_mask(library, section_id, adata, Some(asked.changed.members)),
        hold_programme=asked.hold_programme,
    )
    found: dict[str, Any] = {}
    for step in tl.perturb_steps(adata, bundle, what, n_shams=asked.n_shams, seed=asked.seed):
        if step.result is None:
            report(0.1 + 0.88 * step.n_shams / step.n_wanted, f"sham {step.n_shams:,} of {step.n_wanted:,}")
        else:
            found = step.result
    tables = {name: value for name, value in found.items() if isinstance(value, pd.DataFrame)}
    obs: Any = adata.obs
    tables["cells"] = pd.DataFrame(
        {
            "role": obs[keys.PERTURBATION_ROLE].astype(object),
            "before": obs[keys.TOKEN].astype(object),
            "after": obs[keys.PERTURBED_TOKEN].astype(object),
        }
    ).reset_index(drop=True)
    keep(library, asked, {name: value for name, value in found.items() if name not in tables}, tables)


def _way(library: Library, section_id: str, adata: AnnData, asked: Perturb) -> Any:
    if asked.way == "scale":
        return tl.ScaleGenes(dict(asked.values))
    if asked.way == "profile":
        return tl.ReplaceByProfile(dict(asked.values))
    return tl.ReplaceByMean(_mask(library, section_id, adata, asked.source))


def _mask(library: Library, section_id: str, adata: AnnData, some: Some) -> NDArray[np.bool_]:
    mask = np.ones(adata.n_obs, dtype=bool)
    if some.members:
        rows = read_rows(library, section_id, some.members)
        if not len(rows):
            raise InputError("A cell set was changed meanwhile. Compute again.")
        mask = np.zeros(adata.n_obs, dtype=bool)
        mask[rows] = True
    if some.types:
        obs: Any = adata.obs
        mask &= obs[keys.CELL_TYPE].isin(some.types).to_numpy()
    return mask
