"""Sections of the library on one axis of cells. Runs in the worker."""

from collections.abc import Mapping, Sequence
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import block_diag, csr_matrix, vstack

import squint.io
from app.maps import tables, views
from squint import keys
from squint.errors import InputError
from squint.library.graphs import neighbours
from squint.library.stacks import name_sections
from squint.library.store import DATA, LIBRARY_ID, Library, Section

ROW = "row"  # obs, int: a cell's place among the cells of its section
_LISTED = 5

Rows = Mapping[str, NDArray[np.bool_]]  # id of a section -> which of its cells (n,) to take


def gather(
    library: Library,
    ids: Sequence[str],
    *,
    counts: bool,
    model: str | None = None,
    rows: Rows | None = None,
) -> ad.AnnData:
    """Put cells of sections below each other.

    Parameters
    ----------
    library
        Where the sections are.
    ids
        Which sections, in this order.
    counts
        Whether to read counts, over the genes that all sections measure; else there are no genes.
    model
        Hash of the model whose tokens are taken; none by default.
    rows
        Which cells of each section; all by default, and only so is there a graph.

    Returns
    -------
    Annotated data with

    ``obs["section_id"]``, ``obs["library_id"]``
        Name and hash of the section; names that two sections share are told apart.
    ``obs["patient_id"]``, ``obs["cell_type"]``, ``obs["region"]``, ``obs["z_um"]``
        As the library has them; a height only where all sections have one.
    ``obs["row"]``
        The cell's place in its section.
    ``obs["squint_token"]``, ``obs["squint_distance"]``, ``obsm["squint_tokens"]``
        Where a model is given; cells without counts have none, as `squint.tl.tokenize` says it.
    ``obsm["spatial"]``
        In three columns where a section has depth; a flat one then lies at 0.
    ``obsp["spatial_connectivities"]``
        Without counts: the graph of each section, as it is stored beside its positions.
    ``uns["squint"]``
        The unit.

    Raises
    ------
    InputError
        If a section is gone, has no tokens by the model, or no gene is measured in all sections; it names
        the sections to leave out.
    """
    sections = [library.get(section_id) for section_id in ids]
    if model is not None:
        for section in sections:
            if not library.tokenised([section], model):
                raise InputError(f"Section {section.title} has no tokens by this model. Tokenise it first.")
    names = _names(sections)
    cells = tables.stack([_cells(library, section, names[section.id], model, rows) for section in sections])
    if all(section.z_um is not None for section in sections):
        heights = {section.id: section.z_um for section in sections}
        cells[keys.Z] = cells[LIBRARY_ID].astype(str).map(heights).astype(float)
    genes: list[str] = []
    x = csr_matrix((len(cells), 0), dtype=np.float32)
    if counts:
        x, genes = _counts(library, sections, rows)
    obs = cells.drop(columns=["x", "y", "z", "cell", "n_counts"], errors="ignore")
    obs.index = pd.Index(cells["cell"].astype(str), name=None)
    adata = ad.AnnData(X=x, obs=obs, var=pd.DataFrame(index=pd.Index(genes)))
    space = [axis for axis in ("x", "y", "z") if axis in cells]
    adata.obsm[keys.SPATIAL] = cells[space].fillna(0).to_numpy(dtype=np.float64)
    if model is not None:
        tokens = pd.to_numeric(obs[keys.TOKEN].astype(object)).fillna(-1)
        adata.obsm[keys.TOKENS] = tokens.to_numpy(dtype=np.int32)[:, None]
    if not counts and rows is None:
        adata.obsp[keys.CONNECTIVITIES] = block_diag(
            [neighbours(library, section_id) for section_id in ids], format="csr"
        )
    adata.uns[keys.PROVENANCE] = {"unit": sections[0].unit}
    return adata


def _names(sections: Sequence[Section]) -> dict[str, str]:
    """Name each section, by its title too where two have one name."""
    names = [section.section for section in sections]
    told_apart = name_sections(sections)
    return {
        section.id: section.section if names.count(section.section) == 1 else told_apart[section.id]
        for section in sections
    }


def _cells(
    library: Library, section: Section, name: str, model: str | None, rows: Rows | None
) -> pd.DataFrame:
    cells = views.cells_of(library, [section], model)
    cells = cells.assign(
        **{
            keys.SECTION: tables.constant(name, len(cells)),
            ROW: np.arange(len(cells)),
        }
    )
    return cells if rows is None else cells[rows[section.id]]


def _counts(library: Library, sections: Sequence[Section], rows: Rows | None) -> tuple[csr_matrix, list[str]]:
    """Read counts (n, g) over the genes that all sections measure, in the order of the first."""
    parts: list[Any] = []
    for section in sections:
        part: Any = squint.io.read(library.path(section.id, DATA))
        parts.append(part if rows is None else part[rows[section.id]])
    genes = genes_of_all([list(part.var_names) for part in parts], [section.title for section in sections])
    whole = len(genes) == max(part.n_vars for part in parts)
    kept = (part.X if whole and list(part.var_names) == genes else part[:, genes].X for part in parts)
    return csr_matrix(vstack(list(kept), format="csr")), genes


def genes_of_all(panels: Sequence[Sequence[str]], titles: Sequence[str]) -> list[str]:
    """List the genes that all sections measure, in the order of the first.

    Raises
    ------
    InputError
        If there is none; it names the sections to leave out.
    """
    shared = set.intersection(*map(set, panels))
    if not shared:
        raise InputError(_why([set(panel) for panel in panels], titles))
    return [str(gene) for gene in panels[0] if gene in shared]


def _why(panels: Sequence[set[str]], titles: Sequence[str]) -> str:
    """Name the sections that share no gene with the one that shares genes with most others."""
    shares = [[bool(one & other) for other in panels] for one in panels]
    alike = max(shares, key=sum)
    odd = [title for title, is_alike in zip(titles, alike, strict=True) if not is_alike]
    rest = [title for title, is_alike in zip(titles, alike, strict=True) if is_alike]
    if not odd:
        return f"No gene is measured in all of {_some(titles)}. Choose sections of one panel."
    return (
        f"{_some(odd)} {'shares' if len(odd) == 1 else 'share'} no gene with {_some(rest)}. Leave "
        f"{'it' if len(odd) == 1 else 'them'} out, or choose sections of one panel."
    )


def _some(titles: Sequence[str]) -> str:
    more = len(titles) - _LISTED
    return ", ".join(titles[:_LISTED]) + (f" and {more} more" if more > 0 else "")
