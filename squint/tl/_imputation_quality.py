from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from squint import keys, pp
from squint.baselines.nearest import graph_mean, knn_profiles, nearest_observed
from squint.columns import labels
from squint.errors import InputError
from squint.model.card import TRAINED_ON
from squint.stats.metrics import column_pearson

GROUP_SIZES = (10, 25, 50, 100, 250, 500, 1000)
CELL, NEIGHBOURHOOD = "cell", "neighbourhood"
MODEL, KNN, NOTHING = "model", "knn", "nothing"
N_BLOCKS = 10  # the jackknife leaves out a tenth of a level's cells at a time
LEAST_CELLS = 30  # held-out cells of a level, below which no verdict is given
NO_LEVEL = -1
LEAST_GAIN = 0.01  # in Pearson: less is level with kNN, however certain

Floats = NDArray[np.floating]


class HeldOut(NamedTuple):
    """The m hidden cells of a stack, with what is known of them and around them."""

    counts: csr_matrix  # (n, g), of all cells, the truth
    graph: csr_matrix  # (n, n)
    hidden: NDArray[np.bool_]  # (n,)
    nearest: NDArray[np.int64]  # (m, k) observed cells, nearest first
    level: NDArray[np.int64]  # (m,) number of the level, NO_LEVEL for cells without counts
    block: NDArray[np.int64]  # (m,) one of the jackknife's blocks within the level

    @property
    def levels(self) -> NDArray[np.int64]:
        """Numbers of the levels with hidden cells that have counts, in rising order."""
        return np.unique(self.level[self.level != NO_LEVEL])

    def means(self, profiles: Floats) -> NDArray[np.float32]:
        """Average closed neighbourhoods, with profiles (m, g) in place of the hidden cells."""
        return graph_mean(self.counts, self.graph, self.hidden, profiles)


class Prediction(NamedTuple):
    """What one method says of one target."""

    method: str
    k: int  # neighbours, 0 without any
    values: Floats  # (m, g)


def imputation_quality(
    adata: AnnData,
    *,
    level_key: str = keys.SECTION,
    group_sizes: Sequence[int] = GROUP_SIZES,
    copy: bool = False,
) -> AnnData | None:
    """Compare in-painted with true expression, per level and group of genes, beside the best kNN.

    The paper's protocol of figure 3a: a gene's Pearson correlation between truth and prediction over all
    hidden cells ranks the genes; the top of that ranking makes the groups. In each level the correlation of
    each gene is taken anew over that level's hidden cells, and averaged over the genes of a group. A gene
    without variation in a level is left out there; a flat prediction counts 0.

    Hidden cells that turn out to have no counts are judged nowhere: there is no profile to agree with.

    Three things to know before believing a number:

    - The genes are ranked on the very cells that they are then judged on, by the correlation of the *model*,
      and kNN is judged on the same groups. Small groups flatter both, and the model more than kNN. The group
      of all genes is free of that choice.
    - kNN is the mean of the K nearest observed cells of the same section, with the K from 1 to 512 that does
      best here over all genes and levels, one K per target: as strong as it can be.
    - Where single cells are held out, most of a neighbourhood is observed, whatever is predicted. So for
      neighbourhoods the table also says what is reached with ``nothing`` (no counts) in the hidden cells.

    Parameters
    ----------
    adata
        Sections in-painted by `squint.tl.inpaint`, with the true counts of the hidden cells.
    level_key
        Column of ``obs`` that names the level.
    group_sizes
        Sizes of the groups of genes; those above the number of genes become one group of all genes.
    copy
        Return a changed copy instead of changing ``adata``.

    Returns
    -------
    Returns ``None`` if ``copy=False``, else an ``AnnData``. Sets the following field:

    ``adata.uns["squint_imputation_quality"]`` : :class:`pandas.DataFrame`
        A row per target (``"cell"``, ``"neighbourhood"``), method (``"model"``, ``"knn"``, and for
        neighbourhoods ``"nothing"``), level (by height, else in order of appearance) and group of genes.
        Columns ``target``, ``method``, ``k`` (neighbours of kNN, else 0), ``level``, ``z_um`` (median,
        NaN without heights), ``n_cells`` (hidden in the level, with counts), ``group`` (``"top 50"``,
        ``"all 283"``), ``n_genes`` (genes of the group with variation in the level), ``pearson``, and
        ``gain_se``: standard error of the difference between model and kNN, by a jackknife over the level's
        cells.

    Raises
    ------
    InputError
        If nothing is in-painted, or the model was trained on these very cells.

    References
    ----------
    SQUINT, section 5.2 and figure 3a.
    """
    adata = adata.copy() if copy else adata
    genes = _check(adata)
    names, heights = _levels(adata, level_key)
    held_out = _held_out(adata, genes, labels(adata, level_key).to_numpy(), names)
    hidden = held_out.hidden
    truth = np.asarray(held_out.counts[hidden].todense(), dtype=np.float32)
    truths = {CELL: truth, NEIGHBOURHOOD: held_out.means(truth)}
    knn = best_knn(held_out, truths)
    slots = {CELL: keys.IMPUTED_CELL, NEIGHBOURHOOD: keys.IMPUTED}
    tables = []
    for target, slot in slots.items():
        imputed: Any = adata.obsm[slot]
        model = Prediction(MODEL, 0, imputed[genes].to_numpy()[hidden])
        others = [Prediction(NOTHING, 0, held_out.means(np.zeros_like(truth)))]
        others = others if target == NEIGHBOURHOOD else []
        table = _judge(held_out, truths[target], model, knn[target], others, group_sizes)
        tables.append(table.assign(target=target))
    quality = pd.concat(tables, ignore_index=True)
    number = quality.pop("number")
    quality["z_um"] = heights[number]
    quality["level"] = np.asarray(names, dtype=object)[number]
    columns = ["target", "method", "k", "level", "z_um", "n_cells", "group", "n_genes", "pearson", "gain_se"]
    adata.uns[keys.QUALITY] = quality[columns]
    return adata if copy else None


def level_badges(
    quality: pd.DataFrame, *, target: str = NEIGHBOURHOOD, group: str | None = None
) -> pd.DataFrame:
    """Say in a word how far each level's in-painting can be trusted against kNN.

    Parameters
    ----------
    quality
        The table of `imputation_quality`.
    target
        ``"neighbourhood"`` or ``"cell"``.
    group
        Group of genes; by default the largest, which no ranking on these cells has picked.

    Returns
    -------
    A row per level, in order, with ``z_um``, ``n_cells``, ``group``, ``pearson``, ``knn``, ``k``,
    ``difference`` (model - kNN), ``se`` of it, and ``verdict``: ``"above kNN"`` or ``"below kNN"`` where the
    difference exceeds both 0.01 and two standard errors, else ``"level with kNN"``; ``"too few cells"`` below
    30 hidden cells. Cells near one another are alike, so the standard error is rather too small.

    Raises
    ------
    InputError
        If the table has no such target or group.
    """
    of_target = quality[quality["target"] == target]
    group = group or (str(of_target["group"].iloc[-1]) if len(of_target) else "")
    rows = of_target[of_target["group"] == group].set_index("level")
    if rows.empty:
        known = ", ".join(dict.fromkeys(of_target["group"])) or "no such target"
        raise InputError(f"The quality of target {target!r} has no group {group!r}; there is {known}.")
    model, knn = rows[rows["method"] == MODEL], rows[rows["method"] == KNN]
    badges = model[["z_um", "n_cells", "group", "pearson"]].assign(
        knn=knn["pearson"], k=knn["k"], difference=model["pearson"] - knn["pearson"], se=model["gain_se"]
    )
    badges["verdict"] = [
        _verdict(int(row["n_cells"]), float(row["difference"]), float(row["se"]))
        for _, row in badges.iterrows()
    ]
    return badges


def best_knn(held_out: HeldOut, truths: dict[str, NDArray[np.float32]]) -> dict[str, Prediction]:
    """Choose for each target the K whose mean over levels and genes is best."""
    best: dict[str, tuple[float, Prediction]] = {}
    for k, profiles in knn_profiles(held_out.counts, held_out.nearest):
        for target, truth in truths.items():
            values = profiles if target == CELL else held_out.means(profiles)
            by_level = [np.nanmean(r) for r in _by_level(held_out, truth, values) if np.isfinite(r).any()]
            mean = float(np.mean(by_level)) if by_level else 0.0
            if target not in best or mean > best[target][0]:
                best[target] = mean, Prediction(KNN, k, values)
    return {target: prediction for target, (_, prediction) in best.items()}


def _check(adata: AnnData) -> list[str]:
    """Give the genes that were predicted and are measured here, or say what is missing."""
    if keys.HIDDEN not in adata.obs or not {keys.IMPUTED, keys.IMPUTED_CELL} <= set(adata.obsm):
        raise InputError(f"`adata.obsm` has no {keys.IMPUTED!r}. Run `squint.tl.inpaint` first.")
    protocol = adata.uns.get(keys.PROVENANCE, {}).get("inpainting", {}).get("protocol", {})
    known = [section for section, said in protocol.items() if said == TRAINED_ON]
    if known:
        raise InputError(
            f"The model was trained on the in-painted cells of section {known[0]!r}, so it cannot be judged "
            "by them. Train one that holds them out (`squint train ... --hold-out 0.1`)."
        )
    imputed: Any = adata.obsm[keys.IMPUTED]
    return [str(gene) for gene in imputed.columns if gene in adata.var_names]


def _levels(adata: AnnData, level_key: str) -> tuple[list[str], NDArray[np.float64]]:
    """Name the levels with their heights (levels,), lowest first; without heights in order of appearance."""
    level = labels(adata, level_key)
    names = level.unique()
    if keys.Z not in adata.obs:
        return list(names), np.full(len(names), np.nan)
    height = adata.obs[keys.Z].astype(np.float64).groupby(level.to_numpy()).median().reindex(names)
    height = height.sort_values(kind="stable")
    return [str(name) for name in height.index], np.asarray(height, dtype=np.float64)


def _held_out(adata: AnnData, genes: list[str], level: NDArray[np.object_], names: list[str]) -> HeldOut:
    hidden = adata.obs[keys.HIDDEN].to_numpy(dtype=bool)
    number = pd.Index(names).get_indexer(pd.Index(level[hidden])).astype(np.int64)
    cells = adata.obs_names[hidden]
    counts = csr_matrix(adata[:, genes].X, dtype=np.float32)
    told = np.asarray(counts[hidden].sum(axis=1)).ravel() > 0
    if not told.any():
        raise InputError("None of the in-painted cells has a count in the genes predicted: nothing to judge.")
    number[~told] = NO_LEVEL
    # By name, so that the order of cells does not matter.
    rank = pd.Series(np.argsort(np.argsort(cells, kind="stable"))).groupby(number).rank().to_numpy()
    return HeldOut(
        counts=counts,
        graph=csr_matrix(adata.obsp[keys.CONNECTIVITIES]),
        hidden=hidden,
        nearest=nearest_observed(
            np.asarray(adata.obsm[keys.SPATIAL], dtype=np.float64), pp.section_codes(adata), hidden
        ),
        level=number,
        block=rank.astype(np.int64) % N_BLOCKS,
    )


def _by_level(held_out: HeldOut, truth: Floats, values: Floats) -> Iterator[NDArray[np.float64]]:
    """Correlate each gene within each level that has hidden cells: (g,) a level."""
    for number in held_out.levels:
        cells = held_out.level == number
        yield column_pearson(truth[cells], values[cells])


def _judge(
    held_out: HeldOut,
    truth: Floats,
    model: Prediction,
    knn: Prediction,
    others: Sequence[Prediction],
    group_sizes: Sequence[int],
) -> pd.DataFrame:
    """Make the table of one target, a row per method, number of the level and group."""
    told = held_out.level != NO_LEVEL
    overall = column_pearson(truth[told], model.values[told])
    ranking = np.argsort(-np.nan_to_num(overall, nan=-2), kind="stable")
    n_genes = len(ranking)
    sizes = sorted({min(size, n_genes) for size in group_sizes})
    rows = []
    for number in held_out.levels:
        cells = held_out.level == number
        pair = (model.values[cells], knn.values[cells])
        se = _gain_se(truth[cells], pair, held_out.block[cells], ranking, sizes)
        for prediction in (model, knn, *others):
            pearson = column_pearson(truth[cells], prediction.values[cells])[ranking]
            rows += [
                {
                    "method": prediction.method,
                    "k": prediction.k,
                    "number": number,
                    "n_cells": int(cells.sum()),
                    "group": f"all {size}" if size == n_genes else f"top {size}",
                    "n_genes": int(np.isfinite(pearson[:size]).sum()),
                    "pearson": _mean(pearson[:size]),
                    "gain_se": gain_se,
                }
                for size, gain_se in zip(sizes, se, strict=True)
            ]
    return pd.DataFrame(rows)


def _gain_se(
    truth: Floats,
    pair: tuple[Floats, Floats],
    block: NDArray[np.int64],
    ranking: NDArray[np.int64],
    sizes: Sequence[int],
) -> NDArray[np.float64]:
    """Jackknife the difference between two predictions: standard error for each group of genes (groups,)."""
    if len(truth) < 2 * N_BLOCKS:
        return np.full(len(sizes), np.nan)
    gains = []
    for left_out in range(N_BLOCKS):
        kept = block != left_out
        one, other = (column_pearson(truth[kept], values[kept])[ranking] for values in pair)
        gains.append([_mean(one[:size]) - _mean(other[:size]) for size in sizes])
    spread: NDArray[np.float64] = np.sqrt((N_BLOCKS - 1) * np.var(gains, axis=0))
    return spread


def _mean(pearson: Floats) -> float:
    """Mean of what is not NaN; NaN if nothing is."""
    known = pearson[np.isfinite(pearson)]
    return float(known.mean()) if len(known) else float("nan")


def _verdict(n_cells: int, difference: float, se: float) -> str:
    if n_cells < LEAST_CELLS or not np.isfinite(difference):
        return "too few cells"
    if abs(difference) <= max(LEAST_GAIN, 2 * se):
        return "level with kNN"
    return "above kNN" if difference > 0 else "below kNN"
