"""Deal the cells of a cohort out to the processes that train on them."""

import numpy as np
from numpy.typing import NDArray

from squint.model.cohort import Cohort


def deal(cohort: Cohort, rank: int, n_ranks: int) -> NDArray[np.bool_]:
    """Mark the cells (n,) that one process learns from, of those that tell something.

    Every process gets as many, give or take one: section after section, the last one cut across x.
    """
    told = np.flatnonzero(cohort.told)
    order = told[np.lexsort((cohort.coordinates[told, 0], cohort.section[told]))]
    own = np.zeros(cohort.n_cells, dtype=bool)
    own[np.array_split(order, n_ranks)[rank]] = True
    return own


def reach(cohort: Cohort, cells: NDArray[np.bool_], n_hops: int) -> NDArray[np.bool_]:
    """Mark cells (n,) and all within ``n_hops`` of them."""
    reached = cells.copy()
    for _ in range(n_hops):
        reached |= (cohort.graph @ reached.astype(np.float32)) > 0
    return reached
