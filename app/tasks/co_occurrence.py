"""How tokens go together: over sections, and as neighbours. Runs in the worker."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from app.requests import CoOccurrence, Neighbours, WriteSequences
from app.tasks.gather import gather
from squint import keys, tl
from squint.formats import sequences
from squint.library.results import Computation, Report, keep
from squint.library.store import LIBRARY_ID, Library


def co_occurrence(library: Library, asked: CoOccurrence, report: Report) -> None:
    """Correlate the usage of tokens over sections or patients."""
    report(0.1, "reading tokens")
    adata = gather(library, asked.ids, counts=False, model=asked.model)
    report(0.3, "shuffling sections for every token")
    tl.co_occurrence(
        adata,
        by=asked.by,
        n_tokens=asked.n_tokens,
        clr=asked.clr,
        n_permutations=asked.n_permutations,
    )
    _keep(library, asked, adata.uns[keys.CO_OCCURRENCE])


def neighbours(library: Library, asked: Neighbours, report: Report) -> None:
    """Count which tokens are neighbours, against tokens shuffled within sections."""
    report(0.05, "finding neighbours")
    adata = gather(library, asked.ids, counts=False, model=asked.model)
    graph = tl.token_graph(adata, n_tokens=asked.n_tokens)
    n_draws = asked.n_permutations

    def told() -> Iterator[Any]:
        done = 0
        for part in tl.shuffled_edges(graph, n_permutations=n_draws):
            done += part.n_draws
            report(0.1 + 0.9 * done / n_draws, f"shuffling tokens, {done:,} of {n_draws:,}")
            yield part

    _keep(library, asked, tl.enrichment(graph, told()))


def write_sequences(library: Library, asked: WriteSequences, report: Report) -> str:
    """Write the tokens of sections as sequences; return the path of the file."""
    report(0.1, "ordering cells along a curve")
    adata = gather(library, asked.ids, counts=False, model=asked.model)
    facts = library.token_facts(asked.ids[0], asked.model) or {}
    adata.uns[keys.PROVENANCE] |= {"model_sha256": asked.model, "n_codes": facts["n_codes"]}
    table = sequences.token_sequences(adata)
    obs: Any = adata.obs
    names = obs.drop_duplicates(LIBRARY_ID).set_index(keys.SECTION)[LIBRARY_ID].astype(str)
    table["unit"] = [library.get(names[name]).unit for name in table["section_id"]]
    with library.handed_out() as folder:
        path = folder / f"tokens.{asked.format}"
        sequences.write_sequences(table, sequences.provenance(adata, "library"), path)
    return str(path)


def _keep(library: Library, asked: Computation, found: Mapping[str, Any]) -> None:
    """Store the tables among what was found, and the rest as facts."""
    tables, facts = {}, {}
    for key, value in found.items():
        if isinstance(value, pd.DataFrame):
            tables[key] = value
        else:
            facts[key] = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    keep(library, asked, facts, tables)
