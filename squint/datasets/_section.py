"""A simulated section: cells and counts in the slots of an AnnData, with the planted truth beside them."""

from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData

from squint import keys
from squint.datasets import _counts
from squint.datasets._anatomy import REGIONS
from squint.datasets._cells import RESTING, Cells
from squint.datasets._genes import CYTOTOXIC, EXHAUSTED, GENES, SHAM, TYPES
from squint.datasets._points import Floats

# Planted truth, in obs.
REGION = "region"  # categorical: the structure that the cell lies in
TUMOUR_CORE = "tumour_core"  # bool: in the hypoxic core, which only the high-risk patient has
HYPOXIA = "hypoxia"  # float32, 0 to 1: rises from the core's rim inwards
TRUE_TYPE = "true_type"  # categorical: one of 21 types
STATE = "state"  # categorical: cytotoxic, exhausted, sham (CD8 T cells) or resting
INDUCTION = "induction"  # float32, 0 to 1: what a macrophage receives from cytotoxic T cells nearby
TO_TUMOUR = "to_tumour_um"  # float32: distance to the tumour's edge, negative inside
RISK = "risk"  # categorical: high or low, of the patient


def assemble(
    cells: Cells,
    section: str,
    patient: str,
    effects: Floats,
    median_depth: float,
    rng: np.random.Generator,
    *,
    aggressive: bool,
) -> AnnData:
    """Measure cells: draw their counts and put everything into an AnnData.

    Parameters
    ----------
    cells
        Cells of one section, at positions from the section's corner.
    section, patient
        Their names.
    effects
        Multiplicative effects (genes,) of the patient and the section.
    median_depth
        Counts of a middling cell.
    rng
        Source of chance.
    aggressive
        Whether the tumour invades and divides fast.

    Returns
    -------
    The section, with the fields that :func:`squint.datasets.kidney` lists.
    """
    doses = _doses(cells, rng, aggressive=aggressive)
    obsm: dict[str, Any] = {keys.SPATIAL: cells.positions[:, :2]}
    provenance: dict[str, Any] = {
        "unit": "um",
        "values": "counts",
        "simulated": True,
        "notes": ["Simulated tissue, made by squint.datasets; not a measurement."],
    }
    return AnnData(
        _counts.sample(cells.types, doses, effects, median_depth, rng),
        obs=_obs(cells, section, patient, "high" if aggressive else "low"),
        var=pd.DataFrame(index=pd.Index(GENES)),
        obsm=obsm,
        uns={keys.PROVENANCE: provenance},
    )


def _doses(cells: Cells, rng: np.random.Generator, *, aggressive: bool) -> dict[str, Floats]:
    place = cells.place
    near_edge = 1 - np.clip(np.abs(place.to_tumour) / 75, 0, 1)
    is_tumour = cells.types == TYPES.index("tumour")
    dividing = rng.random(len(cells.types)) < np.where(is_tumour, 0.08 if aggressive else 0.02, 0.005)
    doses = {
        "hypoxia": place.hypoxia,
        "invasion": near_edge * aggressive,
        "reaction": np.exp(-np.abs(place.to_tumour) / 60),
        "course": place.course,
        "injury": (place.region == REGIONS.index("stroma")).astype(float),
        "cycle": dividing.astype(float),
        "induction": cells.induction,
    }
    return doses | {state: (cells.states == state).astype(float) for state in (CYTOTOXIC, EXHAUSTED, SHAM)}


def _obs(cells: Cells, section: str, patient: str, risk: str) -> pd.DataFrame:
    n_cells = len(cells.types)
    place = cells.place
    types = pd.Categorical.from_codes(cells.types, categories=pd.Index(TYPES))
    return pd.DataFrame(
        {
            keys.SECTION: pd.Categorical([section] * n_cells),
            keys.PATIENT: pd.Categorical([patient] * n_cells),
            keys.CELL_TYPE: types,
            keys.Z: cells.positions[:, 2],
            REGION: pd.Categorical.from_codes(place.region, categories=pd.Index(REGIONS)),
            TUMOUR_CORE: place.region == REGIONS.index("tumour core"),
            HYPOXIA: place.hypoxia.astype(np.float32),
            TRUE_TYPE: types,
            STATE: pd.Categorical(cells.states, categories=[RESTING, CYTOTOXIC, EXHAUSTED, SHAM]),
            INDUCTION: cells.induction.astype(np.float32),
            TO_TUMOUR: place.to_tumour.astype(np.float32),
            RISK: pd.Categorical([risk] * n_cells, categories=["high", "low"]),
        },
        index=pd.Index([f"{section}-{number:05d}" for number in range(n_cells)]),
    )
