"""How far from the origin a position may lie."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from squint.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

FARTHEST = 1e9  # um: no slide is a kilometre wide, and pixels of one are nearer still


def check_reach(
    coordinates: NDArray[np.floating] | NDArray[np.integer],
    where: str,
    names: "pd.Index | Sequence[str] | None" = None,
) -> None:
    """Refuse positions at which no tissue can lie.

    The indexes of nearest neighbours square distances: from about 1e154 on that overflows, and they write
    outside their memory, which ends the process.

    Parameters
    ----------
    coordinates
        (n, 2 | 3).
    where
        Their slot or file, for the message.
    names
        Of the cells (n,), for the message; numbers from 0 if left out.

    Raises
    ------
    InputError
        If one is not finite, or farther from the origin than ``FARTHEST`` along an axis; it names the first.
    """
    for sound, fault in (
        (np.isfinite(coordinates), "is not finite"),
        (np.abs(coordinates, dtype=np.float64) <= FARTHEST, f"is beyond {FARTHEST:,.0f}"),
    ):
        bad = np.flatnonzero(~sound.all(axis=1))
        if len(bad):
            first = repr(str(names[bad[0]])) if names is not None else f"number {bad[0]}"
            raise InputError(
                f"{where} {fault} for {len(bad)} cells, the first {first}. Remove or correct them."
            )
