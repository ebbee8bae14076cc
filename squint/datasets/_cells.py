"""Cells: how densely each compartment is packed, which types it holds, and which states they are in."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from squint.datasets._anatomy import COMPARTMENTS, REGIONS, Window
from squint.datasets._genes import CYTOTOXIC, EXHAUSTED, SHAM, TYPES
from squint.datasets._points import Floats, scatter
from squint.datasets._tissue import Block, Place

HARD_CORE = 6.5  # um, least distance between two nuclei
REACH = 27.0  # um over which a cytotoxic T cell is felt
RESTING = "resting"

# Compartment: candidates per HARD_CORE² (at most 1), and the mixture of types by weight.
COMPOSITION: dict[str, tuple[float, Mapping[str, float]]] = {
    "lumen": (0.0, {"macrophage": 1}),
    "interstitium": (
        0.36,
        {"endothelium": 54, "fibroblast": 26, "smooth muscle": 6, "macrophage": 8, "CD8 T cell": 3}
        | {"CD4 T cell": 3, "mast cell": 1, "NK cell": 1},
    ),
    "stroma": (
        0.30,
        {"fibroblast": 48, "endothelium": 14, "macrophage": 14, "CD4 T cell": 7, "CD8 T cell": 7}
        | {"plasma cell": 6, "mast cell": 3, "B cell": 2},
    ),
    "proximal wall": (0.58, {"proximal tubule": 1}),
    "distal wall": (0.60, {"distal tubule": 1}),
    "loop wall": (0.58, {"loop of Henle": 1}),
    "duct wall": (0.62, {"principal cell": 62, "intercalated cell": 38}),
    "tuft centre": (0.50, {"mesangial": 42, "glomerular endothelium": 46, "podocyte": 11, "macrophage": 2}),
    "tuft rim": (0.50, {"podocyte": 52, "glomerular endothelium": 36, "mesangial": 12}),
    "parietal layer": (0.42, {"parietal epithelium": 1}),
    "vessel lining": (0.7, {"endothelium": 1}),
    "vessel wall": (0.34, {"smooth muscle": 97, "fibroblast": 3}),
    "adventitia": (
        0.30,
        {"fibroblast": 75, "macrophage": 8, "mast cell": 3, "CD4 T cell": 5, "endothelium": 9},
    ),
    "capsule": (
        0.34,
        {"fibroblast": 82, "endothelium": 6, "macrophage": 6, "CD4 T cell": 3, "CD8 T cell": 3},
    ),
    "follicle": (1.0, {"B cell": 82, "CD4 T cell": 13, "macrophage": 5}),
    "T zone": (
        0.8,
        {
            "CD4 T cell": 44,
            "CD8 T cell": 20,
            "B cell": 18,
            "plasma cell": 9,
            "macrophage": 6,
            "endothelium": 3,
        },
    ),
    "nest": (0.27, {"tumour": 97, "CD8 T cell": 2, "macrophage": 1}),
    "septum": (
        0.34,
        {"endothelium": 50, "fibroblast": 10, "smooth muscle": 7, "macrophage": 14, "CD8 T cell": 11}
        | {"CD4 T cell": 4, "NK cell": 3, "mast cell": 1},
    ),
    "margin nest": (0.30, {"tumour": 88, "CD8 T cell": 6, "macrophage": 6}),
    "margin septum": (
        0.40,
        {"fibroblast": 32, "macrophage": 24, "CD8 T cell": 19, "CD4 T cell": 8, "endothelium": 9}
        | {"NK cell": 3, "plasma cell": 2, "neutrophil": 3},
    ),
    "core nest": (0.25, {"tumour": 94, "macrophage": 5, "neutrophil": 1}),
    "core septum": (
        0.30,
        {"macrophage": 36, "endothelium": 20, "fibroblast": 26, "neutrophil": 10, "CD8 T cell": 5}
        | {"CD4 T cell": 1, "smooth muscle": 2},
    ),
    "necrosis": (0.08, {"neutrophil": 40, "macrophage": 40, "tumour": 20}),
}
# Chances that a CD8 T cell is cytotoxic or exhausted, by region; the sham state is as common everywhere.
STATE_CHANCES = {"invasive margin": (0.42, 0.25), "tumour": (0.30, 0.30), "tumour core": (0.05, 0.65)}
ELSEWHERE = (0.15, 0.05)
SHAM_CHANCE = 0.25

_DENSITY = np.array([COMPOSITION[name][0] for name in COMPARTMENTS])
_MIXTURE = np.array([[COMPOSITION[name][1].get(kind, 0.0) for kind in TYPES] for name in COMPARTMENTS])
_CHANCES = np.array([STATE_CHANCES.get(name, ELSEWHERE) for name in REGIONS])


class Cells(NamedTuple):
    """The n cells of a section."""

    positions: Floats  # (n, 3), um, in the block
    place: Place
    types: NDArray[np.intp]  # (n,), index into TYPES
    states: NDArray[np.str_]  # (n,)
    induction: Floats  # (n,), 0 to 1: dose that a macrophage receives from cytotoxic T cells


def cut(block: Block, window: Window, rng: np.random.Generator) -> Cells:
    """Cut a window out of a block and put cells into it.

    Parameters
    ----------
    block
        Tissue to cut.
    window
        Where to cut.
    rng
        Source of chance.
    """

    def density(positions: Floats) -> Floats:
        place = block.at(positions)
        return np.asarray(_DENSITY[place.compartment] * place.crowding)

    positions = scatter(density, window.low, window.high, HARD_CORE, rng)
    place = block.at(positions)
    types = draw_types(_MIXTURE[place.compartment], rng)
    states = draw_states(types, _CHANCES[place.region], rng)
    return Cells(positions, place, types, states, induce(positions, types, states))


def draw_types(weights: Floats, rng: np.random.Generator) -> NDArray[np.intp]:
    """Draw a type (n,) for each row of weights (n, types)."""
    cumulative = weights.cumsum(axis=1)
    return np.asarray((rng.random((len(weights), 1)) * cumulative[:, -1:] >= cumulative).sum(axis=1))


def draw_states(types: NDArray[np.intp], chances: Floats, rng: np.random.Generator) -> NDArray[np.str_]:
    """Draw the state (n,) of each cell, given chances (n, 2) of cytotoxic and exhausted for CD8 T cells."""
    is_cd8 = types == TYPES.index("CD8 T cell")
    chance = rng.random(len(types))
    cytotoxic, exhausted = chances.cumsum(axis=1).T
    masks = [chance < cytotoxic, chance < exhausted, chance < exhausted + SHAM_CHANCE]
    return np.where(is_cd8, np.select(masks, [CYTOTOXIC, EXHAUSTED, SHAM], RESTING), RESTING)


def induce(positions: Floats, types: NDArray[np.intp], states: NDArray[np.str_]) -> Floats:
    """Give the dose (n,) that macrophages receive from the cytotoxic T cells within ``REACH``."""
    dose = np.zeros(len(positions))
    cytotoxic = positions[states == CYTOTOXIC]
    macrophages = types == TYPES.index("macrophage")
    if len(cytotoxic) and macrophages.any():
        n_near = cKDTree(cytotoxic).query_ball_point(positions[macrophages], REACH, return_length=True)
        dose[macrophages] = 1 - np.exp(-0.7 * n_near)
    return dose
