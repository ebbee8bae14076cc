"""The simulated cohort: two patients, five sections and one stack."""

from collections.abc import Iterator
from pathlib import Path

import anndata
import numpy as np
from anndata import AnnData

from squint import keys
from squint.datasets import _cells, _counts
from squint.datasets._anatomy import Patient, Window
from squint.datasets._section import assemble
from squint.datasets._tissue import Block

SIDE, STACK_SIDE = 1150.0, 560.0  # um
HIGH = Patient(
    "SIM-H",
    semi_axes=(640, 590, 700),
    tumour_z=250,
    aggressive=True,
    windows=(
        Window(-260, -300, 0, SIDE),
        Window(-890, -390, 250, SIDE),
        Window(-420, -880, 500, SIDE),
    ),
    stack=tuple(Window(240, -280, 60.0 * level, STACK_SIDE) for level in range(13)),
)
LOW = Patient(
    "SIM-L",
    semi_axes=(470, 440, 520),
    tumour_z=150,
    aggressive=False,
    windows=(Window(-330, -300, 0, SIDE), Window(-800, -790, 300, SIDE)),
)
DEPTHS = {"SIM-H-1": 210, "SIM-H-2": 170, "SIM-H-3": 240, "SIM-L-1": 165, "SIM-L-2": 225}
STACK_DEPTH = 150


def kidney(seed: int = 0) -> list[AnnData]:
    """Simulate five sections of kidney with a clear-cell tumour.

    Patient SIM-H is at high risk: its tumour has a hypoxic core and an invasive margin. The tumour of
    patient SIM-L has neither. Each section is a plane through the patient's block of tissue.

    Parameters
    ----------
    seed
        Seed of chance; the same seed gives the same cohort.

    Returns
    -------
    Sections SIM-H-1, SIM-H-2, SIM-H-3, SIM-L-1 and SIM-L-2, each with the following fields:

    ``adata.X`` : CSR float32, (n_cells, n_genes)
        Raw counts.
    ``adata.obsm["spatial"]`` : float64, (n_cells, 2)
        Positions in um from the section's corner, y down.
    ``adata.obs["section_id"]``, ``["patient_id"]``, ``["cell_type"]`` : categorical
        The cell type is the true one.
    ``adata.obs["z_um"]`` : float
        Height of the plane in the patient's block.
    ``adata.obs["region"]`` : categorical
        Planted truth: one of 11 structures.
    ``adata.obs["tumour_core"]`` : bool
        Planted truth: in the hypoxic core of the high-risk patient.
    ``adata.obs["hypoxia"]`` : float32 in [0, 1]
        Planted truth: rises over 50 um from the core's rim inwards.
    ``adata.obs["true_type"]`` : categorical
        Planted truth: one of 21 cell types.
    ``adata.obs["state"]`` : categorical
        Planted truth: of CD8 T cells, cytotoxic, exhausted, sham or resting; all others are resting.
    ``adata.obs["induction"]`` : float32 in [0, 1]
        Planted truth: what a macrophage receives from the cytotoxic T cells within 27 um.
    ``adata.obs["to_tumour_um"]`` : float32
        Planted truth: distance to the tumour's edge, negative inside.
    ``adata.obs["risk"]`` : categorical
        Risk of the patient.
    ``adata.uns["squint"]`` : dict
        Unit, values, seed, and ``simulated``, which is true.
    """
    return [*_sections(HIGH, _block(HIGH, seed), seed), *_sections(LOW, _block(LOW, seed), seed)]


def kidney_stack(seed: int = 0) -> AnnData:
    """Simulate 13 levels, 60 um apart, of the border of the high-risk patient's tumour.

    Parameters
    ----------
    seed
        Seed of chance; the same seed gives the same tissue as in :func:`kidney`.

    Returns
    -------
    All levels, with the fields of :func:`kidney`; ``adata.obs["section_id"]`` is one per level and
    ``adata.obs["z_um"]`` runs from 0 to 720.
    """
    return _stack(_block(HIGH, seed), seed)


def write(out_dir: str | Path, seed: int = 0) -> list[Path]:
    """Write the simulated cohort, one ``.h5ad`` per section, and ``stack.h5ad``.

    Parameters
    ----------
    out_dir
        Folder to write to; made where it is missing.
    seed
        Seed of chance; the same seed gives the same arrays.

    Returns
    -------
    The files written.
    """
    folder = Path(out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, adata in _cohort(seed):
        paths.append(folder / f"{name}.h5ad")
        adata.write_h5ad(paths[-1], compression="gzip")
    return paths


def _cohort(seed: int) -> Iterator[tuple[str, AnnData]]:
    high = _block(HIGH, seed)
    for patient, block in ((HIGH, high), (LOW, _block(LOW, seed))):
        for adata in _sections(patient, block, seed):
            yield str(adata.obs[keys.SECTION].iloc[0]), adata
    yield "stack", _stack(high, seed)


def _rng(seed: int, *names: str) -> np.random.Generator:
    """Give each part of the cohort a chance of its own, so that parts can be made alone."""
    return np.random.default_rng([seed, *"/".join(names).encode()])


def _block(patient: Patient, seed: int) -> Block:
    return Block(patient, _rng(seed, patient.name))


def _sections(patient: Patient, block: Block, seed: int) -> list[AnnData]:
    names = [f"{patient.name}-{number}" for number in range(1, len(patient.windows) + 1)]
    return [
        _section(block, window, name, DEPTHS[name], seed)
        for window, name in zip(patient.windows, names, strict=True)
    ]


def _stack(block: Block, seed: int) -> AnnData:
    levels = [
        _section(block, window, f"{HIGH.name}-stack-{level:02d}", STACK_DEPTH, seed)
        for level, window in enumerate(HIGH.stack)
    ]
    return anndata.concat(levels, uns_merge="same")


def _section(block: Block, window: Window, name: str, median_depth: float, seed: int) -> AnnData:
    patient = block.patient
    rng = _rng(seed, name)
    cells = _cells.cut(block, window, rng)
    effects = _counts.gene_effects(_counts.PATIENT_SD, _rng(seed, patient.name, "genes"))
    effects = effects * _counts.gene_effects(_counts.SECTION_SD, rng)
    placed = cells._replace(positions=cells.positions - [window.x, window.y, 0])
    adata = assemble(placed, name, patient.name, effects, median_depth, rng, aggressive=patient.aggressive)
    adata.uns[keys.PROVENANCE]["seed"] = seed
    return adata
