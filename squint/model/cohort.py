"""Sections as the model sees them: counts, graph and features of all cells on one axis, cut into tiles."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from squint import keys, pp
from squint.config import POSITION, ModelConfig
from squint.errors import InputError
from squint.io.mapped import change_rows, let_go

POSITION_OCTAVES = 4
RBF_REACH = 3.0  # radial basis functions cover 0 to 3 times a section's spacing
BLOCK = 65_536  # cells looked at together, where a copy for all would take as much memory as the counts


class Scale(NamedTuple):
    """What counts are brought to before the model sees them, so that deep and shallow cells compare."""

    depth: float  # median counts per cell in training
    shares: NDArray[np.float64]  # (g,) mean share of each gene in training


class Patch(NamedTuple):
    """Some cells and, ring by ring, the cells that their latents depend on."""

    cells: NDArray[np.int64]  # (n,) the cells themselves first, then each ring of neighbours
    hops: list[tuple[NDArray[np.int64], int]]  # edges (2, e) in positions of `cells`; number of targets


class Tiles(NamedTuple):
    """One way to cut all cells into patches of tissue, and an order to mask them in."""

    cells: list[NDArray[np.int64]]  # the cells of each tile
    mask_rank: NDArray[np.float32]  # (n,) in [0, 1): a cell is masked once the masked fraction exceeds it


@dataclass(frozen=True)
class Cohort:
    """Cells of one or several sections, of which hidden ones carry nothing but their position."""

    counts: csr_matrix  # float32 (n, g), rows of hidden cells empty
    factor: NDArray[np.float64]  # (n,) brings a cell's counts to the model's depth
    graph: csr_matrix  # float32 (n, n), 1 between neighbours
    features: NDArray[np.float32]  # (n, c): distances to neighbours, then covariates
    coordinates: NDArray[np.float64]  # (n, 2 | 3)
    section: NDArray[np.int64]  # (n,) number of the section within this cohort
    section_names: list[str]
    visible: NDArray[np.bool_]  # (n,) False where hidden

    @property
    def n_cells(self) -> int:
        """Number of cells, hidden ones included."""
        return len(self.visible)

    @property
    def told(self) -> NDArray[np.bool_]:
        """Cells (n,) that tell something of themselves: visible, with a count in one of the model's genes."""
        return np.asarray(np.diff(self.counts.indptr) > 0)

    @property
    def empty(self) -> NDArray[np.bool_]:
        """Visible cells (n,) without any count in the model's genes.

        They are neighbours like any other, for that nothing was found in a place is a measurement of it; but
        nobody asks what they are themselves.
        """
        return self.visible & ~self.told

    def inputs(self, cells: NDArray[np.int64]) -> csr_matrix:
        """Bring cells to the model's depth, then log1p: float32 (len(cells), g)."""
        rows = csr_matrix(self.counts[cells])
        # Made when asked for: kept for all cells, they would take as much memory as the counts.
        data = np.log1p(rows.data * np.repeat(self.factor[cells], np.diff(rows.indptr))).astype(np.float32)
        return csr_matrix((data, rows.indices, rows.indptr), shape=rows.shape)

    def neighbourhood_sums(self, cells: NDArray[np.int64]) -> NDArray[np.float32]:
        """Add up the counts of each cell and its neighbours: dense (len(cells), g)."""
        sums = self.counts[cells] + self.graph[cells] @ self.counts
        return np.asarray(sums.todense(), dtype=np.float32)

    def neighbourhood_sizes(self, cells: NDArray[np.int64]) -> NDArray[np.float32]:
        """Count the cells that `neighbourhood_sums` adds up, at least 1: (len(cells),)."""
        visible = self.visible.astype(np.float32)
        size: NDArray[np.float32] = visible[cells] + self.graph[cells] @ visible
        return np.maximum(size, 1)

    def with_graph(self, graph: csr_matrix) -> "Cohort":
        """Give the same cells on another graph."""
        return replace(self, graph=graph)

    def part(self, cells: NDArray[np.int64]) -> "Cohort":
        """Give some of the cells, in order, with the edges among them; sections keep their numbers."""
        return replace(
            self,
            counts=csr_matrix(self.counts[cells]),
            factor=self.factor[cells],
            graph=csr_matrix(self.graph[cells][:, cells]),
            features=self.features[cells],
            coordinates=self.coordinates[cells],
            section=self.section[cells],
            visible=self.visible[cells],
        )

    def take(self, order: NDArray[np.int64], section: NDArray[np.int64]) -> "Cohort":
        """Give all cells in another order, (n,), and sections new numbers, (n,) in that order."""
        names = dict(zip(section.tolist(), (self.section_names[i] for i in self.section[order]), strict=True))
        return replace(
            self.part(order), section=section, section_names=[names[number] for number in sorted(names)]
        )

    def own_conditions(self) -> NDArray[np.int64]:
        """Give the sections the numbers of a model trained on this cohort: (sections,), from 1."""
        return 1 + np.arange(len(self.section_names))

    def patch(self, cells: NDArray[np.int64], n_hops: int) -> Patch:
        """Collect what the latents of ``cells`` depend on, ``n_hops`` away."""
        position = np.full(self.n_cells, -1, dtype=np.int64)
        position[cells] = np.arange(len(cells))
        order, hops, frontier = cells, [], cells
        reached: list[tuple[NDArray[np.int64], NDArray[np.int64], int]] = []
        targets, sources = np.empty(0, np.int64), np.empty(0, np.int64)
        for _ in range(n_hops):
            rows = self.graph[frontier]
            n_targets = len(order)
            target = np.repeat(position[frontier], np.diff(rows.indptr))
            targets, sources = np.append(targets, target), np.append(sources, rows.indices.astype(np.int64))
            frontier = np.unique(rows.indices[position[rows.indices] < 0]).astype(np.int64)
            position[frontier] = n_targets + np.arange(len(frontier))
            order = np.append(order, frontier)
            reached.append((targets, sources, n_targets))
        for targets, sources, n_targets in reversed(reached):
            hops.append((np.stack([position[sources], targets]), n_targets))
        return Patch(order, hops)

    def cut(
        self,
        size: int,
        *,
        block_fraction: float,
        rng: np.random.Generator,
        among: NDArray[np.bool_] | None = None,
    ) -> Tiles:
        """Cut every section into tiles of at most ``size`` neighbouring cells, anew at each call.

        In a share ``block_fraction`` of the tiles the cells to mask first lie around one of them, a
        contiguous block; in the others they are spread at random. Tiles hold the cells ``among`` (n,), by
        default all but the empty ones.
        """
        among = ~self.empty if among is None else among
        rank = self.empty.astype(np.float32)  # never masked: there is nothing to hide
        tiles = []
        for section in range(len(self.section_names)):
            cells = np.flatnonzero((self.section == section) & among)
            for tile in _cut(cells, self.coordinates, size, rng):
                tiles.append(tile)
                order = rng.permutation(len(tile))
                if rng.random() < block_fraction:
                    distance = np.linalg.norm(
                        self.coordinates[tile] - self.coordinates[tile[order[0]]], axis=1
                    )
                    order = np.argsort(distance, kind="stable")
                rank[tile[order]] = np.arange(len(tile)) / len(tile)
        return Tiles(tiles, rank)


def prepare(
    adata: AnnData,
    genes: Sequence[str],
    config: ModelConfig,
    *,
    scale: Scale | None = None,
    categories: Mapping[str, Sequence[str]] | None = None,
    hidden: NDArray[np.bool_] | None = None,
) -> Cohort:
    """Turn sections into a `Cohort` over the model's genes.

    Parameters
    ----------
    adata
        One or several sections with raw counts. Its graph is used if it has one of as many neighbours as
        the model's, else built.
    genes
        The model's genes; those that ``adata`` lacks count 0.
    config
        The model's choices.
    scale
        What to bring the counts to; by default that of the visible cells themselves.
    categories
        The labels that the model knows of each covariate; by default those found here.
    hidden
        Cells (n,) whose counts and labels must not be used.

    Raises
    ------
    InputError
        If a covariate is missing or not categorical.
    """
    made = adata.uns.get("spatial_neighbors", {}).get("params", {}).get("n_neighbors", config.n_neighbors)
    if keys.CONNECTIVITIES not in adata.obsp or made != config.n_neighbors:
        pp.spatial_neighbors(adata, n_neighbors=config.n_neighbors)
    visible = np.ones(adata.n_obs, dtype=bool) if hidden is None else ~hidden
    counts = _counts(adata, genes, visible)
    section = pp.section_codes(adata)
    names = section_names(adata)
    there = ~visible | (np.diff(counts.indptr) > 0)
    factor = _factor(counts, scale or measure_scale(counts), np.isin(genes, adata.var_names))
    let_go(counts.data, counts.indices)
    return Cohort(
        counts=counts,
        factor=factor,
        graph=csr_matrix(adata.obsp[keys.CONNECTIVITIES], dtype=np.float32),
        features=_features(
            adata, section, visible, there, config, categories or find_categories(adata, config)
        ),
        coordinates=np.asarray(adata.obsm[keys.SPATIAL], dtype=np.float64),
        section=section,
        section_names=names,
        visible=visible,
    )


def section_names(adata: AnnData) -> list[str]:
    """Name the sections in order of appearance, as `squint.pp.section_codes` numbers them."""
    if keys.SECTION not in adata.obs:
        return ["section"]
    return [str(name) for name in adata.obs[keys.SECTION].astype(str).unique()]


def measure_scale(counts: csr_matrix) -> Scale:
    """Measure depth and shares of genes over the cells that have any count."""
    depth = np.asarray(counts.sum(axis=1)).ravel()
    total = np.asarray(counts.sum(axis=0), dtype=np.float64).ravel()
    median = float(np.median(depth[depth > 0])) if (depth > 0).any() else 1.0
    # One count a gene keeps the share of an unseen gene above zero, where its logarithm exists.
    return Scale(median, (total + 1) / (total + 1).sum())


def find_categories(adata: AnnData, config: ModelConfig) -> dict[str, list[str]]:
    """List the labels of each categorical covariate that the model is conditioned on."""
    found = {}
    for name in config.covariates:
        if name == POSITION:
            continue
        if name not in adata.obs or adata.obs[name].dtype.kind in "fiu":
            raise InputError(f"Covariate {name!r}: `obs` has no categorical column of that name.")
        found[name] = sorted(adata.obs[name].astype(str).unique())
    return found


def batches(tiles: Tiles, size: int, rng: np.random.Generator) -> Iterator[list[NDArray[np.int64]]]:
    """Draw all tiles in random order, as many at a time as hold about ``size`` cells.

    All batches hold equally many, give or take one: what is too much of a tile begins the next.
    """
    n_cells = sum(map(len, tiles.cells))
    n_batches = max(round(n_cells / size), 1)
    left = [(n_cells + i) // n_batches for i in range(n_batches)]
    batch: list[NDArray[np.int64]] = []
    for i in rng.permutation(len(tiles.cells)):
        tile = tiles.cells[i]
        while left and len(tile) >= left[-1]:
            yield [*batch, tile[: left[-1]]]
            batch, tile = [], tile[left.pop() :]
        if len(tile):
            batch.append(tile)
            left[-1] -= len(tile)


def _cut(
    cells: NDArray[np.int64], coordinates: NDArray[np.float64], size: int, rng: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Halve cells along random directions until no part holds more than ``size`` of them."""
    if len(cells) <= size:
        if len(cells):
            yield cells
        return
    direction = rng.normal(size=coordinates.shape[1])
    half = int(len(cells) * rng.uniform(0.4, 0.6))
    order = np.argpartition(coordinates[cells] @ direction, half)
    yield from _cut(cells[order[:half]], coordinates, size, rng)
    yield from _cut(cells[order[half:]], coordinates, size, rng)


def _counts(adata: AnnData, genes: Sequence[str], visible: NDArray[np.bool_]) -> csr_matrix:
    """Take the model's genes, in its order, and empty the rows of hidden cells."""
    given = adata.X
    if (
        isinstance(given, csr_matrix)
        and given.dtype == np.float32
        and list(adata.var_names) == list(genes)
        and visible.all()
        and given.has_canonical_format
        and given.data.all()
    ):
        return given  # as it is: the largest thing there is need not be there twice
    column = adata.var_names.get_indexer(pd.Index(genes))
    shared = column >= 0
    # A product with a selection matrix picks, orders and pads columns without a dense copy.
    select = csr_matrix(
        (np.ones(shared.sum(), np.float32), (column[shared], np.flatnonzero(shared))),
        shape=(adata.n_vars, len(genes)),
    )

    def take(rows: csr_matrix, at: slice) -> csr_matrix:
        keep = csr_matrix((visible[at].astype(np.float32), (np.arange(rows.shape[0]),) * 2))
        taken = csr_matrix(keep @ csr_matrix(rows, dtype=np.float32) @ select)
        taken.eliminate_zeros()
        taken.sort_indices()
        return taken

    return change_rows(given if isinstance(given, csr_matrix) else csr_matrix(given), take)


def _factor(counts: csr_matrix, scale: Scale, measured: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Say what brings each cell to the model's depth over the genes measured here (n,)."""
    depth = np.asarray(counts.sum(axis=1)).ravel()
    factor: NDArray[np.float64] = scale.depth * scale.shares[measured].sum() / np.maximum(depth, 1)
    return factor


def _features(
    adata: AnnData,
    section: NDArray[np.int64],
    visible: NDArray[np.bool_],
    there: NDArray[np.bool_],
    config: ModelConfig,
    categories: Mapping[str, Sequence[str]],
) -> NDArray[np.float32]:
    """Put together what the model is conditioned on beside the section: (n, c).

    Only cells that are ``there`` (n,), not empty, say how large and how crowded a section is.
    """
    parts = [_distance_features(adata, section, there, config)]
    for name in config.covariates:
        if name == POSITION:
            parts.append(_position_features(adata, section, there))
        elif name not in adata.obs:
            raise InputError(f"The model is conditioned on {name!r}, which `obs` lacks.")
        else:
            labels = adata.obs[name].astype(str).to_numpy()
            # A hidden cell's label would tell what it expresses.
            parts.append((labels[:, None] == np.asarray(categories[name])) & visible[:, None])
    return np.concatenate(parts, axis=1, dtype=np.float32, casting="unsafe")


def _distance_features(
    adata: AnnData, section: NDArray[np.int64], there: NDArray[np.bool_], config: ModelConfig
) -> NDArray[np.float32]:
    """Radial basis functions of the distances to a cell's neighbours, mean over neighbours (section 4.2).

    Distances are measured in the section's own spacing, the median distance between neighbours, so that the
    features say how crowded a cell is whatever the unit and the tissue.
    """
    graph = csr_matrix(adata.obsp[keys.DISTANCES])
    of_row = section.astype(np.int32).repeat(np.diff(graph.indptr))
    if not there.all():
        of_row[~(there.repeat(np.diff(graph.indptr)) & there[graph.indices])] = -1
    centres = np.linspace(0, RBF_REACH, config.n_distance_features)
    width = RBF_REACH / max(config.n_distance_features - 1, 1)
    spacing = np.ones(section.max(initial=0) + 1)
    for code in range(len(spacing)):
        lengths = graph.data[of_row == code]
        spacing[code] = np.median(lengths) if len(lengths) and np.median(lengths) > 0 else 1.0
    features = np.empty((adata.n_obs, config.n_distance_features), dtype=np.float32)
    for start in range(0, adata.n_obs, BLOCK):
        rows = slice(start, min(start + BLOCK, adata.n_obs))
        ends = graph.indptr[rows.start : rows.stop + 1]
        degree = np.diff(ends)
        cell = np.repeat(np.arange(len(degree)), degree)
        relative = graph.data[ends[0] : ends[-1]] / spacing[section[rows]][cell]
        for i, centre in enumerate(centres):
            basis = np.exp(-(((relative - centre) / width) ** 2))
            features[rows, i] = np.bincount(cell, basis, len(degree)) / np.maximum(degree, 1)
    return features


def _position_features(
    adata: AnnData, section: NDArray[np.int64], there: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Fourier features of x and y within the bounding box of a section's cells: (n, 4 * octaves)."""
    position = np.array(adata.obsm[keys.SPATIAL], dtype=np.float64)[:, :2]
    for code in range(section.max(initial=-1) + 1):
        cells = section == code
        inside = cells & there if (cells & there).any() else cells
        position[cells] -= position[inside].min(axis=0)
        position[cells] /= max(position[inside].max(), 1e-12)
    angle = np.pi * position[:, :, None] * 2.0 ** np.arange(POSITION_OCTAVES)
    angle = angle.reshape(len(position), -1)
    return np.concatenate([np.sin(angle), np.cos(angle)], axis=1).astype(np.float32)
