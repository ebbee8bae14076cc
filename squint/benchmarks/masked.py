"""The paper's own in-painting: hidden cells enter under the mask token, and their codes are decoded.

Kept to be measured beside `squint.model.context`, which in-paints better, and for the paper's ablations.
"""

import numpy as np
from numpy.typing import NDArray

from squint.model.bundle import Bundle
from squint.model.cohort import Cohort
from squint.model.tokens import decode, embed


def cell_profiles(bundle: Bundle, cohort: Cohort, conditions: NDArray[np.int64]) -> NDArray[np.float32]:
    """Predict the counts of the hidden cells of a cohort, from their codes.

    Parameters
    ----------
    bundle
        A trained model.
    cohort
        Cells over the model's genes, n of them, m hidden.
    conditions
        Per section of ``cohort``, its number in the model (0 = unseen).

    Returns
    -------
    Expected counts (m, g), in the order of the cells.
    """
    position = np.cumsum(~cohort.visible) - 1
    depth = observed_depth(cohort)
    profiles = np.empty((len(depth), cohort.counts.shape[1]), dtype=np.float32)
    for part in embed(bundle.model, cohort, conditions):
        masked = ~cohort.visible[part.cells]
        some = part._replace(cells=part.cells[masked], tokens=part.tokens[masked])
        at = position[some.cells]
        shares = decode(bundle.model, cohort, conditions, some).log_shares.exp().cpu().numpy()
        profiles[at] = shares * depth[at][:, None]
    return profiles


def observed_depth(cohort: Cohort) -> NDArray[np.float64]:
    """Give the mean depth of the observed cells around each hidden one (m,), or of those of its section."""
    seen = cohort.visible.astype(np.float64)
    depth = np.asarray(cohort.counts.sum(axis=1), dtype=np.float64).ravel() * seen
    n_sections = len(cohort.section_names)
    of_section = np.bincount(cohort.section, depth, n_sections) / np.maximum(
        np.bincount(cohort.section, seen, n_sections), 1
    )
    around = cohort.graph[~cohort.visible] @ np.column_stack([depth, seen])
    mean: NDArray[np.float64] = np.where(
        around[:, 1] > 0,
        around[:, 0] / np.maximum(around[:, 1], 1),
        of_section[cohort.section[~cohort.visible]],
    )
    return mean
