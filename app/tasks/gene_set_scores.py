"""Scores of gene sets, cell by cell and by the distance to a border. Runs in the worker."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy.sparse import block_diag

from app.cell_sets.content import read_outline
from app.cell_sets.split import GROUP, REFERENCE, assign, labelings, with_sets
from app.maps import views
from app.requests import BorderProfile, ScoreGeneSet
from app.tasks.gather import gather
from squint import keys, tl
from squint.errors import InputError, NothingFoundError
from squint.geometry.outlines import Polygon
from squint.library import results
from squint.library.graphs import neighbours
from squint.library.results import Report
from squint.library.store import LIBRARY_ID, Library, Section

_SIDE = "side"


def score(library: Library, asked: ScoreGeneSet, report: Report) -> None:
    """Score the cells of sections for a set of genes; store ``score`` and ``smoothed`` of each section."""
    report(0.05, "reading counts")
    adata = _gather(library, asked.ids, None)
    report(0.6, "scoring cells")
    tl.score_gene_set(adata, asked.genes)
    obs: Any = adata.obs
    of_section = obs[LIBRARY_ID].astype(str)
    columns = [keys.SET_SCORE, keys.SET_SCORE + keys.SMOOTHED_SUFFIX]
    tables = {
        f"scores_{section_id}": obs.loc[(of_section == section_id).to_numpy(), columns]
        .set_axis(["score", "smoothed"], axis=1)
        .reset_index(drop=True)
        for section_id in asked.ids
    }
    results.keep(library, asked, adata.uns[keys.PROVENANCE]["set_scores"][keys.SET_SCORE], tables)


def border_profile(library: Library, asked: BorderProfile, report: Report) -> None:
    """Say what cells are like by their distance to a border; store the tables, or that there is none."""
    report(0.05, "reading counts")
    adata = _gather(library, asked.ids, asked.model)
    sections = [library.get(section_id) for section_id in asked.ids]
    names = _names(adata)
    if asked.split.by_names_of(sections).named != asked.split.named or (
        asked.types and asked.named != labelings(sections)
    ):
        raise InputError("Cell types were changed meanwhile. Ask again.")
    adata.obs[_SIDE] = np.concatenate([_sides(library, section, asked) for section in sections])
    outlines = {names[section_id]: _outline(library, section_id, name) for section_id, name in asked.outlines}
    columns = {}
    for i, (name, genes) in enumerate(asked.sets):
        report(0.4 + 0.3 * i / len(asked.sets), f"scoring cells for {name}")
        columns[name] = f"{keys.SET_SCORE}_{i}"
        tl.score_gene_set(adata, genes, key_added=columns[name])
    report(0.7, "measuring distances to the border")
    shares = {keys.TOKEN: asked.tokens, keys.CELL_TYPE: asked.types}
    try:
        tl.border_profile(
            adata,
            _SIDE,
            group=GROUP,
            measures=tl.Measures(
                asked.genes, columns, {column: labels for column, labels in shares.items() if labels}
            ),
            bins=tl.DistanceBins(asked.width, asked.reach, asked.min_cells),
            outlines=outlines,
            min_patch=asked.min_patch,
        )
    except NothingFoundError:
        results.keep(library, asked, {"border": {}}, {})
        return
    found = adata.uns[keys.BORDER_PROFILE]
    tables = {name: table for name, table in found.items() if isinstance(table, pd.DataFrame)}
    facts = {name: value for name, value in found.items() if name not in tables}
    facts["names"] = names
    facts["n_without_side"] = int(adata.obs[_SIDE].isna().sum())
    results.keep(library, asked, facts, tables)


def _gather(library: Library, ids: Sequence[str], model: str | None) -> AnnData:
    """Put counts and graphs of sections on one axis."""
    for section_id in ids:
        section = library.get(section_id)
        if section.values != "counts":
            raise InputError(f"Section {section.title} holds intensities, not counts. Leave it out.")
    adata = gather(library, ids, counts=True, model=model)
    graphs = [neighbours(library, section_id) for section_id in ids]
    adata.obsp[keys.CONNECTIVITIES] = block_diag(graphs, format="csr")
    return adata


def _names(adata: AnnData) -> dict[str, str]:
    obs: Any = adata.obs
    pairs = obs[[LIBRARY_ID, keys.SECTION]].astype(str).drop_duplicates()
    return dict(zip(pairs[LIBRARY_ID], pairs[keys.SECTION], strict=True))


def _sides(library: Library, section: Section, asked: BorderProfile) -> Any:
    """Say of each of a section's cells (n,) on which side it is, missing where on none."""
    cells = with_sets(
        library, views.cells_of(library, [section], asked.model, asked.split.run), [section], asked.split
    )
    side = assign(cells, asked.split)
    return side.where(side.isin([GROUP, REFERENCE]), None).to_numpy(dtype=object)


def _outline(library: Library, section_id: str, name: str) -> list[Polygon]:
    """Read where the cells of a set were drawn around."""
    content = read_outline(library, section_id, name)
    if not content:
        raise InputError("A cell set was changed meanwhile. Ask again.")
    kept: Any = json.loads(content)
    polygons = kept if isinstance(kept, list) else kept["polygons"]
    return [tuple(np.array(ring, dtype=np.float64) for ring in polygon) for polygon in polygons]
