"""The order in which cells go to the browser: any first k of them are spread over the tissue as all are."""

import numpy as np
from numpy.typing import NDArray

Order = NDArray[np.uint32]


def progressive_order(coordinates: NDArray[np.float64]) -> Order:
    """Order cells (n, 2 | 3) so that a map of the first k shows all of the tissue, only sparser.

    Cells are ranked along a Z-curve (Morton, 1966) and taken by the reversed bits of their rank (van der
    Corput, 1935): first one of each half of the curve, then one of each quarter, and so on.
    """
    from squint.formats.sequences import morton_place  # noqa: PLC0415 - it imports pyarrow, once per section

    n_cells = len(coordinates)
    if n_cells < 2:
        return np.arange(n_cells, dtype=np.uint32)
    along = np.argsort(morton_place(coordinates[:, :2]), kind="stable").astype(np.uint32)
    ranks = _reversed_bits(int(n_cells - 1).bit_length())
    return along[ranks[ranks < n_cells]]


def _reversed_bits(n_bits: int) -> Order:
    """Give 0 to 2**n_bits - 1, each with its bits reversed."""
    ranks = np.zeros(1, dtype=np.uint32)
    for _ in range(n_bits):
        ranks = np.concatenate([2 * ranks, 2 * ranks + 1])
    return ranks
