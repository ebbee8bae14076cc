"""A tree of tokens as lines."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Branch(NamedTuple):
    """Where two branches of a tree join: a bracket of four points."""

    along: NDArray[np.float64]  # (4,) position along the leaves, the first leaf at 0
    height: NDArray[np.float64]  # (4,)
    label: str | None  # of the leaves below, where all have the same


def branches(
    linkage: NDArray[np.float64], order: NDArray[np.integer], labels: Sequence[str | None]
) -> list[Branch]:
    """Lay out a tree.

    Parameters
    ----------
    linkage
        Tree of scipy (t - 1, 4).
    order
        Number of the token (t,) at each leaf, first to last.
    labels
        Label of each token (t,), by its number; None is no label.

    Returns
    -------
    A bracket for each of the t - 1 joints.
    """
    n_leaves = len(order)
    at = np.concatenate([np.argsort(order).astype(float), np.zeros(n_leaves - 1)])
    height = np.concatenate([np.zeros(n_leaves), linkage[:, 2]])
    label = [*labels, *[None] * (n_leaves - 1)]
    drawn = []
    for node, joint in enumerate(linkage, start=n_leaves):
        one, other = (int(child) for child in joint[:2])
        at[node] = (at[one] + at[other]) / 2
        label[node] = label[one] if label[one] == label[other] else None
        along = np.array([at[one], at[one], at[other], at[other]])
        drawn.append(Branch(along, height[[one, node, node, other]], label[node]))
    return drawn
