"""How well tokens agree with cell types; for the benchmarks."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

Labels = NDArray[np.str_]


class Agreement(NamedTuple):
    """Tokens against types of the same cells."""

    ari: float  # adjusted Rand index: 0 by chance, 1 where they are the same groups
    nmi: float  # normalised mutual information, arithmetic mean: the V-measure with beta 1
    purity: float  # share of cells that are of the type that most cells of their token are of


def agreement(types: Labels, tokens: Labels) -> Agreement:
    """Compare types with tokens of the same cells, both (n,)."""
    table = pd.crosstab(tokens, types)
    return Agreement(
        ari=float(adjusted_rand_score(types, tokens)),
        nmi=float(normalized_mutual_info_score(types, tokens)),
        purity=float(table.max(axis=1).sum() / len(types)),
    )


def types_of_tokens(types: Labels, tokens: Labels) -> dict[str, str]:
    """Give each token the type that most of its cells are of."""
    table = pd.crosstab(tokens, types)
    return {str(token): str(kind) for token, kind in table.idxmax(axis=1).items()}


def mapped_accuracy(types: Labels, tokens: Labels, learned: dict[str, str]) -> float:
    """Mean share, over types, of cells whose token stands for their type; a token not learned is wrong."""
    found = np.array([learned.get(token, "") for token in tokens])
    return float(np.mean([(found[types == kind] == kind).mean() for kind in sorted(set(types))]))


def blocks(xy: NDArray[np.floating], side: float) -> NDArray[np.int64]:
    """Give the number of the square of some side that each position (n, 2) lies in, row by row: (n,)."""
    column, row = np.floor((xy - xy.min(axis=0)) / side).astype(np.int64).T
    numbers: NDArray[np.int64] = row * (column.max() + 1) + column
    return numbers


def accuracy_across_blocks(
    types: Labels, tokens: Labels, block: NDArray[np.int64], *, n_folds: int = 2
) -> float:
    """Learn which type a token stands for on some blocks, judge on the others; mean over the folds."""
    fold = np.random.default_rng(0).permutation(block.max() + 1)[block] % n_folds
    return float(
        np.mean(
            [
                mapped_accuracy(
                    types[fold == k],
                    tokens[fold == k],
                    types_of_tokens(types[fold != k], tokens[fold != k]),
                )
                for k in range(n_folds)
            ]
        )
    )
