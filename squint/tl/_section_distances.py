import numpy as np
import pandas as pd
from anndata import AnnData

from squint import keys
from squint.columns import UNKNOWN, labels
from squint.errors import InputError
from squint.stats.section_distances import Tissue, compare, overview


def section_distances(
    adata: AnnData,
    *,
    by: str = keys.SECTION,
    token_key: str = keys.TOKEN,
    n_draws: int = 999,
    seed: int = 0,
    copy: bool = False,
) -> AnnData | None:
    """Compare sections by which tokens their cells carry, and with what chance gives.

    Cells beside each other are alike, so that cells dealt anew would make any two sections differ. Instead,
    each section is cut into 8 blocks of tissue, and the blocks of both sections of a pair are dealt into two
    groups, again and again; the distances of these are widened by as much as blocks beside each other are
    alike.

    Parameters
    ----------
    adata
        Tokenised sections.
    by
        Column of ``obs`` with the sections.
    token_key
        Where the tokens are.
    n_draws
        Of each pair; all ways to deal the blocks are taken where there are no more than that.
    seed
        Seed of the draws.
    copy
        Return a changed copy instead of changing ``adata``.

    Returns
    -------
    Returns ``None`` if ``copy=False``, else an ``AnnData``. Sets the following field:

    ``adata.uns["squint_section_distances"]`` : dict
        For S sections, by name:

        ``distance``
            Table (S, S): Jensen-Shannon distance in [0, 1] of the shares of tokens; 0 for the same, 1 where
            none is shared.
        ``expected``, ``high``, ``p``, ``q``
            Tables (S, S): median of the distances that chance gives, and what 95 % of them stay below; the
            share of them that reach the distance; Benjamini and Hochberg's q over pairs. NaN on the diagonal,
            and where a section has fewer than 80 cells.
        ``sections``
            Table (S) of ``n_cells`` with a token, ``n_blocks``, ``halves``: the distance of two halves of the
            section, mean of a cut along x and one along y; ``reach``, over which cells are alike, as a share
            of the section's side; and ``x``, ``y``: a plane on which sections lie as their distances say, by
            classical scaling.
        ``linkage``, ``order``
            Tree (S - 1, 4) of average linkage, as scipy's, and numbers of the sections (S,) along its leaves.
        ``stress``
            Kruskal's first, of the plane: the share of the distances that it misses.
        ``by``, ``token_key``, ``n_draws``, ``seed``
            The choices.

    Raises
    ------
    InputError
        If a column is missing, or fewer than two sections have cells with a token.

    Notes
    -----
    How alike blocks are is told from a variogram of each section. Of a structure as large as the section
    nothing can be told: p then says little, and errs to either side.

    References
    ----------
    Cressie (1993), Statistics for spatial data. Endres and Schindelin (2003), A new metric for probability
    distributions. Torgerson (1952), Multidimensional scaling. Kruskal (1964), Multidimensional scaling by
    optimizing goodness of fit.
    """
    adata = adata.copy() if copy else adata
    tokens, sections = labels(adata, token_key), labels(adata, by)
    known = ((tokens != UNKNOWN) & (sections != UNKNOWN)).to_numpy()
    names = sorted(sections[known].unique())
    if len(names) < 2:
        raise InputError(
            f"obs[{by!r}] has {len(names)} sections of tokenised cells, and at least 2 are compared. Add one."
        )
    kinds, codes = np.unique(tokens.to_numpy(dtype=str), return_inverse=True)
    positions = np.asarray(adata.obsm[keys.SPATIAL], dtype=np.float64)[:, :2]
    rows = [np.flatnonzero(known & (sections == name).to_numpy()) for name in names]
    found = compare(
        [Tissue(positions[own], codes[own]) for own in rows], len(kinds), n_draws=n_draws, seed=seed
    )
    lie = overview(found.distance)
    index = pd.Index(names, name="section")
    tables = ("distance", "expected", "high", "p", "q")
    adata.uns[keys.SECTION_DISTANCES] = {
        **{name: pd.DataFrame(getattr(found, name), index, names) for name in tables},
        "sections": pd.DataFrame(
            {
                "n_cells": [len(own) for own in rows],
                "n_blocks": found.n_blocks,
                "halves": found.halves,
                "reach": found.reach,
                "x": lie.points[:, 0],
                "y": lie.points[:, 1],
            },
            index,
        ),
        "linkage": lie.linkage,
        "order": lie.order,
        "stress": lie.stress,
        "by": by,
        "token_key": token_key,
        "n_draws": n_draws,
        "seed": seed,
    }
    return adata if copy else None
