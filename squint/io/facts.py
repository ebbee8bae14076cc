"""What any reader took becomes a section, each step by what the source states or the user says.

The one place behind all readers, so that a fact means the same whatever the source.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray
from scipy import sparse

from squint import keys
from squint.errors import InputError
from squint.io import checks, mapped, slots
from squint.io.boundaries import Boundaries
from squint.io.content import Answers, Content, Placed
from squint.io.features import genes_only
from squint.io.findings import Findings
from squint.io.graphs import N_NEIGHBORS, own_distances
from squint.io.layout import check_layout
from squint.io.tables import clean
from squint.io.transcript_files import Placing
from squint.io.units import UM, UNKNOWN, settle_unit

FEW_CELLS = 9  # below this a cell has fewer than eight neighbours


@dataclass(frozen=True)
class Settled:
    """A source that was read: sections as AnnData, and what comes along with the cells.

    Attributes
    ----------
    adata
        As :func:`squint.io.read` describes it, without ``source_sha256`` in its provenance.
    boundaries
        In the unit of the positions, by rows of ``adata``; None where the source holds none.
    pictures
        Of the tissue, placed in the unit of the positions.
    findings
        The report.
    uns_names
        Names of what the source holds below ``uns``, to look for names of persons in.
    transcripts
        How those of the source come to lie at its cells, in the unit of the positions; None where their file
        gives positions in micrometres, or none is known.
    """

    adata: AnnData
    boundaries: Boundaries | None
    pictures: list[Placed]
    findings: Findings
    uns_names: list[str]
    transcripts: Placing | None = None


def settle(content: Content, answers: Answers, name: str) -> Settled:
    """Bring what a reader took to squint's form.

    Parameters
    ----------
    content
        What was taken; used up.
    answers
        What the user says.
    name
        Of the section, where no column names one.

    Returns
    -------
    The section or sections.

    Raises
    ------
    InputError
        If the content is no section, or holds something that contradicts it.
    AskedError
        If it leaves something open without which it would be misread.
    """
    findings = content.findings
    obs, var = clean(content.obs, "obs", findings), clean(content.var, "var", findings)
    if not obs.index.is_unique:
        obs = _with_unique_names(obs, findings)
    if len(obs) < FEW_CELLS:
        findings.note(f"Few cells ({len(obs)}): neighbourhoods are smaller than usual.")
    spatial: NDArray[np.float64] = checks.check_coordinates(
        content.obsm[keys.SPATIAL], obs.index, "positions"
    )
    counts, obs, var = genes_only(content.counts, obs, var, findings)
    content.counts = counts  # so that nothing else holds the columns that were left out
    own = keys.PROVENANCE in content.uns
    columns = {key: column for key, column in answers.columns.items() if key not in {"x", "y", "z"}}
    obs = slots.name_columns(obs, columns, name, findings)
    sections = obs[keys.SECTION].cat.codes.to_numpy()
    if not own:
        check_layout(obs, spatial, findings, chosen=keys.SECTION in columns)
    factor = settle_unit(
        content.um_per_unit, answers.unit, content.unit_hint, checks.spacings(spatial, sections), findings
    )
    graph = _own_graph(content.obsp, spatial, sections, findings)
    boundaries, pictures, transcripts = content.boundaries, content.pictures, content.transcripts
    if factor is not None and factor != 1:
        spatial = spatial * factor
        boundaries = boundaries.scaled(factor) if boundaries else None
        pictures = [_scaled(picture, factor) for picture in pictures]
        transcripts = transcripts.scaled(factor) if transcripts else None
        findings.note(f"Positions were converted to micrometres: one unit has {factor:g}.")
        if graph is not None:
            graph = graph * factor
    spatial, obs = slots.place_z(spatial, obs, findings)
    counts, var = slots.name_genes(counts, var, findings)
    values = content.values or slots.kind_of_values(counts, findings)
    if values == "counts":
        _check_counts(counts, obs.index, content.counts_file or name)
    slots.note_empty(counts, findings)
    adata = AnnData(X=counts, obs=obs, var=var, obsm=content.obsm | {keys.SPATIAL: spatial}, uns=content.uns)
    if graph is not None:
        _set_graph(adata, graph)
    adata.uns[keys.PROVENANCE] = {
        **content.uns.get(keys.PROVENANCE, {}),
        "unit": UNKNOWN if factor is None else UM,
        "values": values,
        "notes": findings.notes,
        **({"answers": said} if (said := answers.given()) else {}),
        **({"assay": content.assay} if content.assay else {}),
    }
    uns_names = [name.removeprefix("uns/") for name in content.names if name.startswith("uns/")]
    return Settled(adata, boundaries, pictures, findings, uns_names, transcripts)


def _check_counts(counts: sparse.csr_matrix, cells: pd.Index, file: str) -> None:
    """Refuse what cannot be counts, in memory or in files."""
    bad = checks.bad_values(counts)
    mapped.let_go(counts.data)
    if bad.n_values:
        raise InputError(
            f"{file} holds values that are no counts ({bad.n_values:,} negative, not finite or no whole "
            f"numbers), the first in cell {cells[bad.first_cell]!r}. Give the raw counts."
        )


def _with_unique_names(obs: pd.DataFrame, findings: Findings) -> pd.DataFrame:
    """Make names of cells unique, and keep the instrument's beside them for exchange."""
    n_repeated = int(obs.index.duplicated().sum())
    findings.note(
        f"{n_repeated:,} cell names occurred before; a number was added. obs[{keys.CELL_ID!r}] keeps them."
    )
    obs = obs.assign(**{keys.CELL_ID: obs.index}) if keys.CELL_ID not in obs else obs.copy()
    obs.index = slots.unique_names(obs.index)
    return obs


def _own_graph(
    obsp: dict[str, Any], spatial: NDArray[np.float64], sections: NDArray[np.integer], findings: Findings
) -> sparse.csr_matrix | None:
    """Keep a stored graph if it is squint's own; else it is said, and made anew where it is needed."""
    stored = next((obsp[key] for key in (keys.CONNECTIVITIES, keys.DISTANCES) if key in obsp), None)
    if stored is None:
        return None
    graph = own_distances(stored, spatial, sections)
    if graph is None:
        findings.leave_out(
            "stored graph of neighbours", None, "it is not the graph of squint's rule, which is used", "obsp"
        )
    return graph


def _set_graph(adata: AnnData, distances: sparse.csr_matrix) -> None:
    """Set a graph as `squint.pp.spatial_neighbors` does."""
    ones = np.ones(distances.nnz, np.float32)
    adata.obsp[keys.DISTANCES] = distances
    adata.obsp[keys.CONNECTIVITIES] = sparse.csr_matrix(
        (ones, distances.indices, distances.indptr), shape=distances.shape
    )
    adata.uns["spatial_neighbors"] = {
        "connectivities_key": keys.CONNECTIVITIES,
        "distances_key": keys.DISTANCES,
        "params": {"n_neighbors": N_NEIGHBORS, "coord_type": "generic"},
    }


def _scaled(picture: Placed, factor: float) -> Placed:
    if picture.to_section is None:
        return picture
    (a, b, c), (d, e, f) = picture.to_section
    rows = ((a * factor, b * factor, c * factor), (d * factor, e * factor, f * factor))
    return replace(picture, to_section=rows)
