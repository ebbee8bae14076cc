"""Counts: what a cell of a type, at a place and in a state, is measured to express."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from squint.datasets import _genes
from squint.datasets._genes import GENES, TYPES
from squint.datasets._points import Floats

BIOLOGY = 20  # seed of the type profiles: every simulated patient shares one biology
AMBIENT = 0.08  # share of a cell's counts that comes from the section at large
PATIENT_SD, SECTION_SD = 0.25, 0.13  # of log effects on genes
DEPTH_SD = 0.4  # of log depth between cells

# Programme: dose that drives it, types that follow it (None: all), genes, strength at full dose.
PROGRAMMES: tuple[tuple[str, str | None, str, float], ...] = (
    ("hypoxia", None, _genes.HYPOXIA["all"], 1.5),
    ("hypoxia", "tumour", _genes.HYPOXIA["all"], 2.0),
    ("hypoxia", "tumour", _genes.HYPOXIA["tumour"], 4.5),
    ("hypoxia", "tumour", _genes.CORE, 10.0),
    ("hypoxia", "macrophage", _genes.HYPOXIA["macrophage"], 6.0),
    ("hypoxia", "endothelium", _genes.HYPOXIA["endothelium"], 6.0),
    ("hypoxia", "fibroblast", _genes.HYPOXIA["fibroblast"], 6.0),
    ("invasion", "tumour", _genes.INVASION, 5.0),
    ("reaction", "fibroblast", _genes.ACTIVATED_STROMA, 5.0),
    ("course", "proximal tubule", _genes.LATE_PROXIMAL, 7.0),
    ("injury", "proximal tubule", _genes.INJURY, 6.0),
    ("injury", "distal tubule", _genes.INJURY, 6.0),
    ("cycle", None, _genes.CYCLE, 7.0),
    ("induction", "macrophage", _genes.INDUCED, 9.0),
    (_genes.CYTOTOXIC, "CD8 T cell", _genes.STATES[_genes.CYTOTOXIC], 7.0),
    (_genes.EXHAUSTED, "CD8 T cell", _genes.STATES[_genes.EXHAUSTED], 7.0),
    (_genes.SHAM, "CD8 T cell", _genes.STATES[_genes.SHAM], 7.0),
)
SMALL = {
    "CD8 T cell",
    "CD4 T cell",
    "B cell",
    "NK cell",
    "endothelium",
    "glomerular endothelium",
    "neutrophil",
}
LARGE = {"tumour", "proximal tubule", "podocyte", "plasma cell"}


class Biology(NamedTuple):
    """What all simulated patients share."""

    profiles: Floats  # (types, genes), mean expression in arbitrary units
    response: Floats  # (genes,), how strongly a gene follows a programme it belongs to
    dispersion: Floats  # (genes,), size parameter of the negative binomial
    size: Floats  # (types,), relative RNA content


def biology() -> Biology:
    """Draw the type profiles; the same on every call."""
    rng = np.random.default_rng(BIOLOGY)
    background = rng.lognormal(np.log(0.2), 0.6, len(GENES))
    background[_columns(_genes.HOUSEKEEPING)] = rng.lognormal(
        np.log(4), 0.5, len(_genes.HOUSEKEEPING.split())
    )
    background[_columns(_genes.BYSTANDERS)] *= 0.3
    background[_columns(_genes.PSEUDOHYPOXIC)] = 0.1  # off in normal kidney
    profiles = background * rng.lognormal(0, 0.3, (len(TYPES), len(GENES)))
    for row, symbols in enumerate(_genes.MARKERS.values()):
        columns = _columns(symbols)
        profiles[row, columns] += rng.lognormal(np.log(4.5), 0.7, len(columns))
    profiles[TYPES.index("tumour"), _columns(_genes.PSEUDOHYPOXIC)] = 2.0
    size = np.array([0.6 if name in SMALL else 1.35 if name in LARGE else 1.0 for name in TYPES])
    response = np.maximum(rng.lognormal(0, 0.35, len(GENES)), 0.8)
    return Biology(profiles, response, rng.lognormal(np.log(4), 0.6, len(GENES)), size)


def gene_effects(sd: float, rng: np.random.Generator) -> Floats:
    """Draw multiplicative effects (genes,) of a patient or a section."""
    return rng.lognormal(0, sd, len(GENES))


def sample(
    types: NDArray[np.intp],
    doses: dict[str, Floats],
    effects: Floats,
    median_depth: float,
    rng: np.random.Generator,
) -> sparse.csr_matrix:
    """Draw negative binomial counts.

    Parameters
    ----------
    types
        Type (n,) of each cell, an index into ``TYPES``.
    doses
        Dose (n,) of each programme, 0 to 1; a programme without a dose is off.
    effects
        Multiplicative effects (genes,) of the patient and the section.
    median_depth
        Counts of a middling cell.
    rng
        Source of chance.

    Returns
    -------
    Counts (n, genes), float32.
    """
    shared = biology()
    rates = shared.profiles[types]  # (n, genes)
    for dose, kind, symbols, strength in PROGRAMMES:
        if dose not in doses:
            continue
        columns = _columns(symbols)
        felt = doses[dose] if kind is None else doses[dose] * (types == TYPES.index(kind))
        rates[:, columns] += strength * felt[:, None] * shared.response[columns]
    rates *= effects
    shares = rates / rates.sum(axis=1, keepdims=True)
    shares = (1 - AMBIENT) * shares + AMBIENT * shares.mean(axis=0)
    depth = median_depth * shared.size[types] * rng.lognormal(0, DEPTH_SD, len(types))
    means = depth[:, None] * shares
    counts = rng.poisson(rng.gamma(shared.dispersion, means / shared.dispersion))
    return sparse.csr_matrix(counts.astype(np.float32))


def _columns(symbols: str) -> list[int]:
    return [GENES.index(symbol) for symbol in symbols.split()]
