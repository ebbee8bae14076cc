from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


class Named(NamedTuple):
    """Names that one way of naming gave n cells."""

    labels: "pd.Categorical[str]"  # (n,), missing for cells without a name
    confidence: "NDArray[np.float32]"  # (n,) in [0, 1], NaN where none is stated
    parameters: dict[str, Any]  # JSON-able: what was asked for
    facts: dict[str, Any]  # JSON-able: what was found
    notes: list[str]  # plain sentences for whoever asked
    evidence: "pd.DataFrame | None" = None
