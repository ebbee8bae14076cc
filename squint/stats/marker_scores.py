"""Names proposed by marker genes: how groups of cells score for each set, and which name that suggests."""

import contextlib
import io
import logging
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from squint.errors import InputError, extra
from squint.stats.clusters import EXTRA
from squint.stats.expression import log_counts
from squint.stats.ranksum import median_depth

MIN_MEASURED = 3  # markers of a set in the panel, below which the set names nothing
MIN_SCORE = 2.0  # t: about 2.5 % of sets drawn at random score more
MIN_MARGIN = 0.5  # t, by which the best set must lead the second
SPECIES_SHARE = 0.8  # of the names that are written as of human or mouse, from which all are taken to be
AT_ONCE = 10_000  # cells that are scored together
_HUMAN = re.compile(r"(?!ENS[A-Z]*\d{6})[A-Z][A-Z0-9]*[A-Z][A-Z0-9-]*|C\d+orf\d+")
_MOUSE = re.compile(r"[A-Z][a-z]+[A-Za-z0-9-]*")


class Sets(NamedTuple):
    """Sets of markers, as far as a panel measures them."""

    genes: dict[str, list[str]]  # measured ones of each set with enough of them
    n_measured: dict[str, int]  # of every set
    n_markers: dict[str, int]  # of every set, measured or not


def find_species(genes: Collection[str]) -> str:
    """Say of which species genes are, from how their symbols are written: CD3E in human, Cd3e in mouse.

    Returns
    -------
    ``"human"``, ``"mouse"`` (rat is written alike), or nothing where that is not clear.
    """
    n_human = sum(_HUMAN.fullmatch(gene) is not None for gene in genes)
    n_mouse = sum(_MOUSE.fullmatch(gene) is not None and "orf" not in gene for gene in genes)
    written = n_human + n_mouse
    if written * 2 < len(genes):
        return ""
    for species, number in (("human", n_human), ("mouse", n_mouse)):
        if number >= SPECIES_SHARE * written > 0:
            return species
    return ""


def measured(
    sets: Mapping[str, Sequence[str]], genes: Collection[str], min_measured: int = MIN_MEASURED
) -> Sets:
    """Find which markers are measured.

    Parameters
    ----------
    sets
        Genes of each set.
    genes
        Those of the panel (g,).
    min_measured
        Sets with fewer measured markers are left out.

    Returns
    -------
    The sets, and how many markers of each there are.

    Raises
    ------
    InputError
        If no two sets are left: one alone leads nothing.
    """
    panel = set(genes)
    found = {name: [gene for gene in dict.fromkeys(own) if gene in panel] for name, own in sets.items()}
    kept = {name: own for name, own in found.items() if min_measured <= len(own) < len(panel) - 1}
    if len(kept) < 2:
        raise InputError(
            f"The panel of {len(panel):,} genes measures {min_measured} markers or more of {len(kept)} of "
            f"{len(sets)} sets, and names need at least 2 such sets. Give other sets, ask for fewer markers, "
            "name the tissue, or check the species."
        )
    return Sets(
        kept,
        {name: len(own) for name, own in found.items()},
        {name: len(set(own)) for name, own in sets.items()},
    )


def group_profiles(
    counts: csr_matrix, groups: NDArray[np.integer[Any]], genes: Sequence[str]
) -> pd.DataFrame:
    """Give the mean log counts of groups of cells, each gene at mean 0 and s.d. 1 over the groups.

    Every group weighs the same, so that the commonest cells of a section are no rule for what is much.

    Parameters
    ----------
    counts
        Raw counts (n, g).
    groups
        Group of each cell (n,) from 0 to G - 1; -1 for cells to leave out.
    genes
        Names (g,).

    Returns
    -------
    Table (G, g); a gene that is the same in all groups is 0.
    """
    kept = groups >= 0
    inside = csr_matrix(counts)[kept]
    depth = np.asarray(inside.sum(axis=1, dtype=np.float64)).ravel()
    member = csr_matrix((np.ones(len(inside.indptr) - 1), (groups[kept], np.arange(int(kept.sum())))))
    sizes = np.asarray(member.sum(axis=1)).ravel()
    means = np.asarray((member @ log_counts(inside, median_depth(depth))).todense()) / sizes[:, None]
    return pd.DataFrame(_standard(means, means.mean(axis=0), means.std(axis=0)), columns=list(genes))


def cell_scores(counts: csr_matrix, genes: Sequence[str], sets: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Score each cell (n, sets): its log counts, each gene at mean 0 and s.d. 1 over the cells.

    A cell of some tens of counts says little by itself: names of clusters are surer.
    """
    depth = np.asarray(counts.sum(axis=1, dtype=np.float64)).ravel()
    logged = log_counts(counts, median_depth(depth[depth > 0]) if (depth > 0).any() else 1.0)
    mean = np.asarray(logged.mean(axis=0)).ravel()
    square = np.asarray(logged.multiply(logged).mean(axis=0)).ravel()
    spread = np.sqrt(np.maximum(square - mean**2, 0))
    columns = list(genes)
    parts = [
        ulm(
            pd.DataFrame(_standard(logged[start : start + AT_ONCE].toarray(), mean, spread), columns=columns),
            sets,
        )
        for start in range(0, logged.shape[0], AT_ONCE)
    ]
    return pd.concat(parts, ignore_index=True)


def ulm(profiles: pd.DataFrame, sets: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Score profiles for sets by decoupler's univariate linear model.

    The score of a set is the t of the slope when a profile's genes are fitted by whether they are in it.
    Chosen over ``mlm``, which fits all sets at once and fails where sets share most of what a panel measures,
    and over ``aucell``, which looks at the first 5 % of a cell's genes: 15 of 300, most of them ties.

    Parameters
    ----------
    profiles
        Table (G, genes).
    sets
        Genes of each set, all among the columns.

    Returns
    -------
    Scores (G, sets), in the order of the sets.

    Raises
    ------
    InputError
        If decoupler is not installed.
    """
    with extra(EXTRA, "Naming by markers"), _hushed():
        import decoupler  # noqa: PLC0415 - takes seconds

        net = pd.DataFrame(
            [(name, gene, 1.0) for name, own in sets.items() for gene in own],
            columns=["source", "target", "weight"],
        )
        named = profiles.set_axis([str(row) for row in range(len(profiles))])
        scores, _ = decoupler.mt.ulm(named, net, tmin=1, empty=False)
    found: pd.DataFrame = scores.reindex(index=named.index, columns=list(sets)).reset_index(drop=True)
    return found


def propose(
    scores: pd.DataFrame, *, min_score: float = MIN_SCORE, min_margin: float = MIN_MARGIN
) -> pd.DataFrame:
    """Propose a name for each row of scores (G, sets), or none where that is weak.

    Returns
    -------
    Table (G,): ``best``; ``score`` of it; ``second``; ``margin`` to that; ``name``, the best where its score
    and margin reach the bounds, else missing; ``confidence``, the margin's share of the score, in [0, 1].
    """
    values = scores.to_numpy(dtype=np.float64)
    order = np.argsort(-values, axis=1, kind="stable")[:, :2]
    sets, rows = scores.columns.to_numpy(), np.arange(len(values))
    best, second = values[rows, order[:, 0]], values[rows, order[:, 1]]
    margin = best - second
    strong = (best >= min_score) & (margin >= min_margin)
    # A margin beyond the score is all of it: the second set speaks against the name.
    share = np.divide(margin, best, out=(best > 0).astype(np.float64), where=(best > 0) & (margin < best))
    return pd.DataFrame(
        {
            "best": sets[order[:, 0]],
            "score": best,
            "second": sets[order[:, 1]],
            "margin": margin,
            "name": pd.Series(sets[order[:, 0]], dtype=object).where(strong, None),
            "confidence": share,
        }
    )


def _standard(
    values: NDArray[np.floating[Any]], mean: NDArray[np.floating[Any]], spread: NDArray[np.floating[Any]]
) -> NDArray[np.float64]:
    varies = spread > 1e-9
    shown: NDArray[np.float64] = np.divide(values - mean, spread, out=np.zeros(values.shape), where=varies)
    return shown


@contextlib.contextmanager
def _hushed() -> Iterator[None]:
    """Let decoupler, and what it brings along, log no more than warnings; errors are raised as ever."""
    level = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(level)
