"""In-painting of the regions of a section, as one table of the hidden cells alone."""

from collections.abc import Sequence
from typing import Any, cast

import anndata
import numpy as np
import pandas as pd
from anndata import AnnData

from squint import keys, pp, tl
from squint.errors import InputError
from squint.geometry.positions import append_points
from squint.geometry.regions import Region, hidden_cells
from squint.model.bundle import Bundle

_COLUMNS = (keys.SECTION, keys.PATIENT, keys.HIDDEN, keys.SIMULATED_POSITION)
_SLOTS = (keys.IMPUTED, keys.IMPUTED_CELL, keys.IMPUTED_SD)


def inpaint_regions(
    adata: AnnData, bundle: Bundle, regions: Sequence[Region], *, n_draws: int = 0, seed: int = 0
) -> AnnData:
    """Predict the cells inside regions, and cells at the positions that regions list.

    Parameters
    ----------
    adata
        Sections of raw counts, as `squint.read` gives them; not changed. Counts of cells inside the regions
        are not looked at.
    bundle
        A trained model.
    regions
        As `squint.geometry.regions.load` gives them, all in sections of ``adata``.
    n_draws
        0 for the expected profile, 1 for one sampled profile per cell, more for their mean and s.d.
    seed
        Of the draws, and of regions that are a random share.

    Returns
    -------
    The predicted cells alone, over the model's genes:

    ``obs["section_id"]``, ``obs["patient_id"]``, ``obs["squint_hidden"]``
        As in the section; all are hidden.
    ``obs["squint_simulated_position"]`` : bool
        There is no cell: the position was given.
    ``obsm["spatial"]`` : (m, 2 | 3)
    ``obsm["squint_imputed"]``, ``obsm["squint_imputed_cell"]`` : float32 (m, g)
        As `squint.tl.inpaint` says; with more than one draw also ``obsm["squint_imputed_sd"]``.
    ``uns["squint"]["inpainting"]``
        Model, protocol of each section, draws and seed.

    ``X`` is empty: nothing was measured.

    Raises
    ------
    InputError
        If a region does not suit the sections, or as `squint.tl.inpaint`.

    References
    ----------
    SQUINT, section 5.1, for the task: unseen regions, and positions that the user gives; the method is our
    own, see `squint.model.context`.
    """
    if n_draws < 0:
        raise InputError(f"Draws: 1 or more, or none for the expected profile, not {n_draws}.")
    given = append_points(adata, regions)
    hidden = hidden_cells(given, regions, seed) | given.obs[keys.SIMULATED_POSITION].to_numpy(dtype=bool)
    pp.spatial_neighbors(given, n_neighbors=bundle.model_config.n_neighbors)
    tl.inpaint(given, bundle, hidden=hidden, n_draws=n_draws, seed=seed)
    obs = cast("pd.DataFrame", given.obs)
    out = AnnData(
        obs=obs.loc[hidden, [name for name in _COLUMNS if name in obs]].copy(),
        var=pd.DataFrame(index=pd.Index(bundle.genes)),
        uns={keys.PROVENANCE: _provenance(given)},
    )
    out.obsm[keys.SPATIAL] = np.asarray(given.obsm[keys.SPATIAL])[hidden]
    for slot in _SLOTS:
        if slot in given.obsm:
            table: Any = given.obsm[slot]
            out.obsm[slot] = table.loc[hidden, bundle.genes].to_numpy(dtype=np.float32)
    return out


def join_painted(parts: Sequence[AnnData]) -> AnnData:
    """Put what several files gave into one table, names of cells kept where no two are the same."""
    if len(parts) == 1:
        return parts[0]
    names = pd.Index([name for part in parts for name in part.obs_names])
    together = anndata.concat(
        parts,
        index_unique=None if names.is_unique else "-",
        keys=[str(i) for i in range(len(parts))],
    )
    said = [part.uns[keys.PROVENANCE] for part in parts]
    of_all = said[0]["inpainting"] | {
        "n_hidden": together.n_obs,
        "protocol": {k: v for one in said for k, v in one["inpainting"]["protocol"].items()},
        "warnings": list(dict.fromkeys(w for one in said for w in one["inpainting"]["warnings"])),
    }
    together.uns[keys.PROVENANCE] = said[0] | {
        "source_sha256": [one["source_sha256"] for one in said],
        "inpainting": of_all,
    }
    return together


def _provenance(given: AnnData) -> dict[str, Any]:
    provenance = given.uns[keys.PROVENANCE]
    kept = {name: provenance[name] for name in ("unit", "source_sha256", "simulated") if name in provenance}
    return kept | {"inpainting": provenance["inpainting"]}
