"""What every reader takes from a source, whatever its kind."""

from typing import Any, NamedTuple

import pandas as pd
from scipy import sparse


class Content(NamedTuple):
    """What is taken from a file or folder, each slot consistent with the others, under AnnData's names."""

    counts: sparse.csr_matrix  # (n, g), as stored: whole and not negative is asked of them later
    obs: pd.DataFrame  # (n, ...), indexed by names of cells, no two the same
    var: pd.DataFrame  # (g, ...), indexed by names of genes
    obsm: dict[str, Any]  # with "spatial" (n, 2 | 3), x right and y down
    obsp: dict[str, Any]
    uns: dict[str, Any]
    unit: str | None  # as the source states it
    names: list[str]  # of everything in the source, to look for names of persons in
    notes: list[str]  # sentences on what was changed, left out or odd
