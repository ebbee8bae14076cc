"""Two groups of cells compared, gene by gene. Runs in the worker."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anndata as ad
import pandas as pd
from scipy.sparse import csr_matrix

import squint.io
from app.cell_sets.split import GROUP, REFERENCE, Split, assign, with_sets
from app.engine.client import Report
from app.library.results import keep
from app.library.store import DATA, Library
from app.maps import views
from app.tasks.gather import join
from squint import keys, tl
from squint.columns import labels
from squint.errors import InputError
from squint.stats import arms, ranksum

_ARM = "arm"


def differential(args: Mapping[str, Any], report: Report) -> None:
    """Test every gene between the two groups, cells as observations."""
    library = Library(Path(args["home"]))
    report(0.05, "reading the cells of both groups")
    adata = gather(library, args["ids"], args["model"], Split(**args["split"]))
    chosen = arms.choose(labels(adata, _ARM), GROUP, REFERENCE)
    parts, done = [], 0
    for part in ranksum.compare(csr_matrix(adata.X), chosen, adata.var_names, test=args["test"]):
        parts.append(part)
        done += len(part)
        report(0.3 + 0.7 * done / adata.n_vars, f"{done:,} of {adata.n_vars:,} genes")
    genes = ranksum.combine(parts)
    keep(library, args, {"n_genes": len(genes)}, {"genes": genes})


def pseudobulk(args: Mapping[str, Any], report: Report) -> None:
    """Test every gene between the two groups, patients as observations."""
    library = Library(Path(args["home"]))
    report(0.1, "adding up the counts of each patient")
    adata = gather(library, args["ids"], args["model"], Split(**args["split"]))
    report(0.4, "fitting the model of each gene")
    tl.pseudobulk(adata, _ARM, group=GROUP, reference=REFERENCE)
    keep(library, args, {}, {"genes": adata.uns[keys.PSEUDOBULK]})


def gather(library: Library, ids: Sequence[str], model: str | None, split: Split) -> ad.AnnData:
    """Put the counts of both groups on one axis, over the genes that all sections measure."""
    parts, titles = [], []
    for section_id in ids:
        section = library.get(section_id)
        if section.values != "counts":
            raise InputError(f"Section {section.title} holds intensities, not counts. Leave it out.")
        cells = with_sets(library, views.cells_of(library, [section], model, split.run), [section], split)
        arm = assign(cells, split)
        here = arm.notna().to_numpy()
        if not here.any():
            continue
        whole: Any = squint.io.read(library.folder(section_id) / DATA)
        obs = pd.DataFrame({_ARM: arm[here].to_numpy(), keys.PATIENT: section.patient})
        obs.index = pd.Index([f"{section_id}/{name}" for name in cells["cell"][here]])
        parts.append(ad.AnnData(whole.X[here], obs=obs, var=pd.DataFrame(index=whole.var_names)))
        titles.append(section.title)
    if not parts:
        raise InputError("No cell is in either group. Choose other groups or more sections.")
    return join(parts, titles)
