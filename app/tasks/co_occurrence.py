"""How tokens go together: over sections, and as neighbours. Runs in the worker."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from app.engine.client import Report
from app.library.results import keep
from app.library.stacks import name_sections
from app.library.store import Library, Section
from app.maps import views
from squint import keys, tl
from squint.errors import InputError
from squint.formats import sequences


def co_occurrence(args: Mapping[str, Any], report: Report) -> None:
    """Correlate the usage of tokens over sections or patients."""
    library = Library(Path(args["home"]))
    report(0.1, "reading tokens")
    adata = gather(library, args["ids"], args["model"])
    report(0.3, "shuffling sections for every token")
    tl.co_occurrence(
        adata,
        by=args["by"],
        n_tokens=args["n_tokens"],
        clr=args["clr"],
        n_permutations=args["n_permutations"],
    )
    _keep(library, args, adata.uns[keys.CO_OCCURRENCE])


def neighbours(args: Mapping[str, Any], report: Report) -> None:
    """Count which tokens are neighbours, against tokens shuffled within sections."""
    library = Library(Path(args["home"]))
    report(0.05, "finding neighbours")
    adata = gather(library, args["ids"], args["model"])
    graph = tl.token_graph(adata, n_tokens=args["n_tokens"])
    n_draws = args["n_permutations"]

    def told() -> Iterator[Any]:
        done = 0
        for part in tl.shuffled_edges(graph, n_permutations=n_draws):
            done += part.n_draws
            report(0.1 + 0.9 * done / n_draws, f"shuffling tokens, {done:,} of {n_draws:,}")
            yield part

    _keep(library, args, tl.enrichment(graph, told()))


def write_sequences(args: Mapping[str, Any], report: Report) -> str:
    """Write the tokens of sections as sequences; return the path of the file."""
    library = Library(Path(args["home"]))
    report(0.1, "ordering cells along a curve")
    adata = gather(library, args["ids"], args["model"])
    facts = library.token_facts(args["ids"][0], args["model"]) or {}
    adata.uns[keys.PROVENANCE] |= {"model_sha256": args["model"], "n_codes": facts["n_codes"]}
    path = library.workspace() / f"tokens.{args['format']}"
    table = sequences.token_sequences(adata)
    kept = [library.get(section_id) for section_id in args["ids"]]
    names = name_sections(kept)
    units = {names[section.id]: section.unit for section in kept}
    table["unit"] = table["section_id"].map(units)
    sequences.write_sequences(table, sequences.provenance(adata, "library"), path)
    return str(path)


def gather(library: Library, ids: Sequence[str], model: str) -> ad.AnnData:
    """Put the tokens and positions of sections on one axis, without counts; heights in one column."""
    sections = [library.get(section_id) for section_id in ids]
    for section in sections:
        if not library.tokenised([section], model):
            raise InputError(f"Section {section.title} has no tokens by this model. Tokenise it first.")
    names = name_sections(sections)
    tables = [_cells(library, section, names[section.id], model) for section in sections]
    cells = pd.concat(tables, ignore_index=True)
    space = [axis for axis in ("x", "y", "z") if axis in cells]
    obs = cells[[keys.TOKEN, keys.SECTION, keys.PATIENT]].copy()
    if cells[keys.Z].notna().all():
        obs[keys.Z] = cells[keys.Z].astype(float)
    obs.index = pd.Index(cells["cell"].astype(str))
    adata = ad.AnnData(X=csr_matrix((len(obs), 0), dtype=np.float32), obs=obs)
    adata.obsm[keys.SPATIAL] = (
        cells[space].fillna(0).to_numpy(dtype=np.float64)
    )  # a flat section lies at z = 0
    adata.obsm[keys.TOKENS] = cells[[keys.TOKEN]].astype(np.int32).to_numpy()
    adata.uns[keys.PROVENANCE] = {}
    return adata


def _cells(library: Library, section: Section, name: str, model: str) -> pd.DataFrame:
    cells = views.cells_of(library, [section], model)
    return cells.assign(**{keys.SECTION: name, keys.Z: section.z_um})


def _keep(library: Library, args: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Store the tables among what was found, and the rest as facts."""
    tables, facts = {}, {}
    for key, value in found.items():
        if isinstance(value, pd.DataFrame):
            tables[key] = value
        else:
            facts[key] = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    keep(library, args, facts, tables)
