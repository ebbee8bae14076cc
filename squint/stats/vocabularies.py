"""Two vocabularies of the same cells: which token of one is which of the other, and how sure. No torch."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score, normalized_mutual_info_score

from squint.errors import InputError
from squint.stats.token_profiles import sorted_tokens

N_SHUFFLES, N_RESAMPLES = 50, 1_000
INTERVAL = 95  # per cent
_AT_ONCE = 1 << 24  # numbers in memory while sections are drawn

Floats = NDArray[np.float64]
Labels = Sequence[str] | NDArray[Any]


class Contingency(NamedTuple):
    """How many cells have each pair of tokens, section by section."""

    rows: list[str]  # (a,) tokens of the one vocabulary, in ascending order
    columns: list[str]  # (b,) of the other
    sections: list[str]  # (s,)
    n_cells: NDArray[np.int64]  # (s, a, b)

    @property
    def table(self) -> pd.DataFrame:
        """Cells of all sections (a, b)."""
        index, columns = pd.Index(self.rows, name="token"), pd.Index(self.columns, name="other")
        return pd.DataFrame(self.n_cells.sum(axis=0), index=index, columns=columns)

    @property
    def turned(self) -> "Contingency":
        """The same, seen from the other vocabulary."""
        return Contingency(self.columns, self.rows, self.sections, self.n_cells.transpose(0, 2, 1))


def contingency(tokens: Labels, others: Labels, sections: Labels) -> Contingency:
    """Count the cells that have each pair of tokens.

    Parameters
    ----------
    tokens, others
        Token of each cell (n,) by each of two models.
    sections
        Section of each cell (n,).

    Raises
    ------
    InputError
        If there is no cell.
    """
    if not len(tokens):
        raise InputError("No cell has tokens by both models. Choose sections that both have tokenised.")
    rows, columns = sorted_tokens(set(map(str, tokens))), sorted_tokens(set(map(str, others)))
    names = list(dict.fromkeys(map(str, sections)))
    codes = [
        pd.Categorical(pd.Series(np.asarray(values)).astype(str), categories=known).codes.astype(np.int64)
        for values, known in ((sections, names), (tokens, rows), (others, columns))
    ]
    shape = (len(names), len(rows), len(columns))
    flat = np.bincount(np.ravel_multi_index(tuple(codes), shape), minlength=int(np.prod(shape)))
    return Contingency(rows, columns, names, flat.reshape(shape))


def match(found: Contingency, *, n_resamples: int = N_RESAMPLES, seed: int = 0) -> pd.DataFrame:
    """Give the best match of each token of the first vocabulary, and how sure it is.

    Parameters
    ----------
    found
        Cells by pair of tokens and section.
    n_resamples
        How often the sections are drawn with replacement, for intervals.
    seed
        Of the draws.

    Returns
    -------
    Indexed by token: ``n_cells``; ``match``, the token of the other vocabulary that most of its cells have;
    ``n_both``; ``share`` of its cells that have the match; ``share_of_match``, of the match's cells that have
    the token; ``jaccard``, cells that have both of those that have either; ``mutual``, whether the match's
    own best match is the token; ``partner``, the token's counterpart where each has at most one and as many
    cells as possible are in pairs, empty for none; ``n_sections`` with the token; ``share_low``,
    ``share_high``, the 95 % interval of ``share`` over sections drawn with replacement; ``kept``, the share
    of draws in which the match is the same. The last three are NaN where fewer than two sections have the
    token: then how sure the match is over sections cannot be said.
    """
    table = found.n_cells.sum(axis=0)
    n_cells, n_others = table.sum(axis=1), table.sum(axis=0)
    best = table.argmax(axis=1)
    each = np.arange(len(table))
    both = table[each, best]
    partner = np.full(len(table), "", dtype=object)
    for row, column in zip(*linear_sum_assignment(-table), strict=True):
        if table[row, column]:
            partner[row] = found.columns[column]
    n_sections = (found.n_cells.sum(axis=2) > 0).sum(axis=0)
    low, high, kept = _resampled(found.n_cells, best, n_resamples, seed)
    several = n_sections >= 2  # fewer have no spread
    return pd.DataFrame(
        {
            "n_cells": n_cells,
            "match": [found.columns[column] for column in best],
            "n_both": both,
            "share": both / n_cells,
            "share_of_match": both / n_others[best],
            "jaccard": both / (n_cells + n_others[best] - both),
            "mutual": table.argmax(axis=0)[best] == each,
            "partner": partner,
            "n_sections": n_sections,
            "share_low": np.where(several, low, np.nan),
            "share_high": np.where(several, high, np.nan),
            "kept": np.where(several, kept, np.nan),
        },
        index=pd.Index(found.rows, name="token"),
    )


def _resampled(
    n_cells: NDArray[np.int64], best: NDArray[np.int64], n_resamples: int, seed: int
) -> tuple[Floats, Floats, Floats]:
    """Draw sections with replacement: ends of the interval of the share (a,), and how often it stays best."""
    n_sections, n_rows, n_columns = n_cells.shape
    nothing = np.full(n_rows, np.nan)
    if n_sections < 2:
        return nothing, nothing, nothing
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(n_sections, np.full(n_sections, 1 / n_sections), n_resamples)
    flat, each = n_cells.reshape(n_sections, -1).astype(np.float64), np.arange(n_rows)
    shares, same = np.full((n_resamples, n_rows), np.nan), np.full((n_resamples, n_rows), np.nan)
    step = max(1, _AT_ONCE // (n_rows * n_columns))
    for start in range(0, n_resamples, step):
        some = slice(start, start + step)
        drawn = (weights[some].astype(np.float64) @ flat).reshape(-1, n_rows, n_columns)
        total, own = drawn.sum(axis=2), drawn[:, each, best]
        there = total > 0
        shares[some] = np.divide(own, total, out=shares[some], where=there)
        same[some] = np.where(there, own >= drawn.max(axis=2), np.nan)
    tail = (100 - INTERVAL) / 2
    has = np.isfinite(shares).any(axis=0)
    low, high, kept = nothing.copy(), nothing.copy(), nothing.copy()
    low[has], high[has] = np.nanpercentile(shares[:, has], [tail, 100 - tail], axis=0)
    kept[has] = np.nanmean(same[:, has], axis=0)
    return low, high, kept


def agreement(
    tokens: Labels, others: Labels, sections: Labels, *, n_shuffles: int = N_SHUFFLES, seed: int = 0
) -> pd.DataFrame:
    """Say how much two vocabularies agree over all cells, beside chance.

    Parameters
    ----------
    tokens, others, sections
        As :func:`contingency` takes them.
    n_shuffles
        How often the tokens of the one model are shuffled within each section: what sections of other
        composition alone would give.
    seed
        Of the shuffles.

    Returns
    -------
    Indexed by ``"AMI"``, ``"NMI"`` and ``"ARI"``, as scikit-learn has them: ``value``, 1 for the same
    vocabulary under other numbers; ``chance``, the mean over shuffles, ``chance_low`` and ``chance_high``,
    the ends of 95 % of them.

    Raises
    ------
    InputError
        If there is no cell.
    """
    contingency(tokens, others, sections)  # refuses none
    one, other, where = (pd.factorize(np.asarray(values))[0] for values in (tokens, others, sections))
    order = np.argsort(where, kind="stable")
    one, other = one[order], other[order]
    parts = np.split(np.arange(len(one)), np.flatnonzero(np.diff(where[order])) + 1)
    rng = np.random.default_rng(seed)
    drawn, adjusted = [], None
    for _ in range(n_shuffles):
        shuffled = other[np.concatenate([rng.permutation(part) for part in parts])]
        nmi = float(normalized_mutual_info_score(one, shuffled))
        if adjusted is None:
            adjusted = _Adjusted(nmi, float(adjusted_mutual_info_score(one, shuffled)))
        drawn.append((adjusted.ami(nmi), nmi, float(adjusted_rand_score(one, shuffled))))
    value = [
        float(score(one, other))
        for score in (adjusted_mutual_info_score, normalized_mutual_info_score, adjusted_rand_score)
    ]
    tail = (100 - INTERVAL) / 2
    low, high = np.percentile(drawn, [tail, 100 - tail], axis=0)
    values = {"value": value, "chance": np.mean(drawn, axis=0), "chance_low": low, "chance_high": high}
    return pd.DataFrame(values, index=pd.Index(["AMI", "NMI", "ARI"], name="score"))


class _Adjusted(NamedTuple):
    """AMI by NMI, for labels as frequent as those of one case: distances from 1 are in proportion.

    AMI is (MI - E) / (H - E) and NMI is MI / H, with E, what chance gives, and H, the mean entropy, depending
    on how frequent labels are alone. E takes long to find, and shuffles do not change it.
    """

    nmi_of_one: float
    ami_of_one: float

    def ami(self, nmi: float) -> float:
        if self.nmi_of_one == 1:
            return self.ami_of_one
        return 1 - (1 - nmi) * (1 - self.ami_of_one) / (1 - self.nmi_of_one)


def matched_order(table: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Order both vocabularies so that counterparts lie on the diagonal.

    Parameters
    ----------
    table
        Cells (a, b) by pair of tokens.

    Returns
    -------
    Tokens of the rows, those with most cells in their pair first, then those without a counterpart; tokens of
    the columns, each at the place of its counterpart, then the others by their own best match.
    """
    counts = table.to_numpy()
    rows, columns = linear_sum_assignment(-counts)
    pairs = sorted(zip(rows, columns, strict=True), key=lambda pair: (-counts[pair], *pair))
    down, across = [int(row) for row, _ in pairs], [int(column) for _, column in pairs]
    place = {row: number for number, row in enumerate(down)}
    left_rows = [row for row in range(len(counts)) if row not in place]
    left_rows.sort(key=lambda row: (across.index(int(counts[row].argmax())), row))
    left_columns = [column for column in range(counts.shape[1]) if column not in set(across)]
    left_columns.sort(key=lambda column: (place[int(counts[:, column].argmax())], column))
    return (
        [str(table.index[row]) for row in (*down, *left_rows)],
        [str(table.columns[column]) for column in (*across, *left_columns)],
    )
