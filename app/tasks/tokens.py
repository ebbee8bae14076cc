"""Tokens, their profiles and activation scores of sections in the library. Runs in the worker."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

import squint.io
from app.library.results import Activation, list_sha256, profile_name
from app.library.store import DATA, Library, write_table
from app.tasks.gather import join
from squint import keys, pp, tl
from squint.columns import UNKNOWN
from squint.errors import InputError
from squint.model.bundle import Bundle, section_sha256

__all__ = ["Activation", "Fit", "activate", "fit", "list_sha256", "profile", "tokenise"]


@dataclass(frozen=True)
class Fit:
    """How an upload meets the model."""

    problem: str  # why it cannot be tokenised; empty if it can
    warnings: tuple[str, ...]
    gene_overlap: float
    conditions: dict[str, str]  # section -> "trained" or "unseen"


def fit(adata: ad.AnnData, bundle: Bundle | None) -> Fit:
    """Compare sections with the model, if there is one."""
    if bundle is None:
        return Fit("There is no model here, so there will be no tokens.", (), float("nan"), {})
    overlap = float(adata.var_names.isin(bundle.genes).sum() / len(bundle.genes))
    try:
        warnings = tl.check_fits(adata, bundle)
    except InputError as error:
        return Fit(str(error), (), overlap, {})
    conditions = {}
    for name in adata.obs[keys.SECTION].cat.categories:
        part = adata[(adata.obs[keys.SECTION] == name).to_numpy()]
        whole = overlap == 1
        trained = whole and bundle.condition_of(str(name), section_sha256(part[:, bundle.genes]))
        conditions[str(name)] = "trained" if trained else "unseen"
    return Fit("", tuple(warnings), overlap, conditions)


def tokenise(library: Library, section_id: str, bundle: Bundle) -> bool:
    """Store token and distance of each cell and what was noted, or why there are none.

    Returns
    -------
    Whether the section fits the model.
    """
    adata: Any = squint.io.read(library.folder(section_id) / DATA)
    path = library.tokens_path(section_id, bundle.sha256)
    path.parent.mkdir(exist_ok=True)
    try:
        tl.check_fits(adata, bundle)
    except InputError as error:
        _write_json({"problem": str(error)}, path.with_suffix(".json"))
        return False
    tl.tokenize(adata, bundle)
    facts = adata.uns[keys.PROVENANCE]
    names = ("gene_overlap", "n_genes_shared", "n_codes", "section_condition", "share_beyond_p99", "warnings")
    stored = {name: facts[name] for name in (*names, "model_sha256", "time_utc", "versions")}
    table = pd.DataFrame(
        {keys.TOKEN: adata.obsm[keys.TOKENS][:, 0], keys.DISTANCE: adata.obs[keys.DISTANCE].to_numpy()},
        index=adata.obs_names,
    )
    _write_json(stored, path.with_suffix(".json"))
    write_table(table, path)  # last: its presence says that all is there
    return True


def profile(library: Library, ids: Sequence[str], model: str) -> str:
    """Write what each token is over some sections; return the name of the table."""
    parts = []
    typed = any(library.get(section_id).n_cell_types for section_id in ids)
    for section_id in ids:
        part: Any = squint.io.read(library.folder(section_id) / DATA)
        part.obs[keys.TOKEN] = _tokens(library, section_id, model)[keys.TOKEN].astype(str).to_numpy()
        part.obs[keys.SECTION] = library.get(section_id).title
        if typed and keys.CELL_TYPE not in part.obs:
            part.obs[keys.CELL_TYPE] = UNKNOWN
        part.obs_names = [f"{section_id}/{name}" for name in part.obs_names]
        parts.append(ad.AnnData(X=part.X, obs=part.obs, var=pd.DataFrame(index=part.var_names)))
    together = join(parts, [library.get(section_id).title for section_id in ids])
    tl.token_profiles(together)
    name = profile_name(list(ids), model)
    write_table(together.uns[keys.PROFILES], library.results / name)
    return name


def activate(library: Library, request: Activation) -> dict[str, Any]:
    """Score sections against a reference patient and store the scores of each."""
    together = _tokens_and_positions(library, request)
    pp.spatial_neighbors(together)
    ranking = together.obs[together.obs[keys.SECTION].isin(request.ranked)]
    ranked = tl.rank_codes(
        ranking[keys.TOKEN],
        ranking[keys.PATIENT],
        reference=request.reference,
        against=request.against,
        n_codes=request.n_codes,
    )
    carries = together.obs[keys.TOKEN].isin(ranked.tokens).to_numpy()
    scores = tl.activation(carries, csr_matrix(together.obsp[keys.CONNECTIVITIES]))
    for section_id in request.ids:
        here = (together.obs[keys.SECTION] == section_id).to_numpy()
        write_table(
            pd.DataFrame({keys.ACTIVATION: scores[here]}), library.scores_path(section_id, request.run)
        )
    facts = {
        "codes": ranked.tokens,
        "mode": ranked.mode,
        "share_covered": ranked.share_covered,
        "reference": request.reference,
        "against": request.against or "",
    }
    _write_json(facts, library.results / f"{request.run}.json")
    return facts


def _tokens_and_positions(library: Library, request: Activation) -> ad.AnnData:
    """Give all sections as one AnnData without counts, each under its id."""
    tables = []
    for section_id in request.ids:
        section, cells = library.get(section_id), library.cells(section_id)
        cells[keys.TOKEN] = _tokens(library, section_id, request.model)[keys.TOKEN].astype(str).to_numpy()
        tables.append(cells.assign(**{keys.SECTION: section_id, keys.PATIENT: section.patient}))
    obs = pd.concat(tables)
    space = [axis for axis in ("x", "y", "z") if axis in obs]
    positions = obs[space].fillna(0).to_numpy(dtype=np.float64)  # a flat section lies at z = 0
    obs = obs[[keys.TOKEN, keys.SECTION, keys.PATIENT]]
    obs.index = pd.Index(np.arange(len(obs)).astype(str))
    together = ad.AnnData(X=csr_matrix((len(obs), 0), dtype=np.float32), obs=obs)
    together.obsm[keys.SPATIAL] = positions
    return together


def _tokens(library: Library, section_id: str, model: str) -> pd.DataFrame:
    tokens = library.tokens(section_id, model)
    if tokens is None:
        raise InputError(
            f"Section {library.get(section_id).title} has no tokens by this model. Tokenise it first."
        )
    return tokens


def _write_json(facts: dict[str, Any], path: Path) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(facts))
    temporary.replace(path)
