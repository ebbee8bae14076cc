"""The floor that in-painting has to beat: every baseline, on the hidden cells of one section.

All predict the same as a model does: the mean raw counts of a hidden cell's closed neighbourhood.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from anndata import AnnData
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from squint import keys, pp
from squint.baselines.coordinate_mlp import coordinate_mlp
from squint.baselines.nearest import (
    NOBODY,
    graph_mean,
    knn_profiles,
    knn_sums,
    nearest_observed,
    observed_means,
)
from squint.columns import labels
from squint.errors import InputError
from squint.stats.metrics import Judge, Scores

SIZES = (1, 4, 8, 16, 32, 64, 128, 256, 512)
DRAWN_FROM = (16, 64, 256)
N_WEIGHTED = 32
N_NEIGHBORS = 8  # of the graph whose closed neighbourhoods are predicted
N_SPLITS = 10
SECTION_MEAN, CELL_TYPE_MEAN, COORDINATE_MLP = "section_mean", "cell_type_mean", "coordinate_mlp"
TRUTH_HALVES = "truth_halves"

Floats = NDArray[np.float32]


class Hidden(NamedTuple):
    """The m hidden cells of one section, and what is observed around them."""

    name: str
    counts: csr_matrix  # (n, g), of all cells of the section, the truth
    graph: csr_matrix  # (n, n)
    coordinates: NDArray[np.float64]  # (n, 2 | 3)
    hidden: NDArray[np.bool_]  # (n,)
    nearest: NDArray[np.int64]  # (m, k) observed cells, nearest first
    means: csr_matrix  # (n, g), of observed neighbourhoods over observed cells only
    cell_type: NDArray[np.str_] | None  # (n,)

    @property
    def told(self) -> NDArray[np.bool_]:
        """Which of the hidden cells (m,) have counts: no prediction can be judged by the others."""
        return np.asarray(self.counts[self.hidden].sum(axis=1) > 0).ravel()

    def truth(self) -> Floats:
        """Average the true counts over closed neighbourhoods: (m, g)."""
        return self.fill(np.asarray(self.counts[self.hidden].todense()))

    def fill(self, profiles: NDArray[np.floating]) -> Floats:
        """Average closed neighbourhoods, with profiles (m, g) in place of the hidden cells."""
        return graph_mean(self.counts, self.graph, self.hidden, profiles)


def hidden_in(adata: AnnData, genes: list[str], hidden: NDArray[np.bool_]) -> Iterator[Hidden]:
    """Take each section that has hidden cells, on the graph of its 8 nearest neighbours.

    Parameters
    ----------
    adata
        Sections of raw counts, hidden cells included.
    genes
        The genes to predict.
    hidden
        Cells (n,) to predict.

    Yields
    ------
    A section's hidden cells, sections in order of appearance.

    Raises
    ------
    InputError
        If all cells of a section are hidden.
    """
    codes = pp.section_codes(adata)
    typed = keys.CELL_TYPE in adata.obs and adata.obs[keys.CELL_TYPE].notna().any()
    for code in np.unique(codes[hidden]):
        cells = np.flatnonzero(codes == code)
        part = adata[cells, genes]
        name = str(part.obs[keys.SECTION].iloc[0])
        within = hidden[cells]
        if within.all():
            raise InputError(f"All cells of section {name!r} are hidden: leave some to predict them from.")
        counts = csr_matrix(part.X, dtype=np.float64)
        coordinates = np.asarray(part.obsm[keys.SPATIAL], dtype=np.float64)
        graph = pp.knn_graph(coordinates, N_NEIGHBORS)
        yield Hidden(
            name=name,
            counts=counts,
            graph=graph,
            coordinates=coordinates,
            hidden=within,
            nearest=nearest_observed(coordinates, np.zeros(len(cells), dtype=np.int64), within),
            means=observed_means(counts, graph, within),
            cell_type=labels(adata[cells], keys.CELL_TYPE).to_numpy(dtype=str) if typed else None,
        )


def judge_of(section: Hidden) -> Judge:
    """Give the judge of a section's hidden cells, who looks at those with counts alone.

    Raises
    ------
    InputError
        If none has any.
    """
    if not section.told.any():
        raise InputError(
            f"No hidden cell of section {section.name!r} has a count: there is no truth to judge by."
        )
    return Judge(section.truth()[section.told])


def averages(section: Hidden) -> Iterator[tuple[str, Floats]]:
    """Predict without chance.

    Parameters
    ----------
    section
        The hidden cells.

    Yields
    ------
    The name of a baseline and its prediction (m, g): ``knnK_nbr``, mean neighbourhood of the K nearest
    observed cells; ``knnK_cell_then_graph``, their mean counts put in each hidden cell; ``idw32_nbr``, by
    inverse distance; ``section_mean``; and, where there are labels, ``cell_type_mean``, which uses the label
    of the hidden cell. A K beyond the number of observed cells is left out.
    """
    for k, profiles in knn_profiles(section.means, section.nearest, SIZES):
        yield f"knn{k}_nbr", profiles
    for k, profiles in knn_profiles(section.counts, section.nearest, SIZES):
        yield f"knn{k}_cell_then_graph", section.fill(profiles)
    yield f"idw{N_WEIGHTED}_nbr", _inverse_distance(section)
    observed = np.flatnonzero(~section.hidden)
    shape = (len(section.nearest), section.counts.shape[1])
    mean = np.asarray(section.means[observed].mean(axis=0), dtype=np.float32).ravel()
    yield SECTION_MEAN, np.broadcast_to(mean, shape)
    if section.cell_type is not None:
        yield CELL_TYPE_MEAN, _type_means(section, section.cell_type, mean)


def draws(section: Hidden, seed: int) -> Iterator[tuple[str, Floats]]:
    """Predict each hidden cell by the neighbourhood of one observed cell.

    Parameters
    ----------
    section
        The hidden cells.
    seed
        Of the chance.

    Yields
    ------
    The name of a baseline and its prediction (m, g): ``drawK_nbr``, one of the K nearest observed cells;
    ``random_observed_nbr``, any observed cell.
    """
    n_hidden = len(section.nearest)
    observed = np.flatnonzero(~section.hidden)
    for k in DRAWN_FROM:
        drawn = np.random.default_rng(seed).integers(0, min(k, len(observed)), n_hidden)
        yield f"draw{k}_nbr", _rows(section.means, section.nearest[np.arange(n_hidden), drawn])
    drawn = np.random.default_rng(seed).integers(0, len(observed), n_hidden)
    yield "random_observed_nbr", _rows(section.means, observed[drawn])


def of_position(section: Hidden, seed: int) -> tuple[str, Floats]:
    """Predict by a network of position alone, ``coordinate_mlp``: its name and prediction (m, g)."""
    seen, hidden = section.coordinates[~section.hidden], section.coordinates[section.hidden]
    return COORDINATE_MLP, coordinate_mlp(seen, section.means[~section.hidden], hidden, seed=seed)


def truth_halves(truth: Floats, seed: int = 0) -> list[Scores]:
    """Score one half of the truth (m, g) by the other, ten times: the floor of MMD and E for half as many."""
    n_cells = len(truth) // 2
    rng = np.random.default_rng(seed)
    splits = []
    for _ in range(N_SPLITS):
        order = rng.permutation(len(truth))
        splits.append(Judge(truth[order[:n_cells]]).score(truth[order[n_cells : 2 * n_cells]]))
    return splits


def _inverse_distance(section: Hidden) -> Floats:
    nearest = section.nearest[:, :N_WEIGHTED]
    there = nearest != NOBODY
    places = section.coordinates[section.hidden][:, None] - section.coordinates[nearest]  # (m, k, 2 | 3)
    weights = np.where(there, 1 / (np.linalg.norm(places, axis=2) + 1e-8), 0)
    weights /= weights.sum(axis=1, keepdims=True)
    return knn_sums(section.means, nearest, weights).astype(np.float32)


def _type_means(section: Hidden, cell_type: NDArray[np.str_], otherwise: Floats) -> Floats:
    """Average the neighbourhoods of observed cells of each hidden cell's type; without any, take the mean."""
    of_hidden = cell_type[section.hidden]
    predicted = np.empty((len(of_hidden), len(otherwise)), dtype=np.float32)
    for name in np.unique(of_hidden):
        alike = np.flatnonzero((cell_type == name) & ~section.hidden)
        mean = np.asarray(section.means[alike].mean(axis=0)).ravel() if len(alike) else otherwise
        predicted[of_hidden == name] = mean
    return predicted


def _rows(values: csr_matrix, cells: NDArray[np.int64]) -> Floats:
    return np.asarray(values[cells].todense(), dtype=np.float32)
