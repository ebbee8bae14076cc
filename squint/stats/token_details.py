"""One token in detail, from sums over its cells: marker genes with effects, types, sections. No torch."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from squint.stats.token_profiles import PSEUDO_SHARE, TokenSums


def marker_genes(sections: Mapping[str, TokenSums], token: str) -> pd.DataFrame:
    """Compare each gene's share of a token's counts with its share of the counts of all other cells.

    Parameters
    ----------
    sections
        Sums by the name of the section.
    token
        Which token.

    Returns
    -------
    Indexed by gene, the largest ratio first: ``log2_ratio`` of both shares, to each of which 0.0001 is added,
    so that a gene seen once does not lead; ``share`` of the token's counts and ``share_others`` of the counts
    of all other cells with a token; ``n_counts`` of the gene in the token; ``n_cells`` of the token and
    ``n_others``; all over the sections that measure the gene. Genes that no cell of the token or no other
    cell measures are left out.
    """
    genes = list(dict.fromkeys(gene for sums in sections.values() for gene in sums.genes))
    place = {gene: number for number, gene in enumerate(genes)}
    names = ("n_counts", "depth", "n_cells", "counts_others", "depth_others", "n_others")
    found = {name: np.zeros(len(genes)) for name in names}
    for sums in sections.values():
        here = [place[gene] for gene in sums.genes]
        mine = np.array([one == token for one in sums.tokens], dtype=bool)
        for rows, ends in ((mine, ("n_counts", "depth", "n_cells")), (~mine, names[3:])):
            counts = sums.counts[rows]
            values = (counts.sum(axis=0), counts.sum(), sums.n_cells[rows].sum())
            for name, value in zip(ends, values, strict=True):
                found[name][here] += value
    measured = (found["depth"] > 0) & (found["depth_others"] > 0)
    table = pd.DataFrame(found, index=pd.Index(genes, name="gene"))[measured]
    share, others = table["n_counts"] / table["depth"], table["counts_others"] / table["depth_others"]
    made = pd.DataFrame(
        {
            "log2_ratio": np.log2((share + PSEUDO_SHARE) / (others + PSEUDO_SHARE)),
            "share": share,
            "share_others": others,
            "n_counts": table["n_counts"],
            "n_cells": table["n_cells"].astype(int),
            "n_others": table["n_others"].astype(int),
        }
    )
    return made.sort_values("log2_ratio", ascending=False, kind="stable")


def types_in(sections: Mapping[str, TokenSums], token: str) -> pd.DataFrame:
    """Count the cell types of a token, over the sections that name types.

    Returns
    -------
    Indexed by type, most cells first: ``n_cells`` and ``share`` of the token's cells in those sections.
    """
    counted: dict[str, int] = {}
    for sums in sections.values():
        if sums.types and token in sums.tokens:
            for name, n in zip(sums.types, sums.n_cells_of_type[sums.tokens.index(token)], strict=True):
                counted[name] = counted.get(name, 0) + int(n)
    n_cells = pd.Series(counted, dtype=int)
    n_cells = n_cells[n_cells > 0].sort_values(ascending=False, kind="stable")
    table = pd.DataFrame({"n_cells": n_cells, "share": n_cells / max(int(n_cells.sum()), 1)})
    return table.rename_axis("type")


def sections_with(sections: Mapping[str, TokenSums], token: str) -> pd.DataFrame:
    """Count the cells of a token in each section that has any.

    Returns
    -------
    Indexed by section, most cells first: ``n_cells``; ``share`` of the token's cells; ``share_of_section``,
    of the section's cells with a token.
    """
    own = {
        name: (int(sums.n_cells[sums.tokens.index(token)]), int(sums.n_cells.sum()))
        for name, sums in sections.items()
        if token in sums.tokens
    }
    n_cells = pd.Series({name: n for name, (n, _) in own.items()}, dtype=int)
    of = pd.Series({name: n for name, (_, n) in own.items()}, dtype=int)
    table = pd.DataFrame(
        {"n_cells": n_cells, "share": n_cells / max(int(n_cells.sum()), 1), "share_of_section": n_cells / of}
    )
    return table.sort_values("n_cells", ascending=False, kind="stable").rename_axis("section")


def nearest_codes(codes: NDArray[np.float32], token: int) -> pd.DataFrame:
    """Order the other codes of a codebook by how near they are to one.

    Parameters
    ----------
    codes
        Vectors (k, d) of all codes.
    token
        Index of one.

    Returns
    -------
    Indexed by token, the nearest first: ``cosine`` of the angle between both vectors, 1 for one direction.
    """
    vectors = codes.astype(np.float64)
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(float).tiny)
    cosine = pd.Series(unit @ unit[token], index=[str(number) for number in range(len(unit))], name="cosine")
    return cosine.drop(str(token)).sort_values(ascending=False, kind="stable").rename_axis("token").to_frame()
