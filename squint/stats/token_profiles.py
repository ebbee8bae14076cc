"""What tokens are, in words, from sums over their cells: sections with different genes can be put together.

Imports no torch, so that a page can describe.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from squint.columns import UNKNOWN
from squint.stats.labelings import is_no_type

N_GENES, N_TYPES = 5, 3
LEAST_SHARE = 0.05  # of a token's cells, below which a cell type is not named
PSEUDO_SHARE = 1e-4  # added to both shares of a gene, so that a gene seen once does not lead the list

Floats = NDArray[np.float64]


class TokenSums(NamedTuple):
    """Sums over the cells of each of a section's k tokens."""

    tokens: list[str]  # (k,) in use, in ascending order
    genes: list[str]  # (g,) that the section measures
    types: list[str]  # (t,) cell types, none where the section names none
    counts: Floats  # (k, g)
    n_cells: NDArray[np.int64]  # (k,)
    n_cells_of_type: NDArray[np.int64]  # (k, t)


def add_up(
    counts: csr_matrix, genes: list[str], tokens: "pd.Series[str]", types: "pd.Series[str] | None" = None
) -> TokenSums:
    """Add up the cells of each token; cells without one are left out.

    Parameters
    ----------
    counts
        Raw counts (n, g).
    genes
        Their names (g,).
    tokens
        Token of each cell (n,), ``"unknown"`` for none.
    types
        Cell type of each cell (n,), where the section names any.
    """
    known = (tokens != UNKNOWN).to_numpy()
    if not known.all():
        counts, tokens = csr_matrix(counts)[known], tokens[known]
        types = types if types is None else types[known]
    used = sorted_tokens(tokens.unique())
    code = pd.Categorical(tokens, categories=used).codes.astype(np.int64)
    member = csr_matrix(
        (np.ones(len(code), np.float32), (code, np.arange(len(code)))), (len(used), len(code))
    )
    names, of_type = count_types(code, types, len(used))
    return TokenSums(
        used,
        list(genes),
        names,
        np.asarray((member @ csr_matrix(counts)).todense(), dtype=np.float64),
        np.bincount(code, minlength=len(used)),
        of_type,
    )


def count_types(
    code: NDArray[np.int64], types: "pd.Series[Any] | pd.Categorical[Any] | None", n_tokens: int
) -> tuple[list[str], NDArray[np.int64]]:
    """Count the cells of each type in each of k tokens.

    Parameters
    ----------
    code
        Place of each cell's token (n,) among the k, -1 for none of them.
    types
        Type of each cell (n,), missing for none; ``None`` where no cell has one.
    n_tokens
        k.

    Returns
    -------
    The t types, sorted, ``"unknown"`` among them where one is missing; and how many cells each token has of
    each (k, t).
    """
    if types is None:
        return [], np.zeros((n_tokens, 0), dtype=np.int64)
    found = pd.Categorical(types)
    words = [*map(str, found.categories), UNKNOWN]
    names = sorted(set(words))
    place = np.array([names.index(word) for word in words])[found.codes]  # the last is of code -1
    own = code >= 0
    flat = np.bincount(code[own] * len(names) + place[own], minlength=n_tokens * len(names))
    of_type = flat.reshape(n_tokens, len(names))
    used = np.flatnonzero(of_type.sum(axis=0))
    return [names[place] for place in used], of_type[:, used]


def describe(sections: Mapping[str, TokenSums], *, n_genes: int = N_GENES) -> pd.DataFrame:
    """Say what each token is over some sections.

    Parameters
    ----------
    sections
        Sums by the name of the section.
    n_genes
        Genes named per token.

    Returns
    -------
    Indexed by token in use: ``n_cells``; ``share`` of all cells with a token; ``top_genes``, those with the
    largest ratio of their share of the token's counts to their share of all counts, each over the sections
    that measure it; ``top_types`` over the sections that name cell types; ``sections`` where it occurs, most
    cells first.
    """
    tokens = _used(sections)
    n_cells = (
        pd.DataFrame(
            {name: pd.Series(sums.n_cells, index=sums.tokens) for name, sums in sections.items()},
            index=pd.Index(tokens, name="token"),
        )
        .fillna(0)
        .astype(int)
    )
    total = n_cells.sum(axis=1).astype(int)
    return pd.DataFrame(
        {
            "n_cells": total,
            "share": total / max(int(total.sum()), 1),
            "top_genes": _top_genes(sections, tokens, n_genes),
            "top_types": _top_types(sections, tokens),
            "sections": [
                ", ".join(row[row > 0].sort_values(ascending=False, kind="stable").index)
                for _, row in n_cells.iterrows()
            ],
        },
        index=n_cells.index,
    )


def most_distinct(counts: csr_matrix, genes: list[str], groups: "pd.Series[Any]", n_genes: int) -> list[str]:
    """Name the genes whose share of the counts of a group is largest against all cells, group by group.

    Parameters
    ----------
    counts
        Raw counts (n, g).
    genes
        Their names (g,).
    groups
        Label of each cell (n,), missing for cells to leave out.
    n_genes
        Genes named per group.

    Returns
    -------
    At most ``n_genes`` for each group, in order of the groups' names, each gene once.
    """
    found = pd.Categorical(groups)
    code = found.codes.astype(np.int64)
    kept = np.flatnonzero(code >= 0)
    member = csr_matrix(
        (np.ones(len(kept), np.float32), (code[kept], kept)), (len(found.categories), len(code))
    )
    sums = np.asarray((member @ csr_matrix(counts)).todense(), dtype=np.float64)
    share = sums / np.maximum(sums.sum(axis=1, keepdims=True), 1)
    overall = sums.sum(axis=0) / max(sums.sum(), 1)
    best = np.argsort(-(share + PSEUDO_SHARE) / (overall + PSEUDO_SHARE), axis=1, kind="stable")[:, :n_genes]
    return list(dict.fromkeys(genes[place] for row in best for place in row))


def top_type(sections: Mapping[str, TokenSums]) -> pd.DataFrame:
    """Give the commonest cell type of each token: ``type``, empty where none is known, and its ``share``."""
    tokens = _used(sections)
    of_type = _cells_of_type(sections, tokens)
    known = of_type.to_numpy()
    best = known.argmax(axis=1) if known.shape[1] else np.zeros(len(tokens), dtype=np.int64)
    names, shares = [], []
    for row, place in zip(known, best, strict=True):
        named = len(row) > 0 and row[place] > 0 and not is_no_type(str(of_type.columns[place]))
        names.append(str(of_type.columns[place]) if named else "")
        shares.append(row[place] / row.sum() if named else 0.0)
    return pd.DataFrame({"type": names, "share": shares}, index=pd.Index(tokens, name="token"))


def sorted_tokens(tokens: "NDArray[np.str_] | set[str]") -> list[str]:
    """Sort tokens by their numbers."""
    return sorted((str(token) for token in tokens), key=lambda token: (len(token), token))


def _used(sections: Mapping[str, TokenSums]) -> list[str]:
    return sorted_tokens({token for sums in sections.values() for token in sums.tokens})


def _top_genes(sections: Mapping[str, TokenSums], tokens: list[str], n_genes: int) -> list[str]:
    """Name the genes that set each token apart.

    A gene's share is of the counts of the sections that measure it, of the token's and of all cells alike:
    a section with other genes changes nothing about the genes that it lacks.
    """
    genes = list(dict.fromkeys(gene for sums in sections.values() for gene in sums.genes))
    place_of_gene = {gene: place for place, gene in enumerate(genes)}
    place_of_token = {token: place for place, token in enumerate(tokens)}
    counts, depth = np.zeros((len(tokens), len(genes))), np.zeros((len(tokens), len(genes)))
    for sums in sections.values():
        here = np.ix_([place_of_token[t] for t in sums.tokens], [place_of_gene[g] for g in sums.genes])
        counts[here] += sums.counts
        depth[here] += sums.counts.sum(axis=1, keepdims=True)
    share = counts / np.maximum(depth, 1)
    overall = counts.sum(axis=0) / np.maximum(depth.sum(axis=0), 1)
    ratio = np.where(depth > 0, (share + PSEUDO_SHARE) / (overall + PSEUDO_SHARE), -np.inf)
    best = np.argsort(-ratio, axis=1, kind="stable")[:, :n_genes]
    return [
        ", ".join(genes[place] for place in row if np.isfinite(ratio[token, place]))
        for token, row in enumerate(best)
    ]


def _cells_of_type(sections: Mapping[str, TokenSums], tokens: list[str]) -> pd.DataFrame:
    """Count cells by token and cell type, over the sections that name types."""
    tables = [
        pd.DataFrame(sums.n_cells_of_type, index=sums.tokens, columns=sums.types)
        for sums in sections.values()
        if sums.types
    ]
    names = sorted({str(name) for table in tables for name in table})
    total = pd.DataFrame(0, index=tokens, columns=names)
    for table in tables:
        total = total.add(table, fill_value=0)
    return total.reindex(index=tokens, columns=names).fillna(0).astype(int)


def _top_types(sections: Mapping[str, TokenSums], tokens: list[str]) -> list[str]:
    """Name the commonest cell types of each token, with their share."""
    of_type = _cells_of_type(sections, tokens)
    shares = of_type.div(of_type.sum(axis=1).clip(lower=1), axis=0)
    return [
        ", ".join(
            f"{name} {share:.0%}" for name, share in row.nlargest(N_TYPES).items() if share >= LEAST_SHARE
        )
        for _, row in shares.iterrows()
    ]
