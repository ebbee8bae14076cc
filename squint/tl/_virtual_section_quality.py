from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from squint import keys, pp
from squint.columns import labels
from squint.errors import InputError
from squint.model.between import (
    SIZES,
    Between,
    Level,
    draw_cells,
    find_between,
    hood_means,
    in_order,
    vote,
    weighed_means,
)
from squint.model.between_blend import learn
from squint.stats.metrics import Judge, column_pearson, row_pearson

CELL, NEIGHBOURHOOD, TOKEN = "cell", "neighbourhood", "token"
LEARNED, NEAREST, DRAW = "learned", "nearest", "draw"
MOST_JUDGED = 5  # levels left out by default, evenly spread
N_NEIGHBORS = 8  # of the graph whose closed neighbourhoods are predicted
LEAST_GAIN = 0.01  # in a correlation, below which two methods are level
WORDS = {1: "above the nearest cells", 0: "level with the nearest cells", -1: "below the nearest cells"}

Floats = NDArray[np.float64]


class Stack(NamedTuple):
    """Levels in order, once with what cells hold and once with what their neighbourhoods do."""

    cell: list[Level]
    neighbourhood: list[Level]
    tokens: list[NDArray[np.int64]]  # of the cells of each level (n,), -1 for none; empty without tokens

    def without(self, at: int) -> "Stack":
        """Leave out one level."""
        return Stack(*([*part[:at], *part[at + 1 :]] for part in self))


class Verdict(NamedTuple):
    """How levels left out were told, beside the K nearest cells that do best on them."""

    score: float  # of what was learned, mean over levels; NaN if nothing could be
    nearest: float  # the same of the K nearest cells
    k: int  # that do best
    difference: float
    se: float  # of the difference, over levels
    n_levels: int
    words: str


def virtual_section_quality(
    adata: AnnData,
    *,
    genes: Sequence[str] | None = None,
    n_levels: int | None = MOST_JUDGED,
    distributions: bool = False,
    seeds: Sequence[int] = (0,),
    level_key: str = keys.SECTION,
    z_key: str = keys.Z,
    copy: bool = False,
) -> AnnData | None:
    """Measure how well a depth between levels is told, by leaving out whole levels that were measured.

    Of a level left out only positions and height are used: its counts enter no mean, no component and nothing
    that is learned. The levels around it are then twice as far apart as where a section is wanted, so a depth
    between two neighbouring levels should be told rather better.

    Parameters
    ----------
    adata
        Levels of raw counts, as `squint.read` gives them.
    genes
        Genes to predict; all by default.
    n_levels
        Levels to leave out, one at a time, evenly spread over those between others; ``None`` for all.
    distributions
        Also compare the distributions of profiles (MMD3 and E), of draws too, which takes much longer.
    seeds
        Of the draws; all else is without chance.
    level_key, z_key
        Columns of ``obs`` with the level and its height.
    copy
        Return a changed copy instead of changing ``adata``.

    Returns
    -------
    Returns ``None`` if ``copy=False``, else an ``AnnData``. Sets the following field:

    ``adata.uns["squint_virtual_section_quality"]`` : :class:`pandas.DataFrame`
        A row per level left out, target (``"neighbourhood"``, ``"cell"``; ``"token"`` where there are tokens)
        and method: ``"learned"``; ``"nearest"``, the z-weighted mean over the ``k`` nearest cells of both
        adjacent levels; ``"draw"``, a real cell of the 64 nearest. Columns ``level``, ``z_um``, ``below_um``
        and ``above_um`` (how far the adjacent levels are), ``n_cells`` (with counts), ``target``, ``method``,
        ``k``, ``seed``, ``pc`` (mean over cells of Pearson's r across genes), ``pg`` (mean over genes of
        Pearson's r across cells), ``mmd3``, ``energy``, ``agreement`` (share of cells whose token is told
        right). NaN where not measured. Without a level between two others the table has no row.

    Raises
    ------
    InputError
        If there are no heights, or fewer than two levels.

    References
    ----------
    SQUINT, section 5.2, for the task of missing sections; the method is our own, see
    `squint.model.between_blend`.
    """
    adata = adata.copy() if copy else adata
    stack = level_by_level(adata, genes=genes, level_key=level_key, z_key=z_key)
    rows = [
        row
        for at in _judged(len(stack.cell), n_levels)
        for row in _judge_level(stack, at, seeds, distributions=distributions)
    ]
    adata.uns[keys.BETWEEN_QUALITY] = pd.DataFrame(rows, columns=list(_COLUMNS))
    return adata if copy else None


_COLUMNS = (
    "level",
    "z_um",
    "below_um",
    "above_um",
    "n_cells",
    "target",
    "method",
    "k",
    "seed",
    "pc",
    "pg",
    "mmd3",
    "energy",
    "agreement",
)


def virtual_section_verdict(
    quality: pd.DataFrame, *, target: str = NEIGHBOURHOOD, score: str = "pg"
) -> Verdict:
    """Say in a word what the learned prediction is worth beside the nearest cells.

    Parameters
    ----------
    quality
        The table of `virtual_section_quality`.
    target
        ``"neighbourhood"`` or ``"cell"``.
    score
        ``"pg"`` or ``"pc"``.

    Returns
    -------
    Means over the levels left out, of what was learned and of the K nearest cells with the one K that does
    best on these very levels; their difference with its standard error over levels; and in words whether it
    exceeds both 0.01 and two standard errors.

    Raises
    ------
    InputError
        If no level was left out.
    """
    own = quality[quality["target"] == target]
    if own.empty:
        raise InputError("No level lies between two others, so how well one is told could not be measured.")
    nearest = own[own["method"] == NEAREST].pivot_table(index="level", columns="k", values=score)
    means = nearest.mean()
    k = int(means.index[int(means.argmax())])
    learned = own[own["method"] == LEARNED].set_index("level")[score]
    if learned.empty:
        nan = float("nan")
        return Verdict(nan, float(means[k]), k, nan, nan, len(nearest), "nothing learned: too few levels")
    gains = (learned - nearest[k].reindex(learned.index)).dropna()
    mean = float(gains.mean())
    se = float(gains.std(ddof=1) / np.sqrt(len(gains))) if len(gains) > 1 else float("nan")
    sign = 0 if not abs(mean) > max(LEAST_GAIN, 2 * np.nan_to_num(se, nan=np.inf)) else int(np.sign(mean))
    return Verdict(float(learned.mean()), float(means[k]), k, mean, se, len(gains), WORDS[sign])


def level_by_level(
    adata: AnnData,
    *,
    genes: Sequence[str] | None = None,
    level_key: str = keys.SECTION,
    z_key: str = keys.Z,
) -> Stack:
    """Bring a stack into the form that a section between its levels is told from.

    Parameters
    ----------
    adata
        Levels of raw counts; their positions once aligned are taken where there are any.
    genes
        Genes to take; all by default.
    level_key, z_key
        Columns of ``obs`` with the level and its height.

    Returns
    -------
    The levels, lowest first, cells sorted by position, once by cell and once by closed neighbourhood.

    Raises
    ------
    InputError
        If there are no heights, fewer than two levels, two at one height, or a gene is not measured.
    """
    name = labels(adata, level_key)
    if z_key not in adata.obs or not np.isfinite(adata.obs[z_key].to_numpy(dtype=np.float64)).all():
        raise InputError(f"`adata.obs` has no {z_key!r} for every cell: say how high each level lies, in um.")
    genes = list(adata.var_names) if genes is None else list(genes)
    if missing := set(genes).difference(adata.var_names):
        raise InputError(f"The stack does not measure {min(missing)}. Name genes that all levels measure.")
    if not genes:
        raise InputError("There is no gene to predict.")
    counts = csr_matrix(adata[:, genes].X, dtype=np.float64)
    slots: Any = adata.obsm
    points = np.asarray(slots[keys.ALIGNED if keys.ALIGNED in slots else keys.SPATIAL], dtype=np.float64)
    height = adata.obs[z_key].astype(np.float64).groupby(name.to_numpy(), sort=False).median()
    tokens = np.asarray(slots[keys.TOKENS])[:, 0] if keys.TOKENS in slots else np.full(adata.n_obs, -1)
    cells, hoods, of_level = [], [], []
    for level, z in height.sort_values(kind="stable").items():
        rows = np.flatnonzero(name.to_numpy() == level)
        rows = rows[np.lexsort(points[rows, :2].T[::-1])]
        own = points[rows, :2]
        cells.append(Level(str(level), float(z), own, counts[rows]))
        hoods.append(cells[-1]._replace(values=hood_means(counts[rows], pp.knn_graph(own, N_NEIGHBORS))))
        of_level.append(tokens[rows].astype(np.int64))
    if len(cells) < 2:
        raise InputError("There is one level only: a section between levels needs two or more.")
    return Stack(in_order(cells), in_order(hoods), of_level if keys.TOKENS in slots else [])


def _judged(n_levels: int, most: int | None) -> list[int]:
    """Choose the levels to leave out, evenly spread over those between others."""
    inner = range(1, n_levels - 1)
    if most is None or len(inner) <= most:
        return list(inner)
    return sorted({round(at) for at in np.linspace(1, n_levels - 2, most)})


def _judge_level(
    stack: Stack, at: int, seeds: Sequence[int], *, distributions: bool
) -> Iterator[dict[str, object]]:
    """Tell one level from the others, and score that."""
    level, others = stack.cell[at], stack.without(at)
    between = find_between(others.cell, level.z)
    told = np.asarray(level.values.sum(axis=1)).ravel() > 0
    row = {
        "level": level.name,
        "z_um": level.z,
        "below_um": level.z - between.below.z,
        "above_um": between.above.z - level.z,
        "n_cells": int(told.sum()),
        "seed": 0,
        **dict.fromkeys(("pc", "pg", "mmd3", "energy", "agreement"), float("nan")),
    }
    if not told.any():
        return
    for target in (NEIGHBOURHOOD, CELL):
        own: list[Level] = getattr(others, target)
        truth = np.asarray(getattr(stack, target)[at].values[told].todense())
        judge = Judge(truth) if distributions and target == NEIGHBOURHOOD else None
        points = level.points[told]
        around = find_between(own, level.z)
        blend = learn(own)
        if blend is not None:
            scores = _score(truth, blend.predict(own, level.z, points), judge)
            yield {**row, "target": target, "method": LEARNED, "k": 0, **scores}
        for k, values in zip(SIZES, weighed_means(around, points), strict=True):
            yield {**row, "target": target, "method": NEAREST, "k": k, **_score(truth, values, judge)}
        for seed in seeds if judge else ():
            values = draw_values(around, points, seed)
            scores = _score(truth, values, judge)
            yield {**row, "target": target, "method": DRAW, "k": 0, **scores, "seed": seed}
    if stack.tokens and (known := stack.tokens[at] >= 0).any():
        tokens = tokens_around(others, between)
        for k in SIZES:
            said, _ = vote(between, level.points[known], tokens, k)
            share = float((said == stack.tokens[at][known]).mean())
            yield {**row, "target": TOKEN, "method": NEAREST, "k": k, "agreement": share}


def _score(truth: Floats, values: Floats, judge: Judge | None) -> dict[str, float]:
    if judge is not None:
        scores = judge.score(values)
        return {name: getattr(scores, name) for name in ("pc", "pg", "mmd3", "energy")}
    by_gene = column_pearson(truth, values)
    known = by_gene[np.isfinite(by_gene)]
    return {
        "pc": float(row_pearson(truth, values).mean()),
        "pg": float(known.mean()) if len(known) else float("nan"),
    }


def draw_values(between: Between, points: Floats, seed: int) -> Floats:
    """Draw a real cell for each place (m, 2), and give what it holds (m, g)."""
    upper, cell = draw_cells(between, points, np.random.default_rng(seed))
    drawn = np.empty((len(points), between.below.values.shape[1]))
    for level, rows in ((between.below, ~upper), (between.above, upper)):
        drawn[rows] = np.asarray(level.values[cell[rows]].todense())
    return drawn


def tokens_around(stack: Stack, between: Between) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the tokens of the cells of the two levels."""
    names = [level.name for level in stack.cell]
    below, above = (stack.tokens[names.index(level.name)] for level in (between.below, between.above))
    return below, above
