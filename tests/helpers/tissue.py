"""Large simulated sections, for timing maps: only where cells are and how they look matters."""

from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

import squint.io
from squint.library import ingest
from squint.library.store import Library, Section

N_TYPES, N_GENES, N_FOCI = 12, 20, 40


def section(n_cells: int, name: str, seed: int = 0, *, brightness: int = 1) -> AnnData:
    """Scatter cells around foci of 12 types, as densely as in tissue; bright ones hold intensities."""
    rng = np.random.default_rng(seed)
    side = np.sqrt(n_cells) * 10.0  # um
    centres = rng.uniform(0, side, (N_FOCI, 2))
    focus = rng.integers(0, N_FOCI, n_cells)
    place = np.clip(centres[focus] + rng.normal(0, side / 9, (n_cells, 2)), 0, side)
    kind = np.where(rng.random(n_cells) < 0.7, focus % N_TYPES, rng.integers(0, N_TYPES, n_cells))
    depth = 1 + 3 * (1 + np.sin(place[:, :1] / side * 9) * np.cos(place[:, 1:] / side * 7))
    counts = rng.poisson(np.broadcast_to(depth, (n_cells, N_GENES)) / 4).astype(np.float32)
    adata = AnnData(
        X=sparse.csr_matrix(brightness * counts),
        obs=pd.DataFrame(
            {
                "section_id": pd.Categorical([name] * n_cells),
                "patient_id": pd.Categorical(["P-1"] * n_cells),
                "cell_type": pd.Categorical.from_codes(kind, pd.Index([f"type {i}" for i in range(N_TYPES)])),
            },
            index=[f"{name}-{i}" for i in range(n_cells)],
        ),
        var=pd.DataFrame(index=[f"GENE{i}" for i in range(N_GENES)]),
    )
    adata.obsm["spatial"] = place
    adata.uns["squint"] = {"unit": "um", "values": "counts", "notes": []}
    return adata


def library_of(home: Path, sizes: dict[str, int], *, brightness: int = 1) -> list[Section]:
    """Fill a new library with sections of so many cells."""
    library = Library(home)
    library.note_samples()
    labels = ingest.Labels({"P-1": "P-1"}, {}, organ="none", assay="simulated")
    added = []
    for seed, (name, n_cells) in enumerate(sizes.items()):
        path = home / "one.h5ad"
        section(n_cells, name, seed, brightness=brightness).write_h5ad(path)
        (part,) = ingest.clean(squint.io.read(path), labels)
        path.unlink()
        added.append(ingest.add(library, part, labels)[0])
    return added
