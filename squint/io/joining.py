"""Several sources in one folder, put together as sections."""

from collections.abc import Sequence
from typing import cast

import anndata
import numpy as np
import pandas as pd

from squint import keys
from squint.io.boundaries import Boundaries
from squint.io.facts import Settled
from squint.io.findings import AskedError, Findings, Question

_LISTS = ("found", "left_out", "assumed", "asked", "notes")


def join_settled(parts: Sequence[Settled], names: Sequence[str], file: str) -> Settled:
    """Put sections of several sources together, if they measure the same genes in the same unit.

    Parameters
    ----------
    parts
        What was read of each source.
    names
        Of the sources: of their sections, where they are one each.
    file
        For messages.

    Returns
    -------
    One table of cells, whose names are unique; pictures are left with their sources.

    Raises
    ------
    AskedError
        If the sources cannot be put together; asks which one is meant.
    """
    _check_alike(parts, names, file)
    first = parts[0].adata
    for part, name in zip(parts, names, strict=True):
        obs = cast("pd.DataFrame", part.adata.obs)
        if obs[keys.SECTION].nunique() == 1:
            obs[keys.SECTION] = pd.Categorical([name] * len(obs))
        part.adata.obsp.clear()
    cells = [str(cell) for part in parts for cell in part.adata.obs_names]
    repeated = len(set(cells)) < len(cells)
    adata = anndata.concat(
        [part.adata[:, first.var_names] for part in parts],
        index_unique="-" if repeated else None,
        keys=list(names),
    )
    obs = cast("pd.DataFrame", adata.obs)
    if repeated:
        obs[keys.CELL_ID] = cells
    obs[keys.SECTION] = pd.Categorical(obs[keys.SECTION])
    adata.var = first.var
    findings = Findings()
    for part in parts:
        for kind in _LISTS:
            listed = getattr(findings, kind)
            listed += [item for item in getattr(part.findings, kind) if item not in listed]
    adata.uns[keys.PROVENANCE] = {**first.uns[keys.PROVENANCE], "notes": findings.notes}
    uns_names = [name for part in parts for name in part.uns_names]
    return Settled(adata, _join_boundaries(parts), [], findings, uns_names)


def _check_alike(parts: Sequence[Settled], names: Sequence[str], file: str) -> None:
    first = parts[0].adata
    problem = ""
    if any(set(part.adata.var_names) != set(first.var_names) for part in parts):
        problem = "that measure other genes"
    elif len({part.adata.uns[keys.PROVENANCE]["unit"] for part in parts}) > 1:
        problem = "in different units"
    if problem:
        words = f"It holds {len(parts)} sources {problem}."
        raise AskedError(Question("section", words, tuple(names), file))


def _join_boundaries(parts: Sequence[Settled]) -> Boundaries | None:
    """Put outlines together, if all sources have them."""
    rings = [part.boundaries for part in parts if part.boundaries is not None]
    if len(rings) < len(parts):
        return None
    n_cells = np.cumsum([0, *(part.adata.n_obs for part in parts)])
    n_corners = np.cumsum([0, *(len(ring.corners) for ring in rings)])
    origin = np.array(rings[0].origin)
    return Boundaries(
        np.concatenate([ring.cells + start for ring, start in zip(rings, n_cells, strict=False)]),
        np.concatenate(
            [[0], *(ring.offsets[1:] + start for ring, start in zip(rings, n_corners, strict=False))]
        ),
        np.concatenate([ring.corners + np.float32(np.array(ring.origin) - origin) for ring in rings]),
        rings[0].origin,
        rings[0].what,
    )
