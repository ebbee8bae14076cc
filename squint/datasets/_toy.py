"""A toy: two small sections with planted regions, quick enough to make in every test."""

import anndata
import numpy as np
from anndata import AnnData

from squint.datasets import _counts
from squint.datasets._anatomy import REGIONS, RIM
from squint.datasets._cells import HARD_CORE, RESTING, Cells, draw_types, induce
from squint.datasets._genes import CYTOTOXIC, SHAM, TYPES
from squint.datasets._points import Floats, SmoothNoise, scatter
from squint.datasets._section import assemble
from squint.datasets._tissue import Place

GENES = (
    "CA9 LDHA MMP14 PFKFB3 VEGFA SLC2A1 NDRG1 NDUFA4L2 VIM KRT18 LRP2 CUBN SLC34A1 ALDOB GATM SLC22A6 "
    "COL1A1 COL1A2 COL3A1 DCN LUM PECAM1 VWF CDH5 KDR CD68 CD163 C1QA C1QB LYZ SPP1 CXCL9 CXCL10 IDO1 "
    "CD3D CD8A TRAC GZMB IFNG KLRB1"
)
MIXTURES = {
    "proximal cortex": {"proximal tubule": 75, "endothelium": 15, "fibroblast": 7, "macrophage": 3},
    "stroma": {"fibroblast": 55, "macrophage": 20, "CD8 T cell": 15, "endothelium": 10},
    "tumour": {"tumour": 75, "endothelium": 12, "macrophage": 7, "CD8 T cell": 6},
    "tumour core": {"tumour": 75, "macrophage": 17, "endothelium": 4, "fibroblast": 4},
}
ROOM = 250.0  # um² per cell


def toy(seed: int = 0, n_cells: int = 600, n_sections: int = 2) -> AnnData:
    """Simulate a few hundred cells with planted regions, for tests and examples.

    Parameters
    ----------
    seed
        Seed of chance; the same seed gives the same arrays.
    n_cells
        Cells in all.
    n_sections
        Sections, in turn of a high-risk patient (tumour with a hypoxic core) and of a low-risk one (tumour
        without).

    Returns
    -------
    All sections, with 40 genes and the fields of :func:`kidney`.
    """
    rng = np.random.default_rng(seed)
    effects = {name: _counts.gene_effects(_counts.PATIENT_SD, rng) for name in ("TOY-H", "TOY-L")}
    sections = []
    for number, part in enumerate(np.array_split(np.arange(n_cells), n_sections)):
        patient = ("TOY-H", "TOY-L")[number % 2]
        aggressive = patient == "TOY-H"
        sections.append(
            assemble(
                _cells(len(part), rng, aggressive=aggressive),
                section=f"{patient}-{number // 2 + 1}",
                patient=patient,
                effects=effects[patient] * _counts.gene_effects(_counts.SECTION_SD, rng),
                median_depth=300,
                rng=rng,
                aggressive=aggressive,
            )
        )
    return anndata.concat(sections, uns_merge="same")[:, GENES.split()].copy()


def _cells(n_cells: int, rng: np.random.Generator, *, aggressive: bool) -> Cells:
    side = np.sqrt(ROOM * n_cells)
    low, high = np.zeros(3), np.array([side, side, 0])
    positions = scatter(lambda candidates: np.ones(len(candidates)), low, high, HARD_CORE, rng)[:n_cells]
    place = _place(positions, side, SmoothNoise(side / 5, rng), aggressive=aggressive)
    weights = np.array([[MIXTURES.get(name, {}).get(kind, 0.0) for kind in TYPES] for name in REGIONS])
    types = draw_types(weights[place.region], rng)
    drawn = rng.choice([CYTOTOXIC, SHAM, RESTING], n_cells)
    states = np.where(types == TYPES.index("CD8 T cell"), drawn, RESTING)
    return Cells(positions, place, types, states, induce(positions, types, states))


def _place(positions: Floats, side: float, noise: SmoothNoise, *, aggressive: bool) -> Place:
    from_corner = np.linalg.norm(positions, axis=1) + 0.02 * side * noise(positions)
    to_tumour = from_corner - 0.7 * side
    into_core = np.where(aggressive, -0.15 * side - to_tumour, -np.inf)
    masks = [into_core > 0, to_tumour < 0, to_tumour < 0.12 * side]
    names = ["tumour core", "tumour", "stroma"]
    region = np.select(masks, [REGIONS.index(name) for name in names], REGIONS.index("proximal cortex"))
    return Place(
        compartment=np.zeros(len(positions), dtype=np.intp),
        region=region,
        to_tumour=to_tumour,
        hypoxia=np.clip(into_core / RIM, 0, 1),
        course=np.full(len(positions), 0.5),
        crowding=np.ones(len(positions)),
    )
