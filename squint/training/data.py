"""The sections of a training on one axis, and a record of what is seen of them."""

from collections.abc import Sequence

import anndata
import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from squint import keys, pp
from squint.config import TrainConfig
from squint.errors import InputError
from squint.geometry.regions import Fraction
from squint.model.card import SectionRecord
from squint.model.cohort import Cohort, section_names
from squint.model.section_hash import section_sha256

Hidden = Sequence[
    NDArray[np.bool_]
]  # per element of the sections, cells (n,) of which only the position is known


def bare(adata: AnnData, name: str) -> AnnData:
    """Take of a source counts, names of genes and positions, and nothing else.

    Parameters
    ----------
    adata
        Raw counts (n, g), as `squint.read` gives them. All of it lies on one slide, in one frame.
    name
        Of the one section that all cells become.

    Returns
    -------
    The same cells in the same order, called 0, 1, ...: labels and names of a third party go into no model.

    Raises
    ------
    InputError
        If the name is empty.
    """
    if not name.strip():
        raise InputError("The section needs a name: --bare NAME.")
    obs = pd.DataFrame({keys.SECTION: pd.Categorical([name.strip()] * adata.n_obs)})
    obs.index = obs.index.astype(str)
    found = AnnData(adata.X, obs=obs, var=pd.DataFrame(index=adata.var_names))
    found.obsm[keys.SPATIAL] = np.array(adata.obsm[keys.SPATIAL])
    found.uns[keys.PROVENANCE] = dict(adata.uns[keys.PROVENANCE])
    return found


def hold_out(sections: list[AnnData], choices: TrainConfig, hidden: Hidden | None) -> Hidden | None:
    """Hide a share of each section's cells beside those already hidden.

    Every section has a chance of its own, made of the seed and its name: which cells are drawn depends
    neither on the order of cells nor on the other sections, and the chance of training is left as it is.
    """
    if choices.cells_held_out == 0:
        return hidden
    masks = []
    for i, adata in enumerate(sections):
        mask = np.zeros(adata.n_obs, dtype=bool) if hidden is None else np.array(hidden[i], dtype=bool)
        codes = pp.section_codes(adata)
        for code, name in enumerate(section_names(adata)):
            cells = np.flatnonzero(codes == code)
            chance = np.random.default_rng([choices.seed, *name.encode()])
            drawn = Fraction(name, choices.cells_held_out).mask(
                adata.obs_names[cells], np.asarray(adata.obsm[keys.SPATIAL])[cells], chance
            )
            mask[cells[drawn]] = True
        masks.append(mask)
    return masks


def join_sections(sections: list[AnnData], genes: list[str], n_neighbors: int) -> AnnData:
    """Put all sections on one axis, each with its own graph; names of cells are made anew."""
    parts: dict[str, AnnData] = {}
    for i, adata in enumerate(sections):
        obs = pd.DataFrame({name: adata.obs[name].to_numpy() for name in adata.obs})
        obs.index = obs.index.astype(str)
        # Counts are the largest thing there is, and not changed: they need not be there twice.
        counts = adata.X if list(adata.var_names) == genes else adata[:, genes].X
        part = AnnData(csr_matrix(counts), obs=obs)
        part.var_names = genes
        part.obsm[keys.SPATIAL] = np.asarray(adata.obsm[keys.SPATIAL], dtype=np.float64)
        pp.spatial_neighbors(part, n_neighbors=n_neighbors)
        parts[str(i)] = part
    return parts["0"] if len(parts) == 1 else anndata.concat(parts, pairwise=True, index_unique="-")


def section_weights(cohort: Cohort) -> NDArray[np.float32]:
    """Weigh cells so that sections count alike, mean 1 over the cells learned from: (n,)."""
    n_told = np.bincount(cohort.section[cohort.told], minlength=len(cohort.section_names))
    weight: NDArray[np.float64] = n_told.sum() / (np.count_nonzero(n_told) * np.maximum(n_told, 1))
    return weight[cohort.section].astype(np.float32)


def records(sections: list[AnnData], genes: list[str], hidden: Hidden | None) -> list[SectionRecord]:
    """Note which cells of which sections the model is about to see, in the order of its conditions."""
    found: list[SectionRecord] = []
    for i, adata in enumerate(sections):
        if adata.uns.get(keys.PROVENANCE, {}).get("values") == "intensities":
            raise InputError("The section holds intensities, not counts: it can be viewed, not trained on.")
        codes = pp.section_codes(adata)
        for code, name in enumerate(section_names(adata)):
            if name in {record.name for record in found}:
                raise InputError(f"Two files hold a section named {name!r}. Rename one of them.")
            cells = np.flatnonzero(codes == code)
            unseen = cells[hidden[i][cells]] if hidden is not None else cells[:0]
            found.append(
                SectionRecord(
                    name=name,
                    sha256=section_sha256(adata[cells, genes]),
                    n_cells=len(cells),
                    hidden=[str(cell) for cell in adata.obs_names[unseen]],
                )
            )
    return found
