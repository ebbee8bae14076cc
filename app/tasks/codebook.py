"""Genes in tokens, and two vocabularies of the same cells. Runs in the worker."""

from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

import squint.io
from app.requests import CompareVocabularies, ExpressTokens
from squint import keys, tl
from squint.columns import labels, token_names
from squint.errors import InputError
from squint.library.results import Report, keep
from squint.library.store import DATA, Library
from squint.stats.ranksum import median_depth
from squint.stats.token_expression import add_sections, sum_expression


def express(library: Library, asked: ExpressTokens, report: Report) -> None:
    """Add up each gene in each token, every cell brought to the median depth of all cells with a token."""
    report(0.02, "reading how deep cells are")
    depth = median_depth(np.concatenate([_depths(library, one, asked.model) for one in asked.ids]))
    parts = []
    for i, section_id in enumerate(asked.ids):
        report(0.05 + 0.9 * i / len(asked.ids), f"{library.get(section_id).title}")
        adata: Any = squint.io.read(library.path(section_id, DATA))
        adata.obs[keys.TOKEN] = token_names(_tokens(library, section_id, asked.model))
        genes = [str(gene) for gene in adata.var_names]
        parts.append(sum_expression(csr_matrix(adata.X), genes, labels(adata, keys.TOKEN), depth=depth))
    found = add_sections(parts)
    tables = {
        name: pd.DataFrame(
            getattr(found, name).T.astype(kind),
            index=pd.Index(found.genes, name="gene"),
            columns=found.tokens,
        )
        for name, kind in (("n_cells", np.int32), ("mean", np.float32), ("share", np.float32))
    }
    keep(library, asked, {"depth": depth}, tables)


def compare(library: Library, asked: CompareVocabularies, report: Report) -> None:
    """Compare the tokens that cells have by two models."""
    report(0.05, "reading tokens")
    parts = [
        pd.DataFrame(
            {
                keys.TOKEN: _named(_tokens(library, section_id, asked.model)),
                "other": _named(_tokens(library, section_id, asked.other)),
                keys.SECTION: section_id,
            }
        )
        for section_id in asked.ids
    ]
    obs = pd.concat(parts, ignore_index=True)
    adata = ad.AnnData(obs=obs.set_index(obs.index.astype(str)))
    report(0.2, "shuffling tokens within sections")
    tl.compare_vocabularies(
        adata,
        other_key="other",
        n_shuffles=asked.n_shuffles,
        n_resamples=asked.n_resamples,
        seed=asked.seed,
    )
    found = adata.uns[keys.VOCABULARIES]
    tables = {name: value for name, value in found.items() if isinstance(value, pd.DataFrame)}
    keep(library, asked, {name: found[name] for name in found.keys() - tables.keys()}, tables)


def _depths(library: Library, section_id: str, model: str) -> NDArray[np.float64]:
    """Give the depths of the cells of a section that have a token."""
    cells = library.cells(section_id)
    return cells["n_counts"].to_numpy(dtype=np.float64)[_tokens(library, section_id, model) >= 0]


def _tokens(library: Library, section_id: str, model: str) -> NDArray[np.int64]:
    tokens = library.tokens(section_id, model)
    if tokens is None:
        title = library.get(section_id).title
        raise InputError(f"Section {title} has no tokens by this model. Tokenise it first.")
    return tokens[keys.TOKEN].to_numpy(dtype=np.int64)


def _named(tokens: NDArray[np.int64]) -> "pd.Series[Any]":
    return pd.Series(token_names(tokens)).astype(object)
