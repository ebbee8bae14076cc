"""What a perturbation is, and all that is worked out of it before anything is drawn by chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from squint import keys
from squint.errors import InputError
from squint.model.bundle import Bundle
from squint.model.reencode import Reencoder
from squint.model.tokens import embed
from squint.stats import perturbation as stats
from squint.stats.ranksum import median_depth
from squint.tl._fit import Prepared, prepare_for_model
from squint.tl._replacements import Before, Change, How, depths

Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

FEWEST_AFFECTED = 10  # cells: below, a response says nothing
LEAST_SIZE, MOST_SIZE = 1 / 8, 16.0  # of a sham, as a multiple of the shift
HALVINGS = 6  # of that range, in logarithms
AS_MANY = 0.05  # of the cells that the shift moves, by which a sham may miss their number


@dataclass(frozen=True)
class Perturbation:
    """Which cells change, by what, and what is watched.

    Parameters
    ----------
    cells
        Cells (n,) that change, such as those of a type in a region. Those without counts are left alone.
    by
        :class:`ReplaceByMean`, :class:`ReplaceByProfile` or :class:`ScaleGenes`, each with its options.
    programme
        Genes whose mean expression in a token's own cells is the score of that token.
    responders
        Cells (n,) that may answer, such as macrophages; all others by default. Changed ones are never among
        them.
    roi
        Cells (n,) of the region of interest, in which the unaffected are looked for; all by default.
    hold_programme
        Leave the genes of the programme as they are in the changed cells: a changed cell that expresses them
        itself would lift its neighbours' tokens by being averaged in, with no neighbour doing anything.
    """

    cells: Mask
    by: How
    programme: Sequence[str]
    responders: Mask | None = None
    roi: Mask | None = None
    hold_programme: bool = True

    @property
    def genes(self) -> list[str]:
        """Genes of the programme, each once."""
        return list(dict.fromkeys(str(gene) for gene in self.programme))


class Who(NamedTuple):
    """Cells by their part in it."""

    changed: Ints
    n_without_counts: int  # to be changed, but there is nothing to change
    near: Ints  # within reach of the encoder, the changed ones among them
    affected: Ints  # responders within reach
    unaffected: Ints  # responders of the region that are not
    responders: Mask  # (n,) unperturbed, with a token


class Sham(NamedTuple):
    """One draw: what else the same cells might have changed by."""

    response: float
    n_unscored: int
    share_moved: float  # of the affected cells, against the same replacement without any shift
    size: float  # what the shift was multiplied by to move as many


class Scene(NamedTuple):
    """The tissue before and after, and what a sham needs."""

    who: Who
    change: Change
    held: Mask  # (g,) genes of the programme among the model's
    shift: Floats  # (g,)
    before: Ints  # (n,) tokens, -1 for none
    after: Ints  # (n,)
    still: Ints  # (affected,) tokens after the same replacement without any shift
    scores: pd.DataFrame  # a row per token
    beside: Reencoder  # of the affected
    prepared: Prepared

    @property
    def ends(self) -> tuple[Ints, Ints]:
        """Tokens of the affected, before and after."""
        return self.before[self.who.affected], self.after[self.who.affected]

    def respond(self, after: Ints) -> stats.Response:
        """Score tokens of the affected, if these are what they get."""
        return stats.response(self.ends[0], after, self.scores["score"].to_numpy())

    def sham(self, seed: int, number: int) -> Sham:
        """Draw a sham, and scale it until it moves as many cells as the shift that is tested."""
        # By number, so that the first shams are the same however many are drawn.
        rng = np.random.default_rng([seed, number])
        drawn = stats.sham_shift(self.shift, self.change.level, self.held, rng)
        wanted = float((self.ends[1] != self.still).mean())
        low, high = np.log(LEAST_SIZE), np.log(MOST_SIZE)
        size, after = 1.0, self.still
        for _ in range(HALVINGS):
            size = float(np.exp((low + high) / 2))
            after = self.beside.encode(self.change.inputs(drawn * size)).tokens
            missing = wanted - float((after != self.still).mean())
            if abs(missing) <= AS_MANY * wanted:
                break
            low, high = (np.log(size), high) if missing > 0 else (low, np.log(size))
        found = self.respond(after)
        return Sham(found.mean, found.n_unscored, float((after != self.still).mean()), size)


def set_up(adata: AnnData, bundle: Bundle, what: Perturbation) -> Scene:
    """Find out who is affected, change the cells, and score the tokens.

    Raises
    ------
    InputError
        If the model does not fit, a mask is no mask, no gene of the programme is measured, no cell is
        changed, fewer than ten are affected, or the change cannot be made.
    """
    masks = _masks(adata.n_obs, what)
    measured = [gene for gene in what.genes if gene in adata.var_names]
    if not measured:
        raise InputError("No gene of the programme is measured here. Choose another programme.")
    prepared = prepare_for_model(adata, bundle)
    who = _who(prepared, masks, bundle.model_config.n_hops)
    change = _change(adata, bundle, prepared, who, what.by)
    held = np.isin(bundle.genes, what.genes)
    shift = np.where(held, 0.0, change.shift) if what.hold_programme else change.shift
    if not shift[~held].any():
        raise InputError("Nothing outside the programme changes, so there is nothing to see. Change more.")

    before = _tokens_before(adata, bundle, prepared)
    watched = np.append(who.near, who.unaffected)
    around = Reencoder(bundle.model, prepared.cohort, prepared.conditions, watched, who.changed)
    before[watched] = around.encode().tokens  # as what follows: another device may round otherwise
    after = before.copy()
    after[watched] = around.encode(change.inputs(shift)).tokens
    beside = Reencoder(bundle.model, prepared.cohort, prepared.conditions, who.affected, who.changed)
    still = beside.encode(change.inputs(np.zeros(len(shift)))).tokens
    own = np.where(who.responders, _score(adata, measured), np.nan)
    scores = stats.token_scores(own, before, bundle.model_config.n_codes).rename(columns={"mean": "score"})
    return Scene(who, change, held, shift, before, after, still, scores, beside, prepared)


class _Masks(NamedTuple):
    cells: Mask
    responders: Mask
    roi: Mask


def _masks(n_cells: int, what: Perturbation) -> _Masks:
    everyone = np.ones(n_cells, dtype=bool)
    given = {
        "cells": np.asarray(what.cells),
        "responders": everyone if what.responders is None else np.asarray(what.responders),
        "roi": everyone if what.roi is None else np.asarray(what.roi),
    }
    for name, mask in given.items():
        if mask.dtype != bool or mask.shape != (n_cells,):
            raise InputError(
                f"{name}: say of each of the {n_cells:,} cells whether it is one, true or false."
            )
    return _Masks(**given)


def _who(prepared: Prepared, masks: _Masks, n_hops: int) -> Who:
    cohort = prepared.cohort
    is_changed = masks.cells & cohort.told
    if not is_changed.any():
        raise InputError("No cell with counts is changed. Choose another region, cell type or cells.")
    reach = stats.within_reach(cohort.graph, is_changed, n_hops)
    responders = masks.responders & ~is_changed & cohort.told
    affected = np.flatnonzero(responders & reach)
    if len(affected) < FEWEST_AFFECTED:
        raise InputError(
            f"{len(affected)} responders have a changed cell beside them; at least {FEWEST_AFFECTED} are "
            "needed. Choose other responders or a larger region."
        )
    return Who(
        changed=np.flatnonzero(is_changed),
        n_without_counts=int((masks.cells & ~cohort.told).sum()),
        near=np.flatnonzero(reach & cohort.told),
        affected=affected,
        unaffected=np.flatnonzero(responders & masks.roi & ~reach),
        responders=responders,
    )


def _change(adata: AnnData, bundle: Bundle, prepared: Prepared, who: Who, by: How) -> Change:
    measured = np.isin(bundle.genes, adata.var_names)
    depth = float(bundle.scale.depth * bundle.scale.shares[measured].sum())
    counts = prepared.cohort.counts
    return by.prepare(Before(csr_matrix(counts[who.changed]), counts, list(bundle.genes), depth, measured))


def _tokens_before(adata: AnnData, bundle: Bundle, prepared: Prepared) -> Ints:
    """Give each cell's token (n,), first head, -1 for none: as it is known, or computed now."""
    known = adata.uns.get(keys.PROVENANCE, {}).get("model_sha256")
    if bundle.sha256 and known == bundle.sha256 and keys.TOKENS in adata.obsm:
        return np.asarray(adata.obsm[keys.TOKENS], dtype=np.int64)[:, 0].copy()
    tokens = np.full(adata.n_obs, stats.NONE, dtype=np.int64)
    for part in embed(bundle.model, prepared.cohort, prepared.conditions):
        tokens[part.cells] = part.tokens[:, 0]
    return tokens


def _score(adata: AnnData, genes: Sequence[str]) -> Floats:
    """Score each cell's own counts (n,): mean over genes of log(1 + counts at the median depth)."""
    counts = csr_matrix(adata.X)
    depth = depths(counts)
    factor = np.divide(median_depth(depth), depth, out=np.zeros(len(depth)), where=depth > 0)
    own = counts[:, adata.var_names.get_indexer(pd.Index(genes))]
    score: Floats = np.log1p(own.toarray() * factor[:, None]).mean(axis=1)
    return score
