"""Tissue in which macrophages answer to one state of T cells alone, to judge perturbations by."""

import numpy as np
from anndata import AnnData

from squint.datasets import _counts
from squint.datasets._anatomy import REGIONS
from squint.datasets._cells import HARD_CORE, RESTING, Cells, draw_types, induce
from squint.datasets._genes import CYTOTOXIC, INDUCED, SHAM, TYPES
from squint.datasets._points import scatter
from squint.datasets._section import assemble
from squint.datasets._tissue import Place

RESPONSE_GENES = tuple(INDUCED.split())  # what macrophages switch on beside cytotoxic T cells
FOLLICLE = "tertiary lymphoid structure"  # the region whose T cells are native
AGGREGATE, AROUND = "stroma", "tumour"  # regions of T cells of either state, and of few
MIXTURES = {
    FOLLICLE: {"CD8 T cell": 38, "macrophage": 32, "fibroblast": 18, "endothelium": 12},
    AGGREGATE: {"CD8 T cell": 38, "macrophage": 32, "fibroblast": 18, "endothelium": 12},
    AROUND: {"tumour": 80, "fibroblast": 10, "endothelium": 8, "macrophage": 2},
}
ROOM = 250.0  # um² per cell
ROWS = 4  # of aggregates, and as many columns; the four in the middle are native
RADIUS = 0.42  # of an aggregate, as a share of the distance between two
MEDIAN_DEPTH = 300.0


def response(seed: int = 0, n_cells: int = 3000) -> AnnData:
    """Simulate T cells of three states in aggregates alike, and macrophages that answer to one of them.

    Of sixteen aggregates the four in the middle hold native T cells, six hold cytotoxic ones, and six hold
    the sham state, which has marks of its own. Beside cytotoxic T cells macrophages switch on the genes
    ``RESPONSE_GENES``; beside the others they do nothing. What kinds of cells there are, and how many, is the
    same in all aggregates, so that the state alone tells them apart.

    Parameters
    ----------
    seed
        Seed of chance; the same seed gives the same arrays.
    n_cells
        Cells, at most.

    Returns
    -------
    One simulated section with the fields of :func:`kidney`: ``obs["region"]`` is
    ``"tertiary lymphoid structure"`` in the aggregates of native T cells, ``obs["state"]`` says which T cells
    are ``"cytotoxic"`` and which ``"sham"``, and ``obs["induction"]`` what a macrophage receives.
    """
    rng = np.random.default_rng(seed)
    side = np.sqrt(ROOM * n_cells)
    low, high = np.zeros(3), np.array([side, side, 0])
    positions = scatter(lambda candidates: np.ones(len(candidates)), low, high, HARD_CORE, rng)[:n_cells]
    apart = side / ROWS
    grid = (np.stack(np.meshgrid(np.arange(ROWS), np.arange(ROWS)), axis=-1).reshape(-1, 2) + 0.5) * apart
    offset = np.linalg.norm(positions[:, None, :2] - grid, axis=2)  # (n, aggregates)
    nearest = offset.argmin(axis=1)
    inside = offset.min(axis=1) < RADIUS * apart
    in_middle = (np.abs(grid - side / 2) < apart).all(axis=1)
    state_of = np.full(len(grid), RESTING, dtype=object)
    state_of[~in_middle] = rng.permutation(np.repeat([CYTOTOXIC, SHAM], (~in_middle).sum() // 2))
    names = np.where(in_middle, FOLLICLE, AGGREGATE)
    region = np.array([REGIONS.index(name) for name in np.where(inside, names[nearest], AROUND)])
    weights = np.array([[MIXTURES.get(name, {}).get(kind, 0.0) for kind in TYPES] for name in REGIONS])
    types = draw_types(weights[region], rng)
    is_t = inside & (types == TYPES.index("CD8 T cell"))
    states = np.where(is_t, state_of[nearest], RESTING).astype(str)
    n_there = len(positions)
    place = Place(
        compartment=np.zeros(n_there, dtype=np.intp),
        region=region,
        to_tumour=np.zeros(n_there),
        hypoxia=np.zeros(n_there),
        course=np.full(n_there, 0.5),
        crowding=np.ones(n_there),
    )
    cells = Cells(positions, place, types, states, induce(positions, types, states))
    effects = _counts.gene_effects(_counts.PATIENT_SD, rng) * _counts.gene_effects(_counts.SECTION_SD, rng)
    return assemble(
        cells,
        f"response-{seed}",
        "SIM-R",
        effects=effects,
        median_depth=MEDIAN_DEPTH,
        rng=rng,
        aggressive=False,
    )
