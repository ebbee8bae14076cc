"""Two groups of cells compared, gene by gene. Runs in the worker."""

from collections.abc import Sequence
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from app.cell_sets.split import GROUP, REFERENCE, Split, assign, with_sets
from app.maps import views
from app.requests import Differential, Pseudobulk
from app.tasks.gather import gather
from squint import keys, tl
from squint.columns import labels
from squint.errors import InputError
from squint.library.results import Report, keep
from squint.library.store import Library
from squint.stats import arms, ranksum

_ARM = "arm"


def differential(library: Library, asked: Differential, report: Report) -> None:
    """Test every gene between the two groups, cells as observations."""
    report(0.05, "reading the cells of both groups")
    adata = gather_groups(library, asked.ids, asked.model, asked.split)
    counts = csr_matrix(adata.X)
    chosen = arms.choose_arms(labels(adata, _ARM), GROUP, REFERENCE, counts=counts)
    parts, done = [], 0
    for part in ranksum.compare(counts, chosen, adata.var_names, test=asked.test):
        parts.append(part)
        done += len(part)
        report(0.3 + 0.7 * done / adata.n_vars, f"{done:,} of {adata.n_vars:,} genes")
    genes = ranksum.combine(parts)
    keep(library, asked, {"n_genes": len(genes)}, {"genes": genes})


def pseudobulk(library: Library, asked: Pseudobulk, report: Report) -> None:
    """Test every gene between the two groups, patients as observations."""
    report(0.1, "adding up the counts of each patient")
    adata = gather_groups(library, asked.ids, asked.model, asked.split)
    report(0.4, "fitting the model of each gene")
    tl.pseudobulk(adata, _ARM, group=GROUP, reference=REFERENCE)
    keep(library, asked, {}, {"genes": adata.uns[keys.PSEUDOBULK]})


def gather_groups(library: Library, ids: Sequence[str], model: str | None, split: Split) -> ad.AnnData:
    """Put the counts of both groups on one axis, over the genes that all sections with such cells measure."""
    found: dict[str, pd.Series[Any]] = {}
    sections = [library.get(section_id) for section_id in ids]
    if split.by_names_of(sections).named != split.named:
        raise InputError("Cell types were changed meanwhile. Compare again.")
    for section in sections:
        if section.values != "counts":
            raise InputError(f"Section {section.title} holds intensities, not counts. Leave it out.")
        cells = with_sets(library, views.cells_of(library, [section], model, split.run), [section], split)
        arm = assign(cells, split)
        if arm.notna().any():
            found[section.id] = arm
    if not found:
        raise InputError("No cell is in either group. Choose other groups or more sections.")
    rows = {section_id: arm.notna().to_numpy() for section_id, arm in found.items()}
    adata = gather(library, list(found), counts=True, rows=rows)
    adata.obs[_ARM] = np.concatenate([arm[rows[section_id]] for section_id, arm in found.items()])
    return adata
