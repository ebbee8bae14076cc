"""Tokens of sections in the library, what they are, and activation scores. Runs in the worker."""

from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

import squint.io
from app.requests import SumTokens, Tokenise
from app.tasks import models
from squint import keys, tl
from squint.columns import labels, token_names
from squint.errors import InputError
from squint.files import list_sha256
from squint.library import profiles
from squint.library.results import Report
from squint.library.store import DATA, Library
from squint.library.tables import write_table
from squint.library.token_runs import new_run
from squint.model.bundle import Bundle
from squint.stats.token_profiles import add_up as add_up_tokens

_NOTED = (
    "gene_overlap",
    "n_genes_shared",
    "n_codes",
    "n_without_token",
    "n_without_counts",
    "section_condition",
    "share_beyond_p99",
    "warnings",
    "model_sha256",
    "time_utc",
    "versions",
)


def tokenise(library: Library, asked: Tokenise, report: Report) -> list[str]:
    """Give the cells of sections in the library their tokens; return the ids of those that fit the model."""
    bundle, done = models.bundle_of(library, asked.model), []
    for i, section_id in enumerate(asked.ids):
        report(i / len(asked.ids), f"{library.get(section_id).title} ({i + 1} of {len(asked.ids)})")
        if tokenise_section(library, section_id, bundle):
            done.append(section_id)
    return done


def tokenise_section(library: Library, section_id: str, bundle: Bundle) -> bool:
    """Store token and distance of each cell and what was noted, or why there are none.

    Returns
    -------
    Whether the section fits the model.
    """
    section = library.get(section_id)
    adata: Any = squint.io.read(library.path(section_id, DATA))
    path = library.tokens_path(section_id, bundle.sha256)
    run = partial(new_run, section_id, section.sha256, bundle.sha256, list_sha256(bundle.genes))
    try:
        tl.check_fits(adata, bundle)
    except InputError as error:
        with library.staged() as nothing:
            library.put(nothing, path.parent, section_id, run({}, problem=str(error)))
        return False
    tl.tokenize(adata, bundle)
    facts = adata.uns[keys.PROVENANCE]
    stored = {name: facts[name] for name in _NOTED}
    table = pd.DataFrame(
        {keys.TOKEN: adata.obsm[keys.TOKENS][:, 0], keys.DISTANCE: adata.obs[keys.DISTANCE].to_numpy()},
        index=adata.obs_names,
    )
    with library.staged() as staged:
        write_table(table, staged / path.name)
        _write_sums(staged, adata, bundle)
        library.put(staged, path.parent, section_id, run(stored))
    return True


def add_up(library: Library, asked: SumTokens, report: Report) -> list[str]:
    """Add up what the tokens of sections are, where that was not done when they were tokenised."""
    bundle = models.bundle_of(library, asked.model)
    for i, section_id in enumerate(asked.ids):
        report(i / len(asked.ids), "counting genes in each token")
        adata: Any = squint.io.read(library.path(section_id, DATA))
        tokens = library.tokens(section_id, asked.model)
        if tokens is None:
            raise InputError(f"Section {library.get(section_id).title} has no tokens by this model.")
        adata.obs[keys.TOKEN] = token_names(tokens[keys.TOKEN].to_numpy())
        with library.staged() as staged:
            _write_sums(staged, adata, bundle)
            library.put(staged, library.tokens_path(section_id, asked.model).parent, section_id)
    return list(asked.ids)


def _write_sums(folder: Path, adata: Any, bundle: Bundle) -> None:
    """Add up the genes of the model by token, and write the sums."""
    genes = [gene for gene in bundle.genes if gene in adata.var_names]
    sums = add_up_tokens(adata[:, genes].X, genes, labels(adata, keys.TOKEN))
    profiles.write(folder, bundle.sha256, sums)
