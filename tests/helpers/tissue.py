"""Large simulated sections, for timing maps: only where cells are and how they look matters."""

from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse
from scipy.spatial import Voronoi

import squint.io
from squint.io.boundaries import Boundaries, from_rings
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


def outlined(n_side: int, seed: int = 0) -> tuple[np.ndarray, Boundaries]:
    """Lay ``n_side`` x ``n_side`` cells as foam, 10 um apart; each outlined by 18 corners or so."""
    rng = np.random.default_rng(seed)
    ghosts = n_side + 6  # those around it close the cells at the edge
    grid = np.stack(np.meshgrid(np.arange(ghosts), np.arange(ghosts)), axis=-1).reshape(-1, 2)
    inside = ((grid >= 3) & (grid < n_side + 3)).all(axis=1)
    place = 10.0 * (grid - 3 + 0.5 * np.column_stack([grid[:, 1] % 2, np.zeros(len(grid))]))
    place += rng.normal(0, 1.5, place.shape)
    foam = Voronoi(place)
    rings = []
    for i in np.flatnonzero(inside).tolist():
        corners = foam.vertices[foam.regions[foam.point_region[i]]]
        corners = place[i] + 0.95 * (corners - place[i])
        ahead = np.roll(corners, -1, axis=0)
        parts = np.stack([corners + share * (ahead - corners) for share in (0, 1 / 3, 2 / 3)], axis=1)
        rings.append(parts.reshape(-1, 2))
    sizes = [len(ring) for ring in rings]
    cells = np.arange(len(rings))
    return place[inside], from_rings(cells, np.concatenate([[0], np.cumsum(sizes)]), np.concatenate(rings))


def library_with_outlines(home: Path, n_side: int) -> Section:
    """Fill a new library with a section whose cells are outlined."""
    library = Library(home)
    library.note_samples()
    labels = ingest.Labels({"P-1": "P-1"}, {}, organ="none", assay="simulated")
    place, boundaries = outlined(n_side)
    adata = section(len(place), "S")
    adata.obsm["spatial"] = place
    path = home / "one.h5ad"
    adata.write_h5ad(path)
    (part,) = ingest.clean(squint.io.read(path), labels)
    path.unlink()
    return ingest.add(library, part, labels, boundaries)[0]


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
