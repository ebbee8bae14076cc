"""How all models fit an upload, before anything of it is kept. Runs in the worker."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import anndata as ad

from app.tasks import models
from squint import keys
from squint.errors import InputError
from squint.library.models import KnownModel
from squint.library.results import Report
from squint.library.store import Library
from squint.model.novelty import N_CELLS, measure
from squint.model.ranking import Fit, compare, ranked, worst

MOST_MEASURED = 4  # models that encode cells of an upload: those that share most genes with it
FEWEST_CELLS = 200  # of each section that are encoded, however many sections there are


@dataclass(frozen=True)
class Fitting:
    """How a model fits the sections of an upload."""

    name: str  # of the model
    sha256: str  # of its weights
    organs: tuple[str, ...]  # of the sections that it was trained on, where they were stated
    fit: Fit  # with several sections, with the one that it fits least
    unseen: tuple[str, ...] = ()  # sections that it was not trained on, once it was measured


def fit_all(library: Library, adata: ad.AnnData, asked: Sequence[str], report: Report) -> list[Fitting]:
    """Say how models fit the sections of an upload, the best first.

    Parameters
    ----------
    library
        Whose models there are beside those that ship with squint.
    adata
        The sections, with raw counts. A single one gets a graph.
    asked
        Hashes of the weights of the models; one that is not here any more is passed over.
    report
        Is told which model is at work.

    Returns
    -------
    Genes are compared for all. Of those that share most genes, the first few that can be used are measured on
    some cells of each section.
    """
    here = {one.sha256: one for one in models.known_here(library) if one.card is not None}
    found = {sha256: here[sha256] for sha256 in asked if sha256 in here}
    genes, simulated = set(adata.var_names), bool(adata.uns[keys.PROVENANCE].get("simulated", False))
    fits = {
        sha256: Fitting(
            one.name, sha256, tuple(one.card.organs), compare(one.card, genes, is_simulated=simulated)
        )
        for sha256, one in found.items()
        if one.card is not None
    }
    likely = [sha256 for sha256 in _ranked(fits) if fits[sha256].fit.is_usable]
    parts, n_measured = _sections(adata) if likely else {}, 0
    for sha256 in likely:
        if n_measured == MOST_MEASURED:
            break
        report(0.9, f"comparing with the model {fits[sha256].name}")
        fits[sha256] = _measured(library, fits[sha256], found[sha256], parts)
        n_measured += fits[sha256].fit.is_usable
    return [fits[sha256] for sha256 in _ranked(fits)]


def _ranked(fits: dict[str, Fitting]) -> list[str]:
    return ranked({sha256: one.fit for sha256, one in fits.items()})


def _sections(adata: ad.AnnData) -> dict[str, ad.AnnData]:
    """Give each section by its name; copies, as each gets a graph of its own."""
    section: Any = adata.obs[keys.SECTION]
    names = list(section.cat.categories)
    if len(names) == 1:
        return {str(names[0]): adata}
    return {str(name): adata[(section == name).to_numpy()].copy() for name in names}


def _measured(library: Library, fitting: Fitting, model: KnownModel, parts: dict[str, ad.AnnData]) -> Fitting:
    try:
        bundle = models.bundle_of(library, model.sha256)
    except InputError as error:  # its card is sound, and its weights are not
        return replace(fitting, fit=replace(fitting.fit, problem=str(error).removesuffix(".")))
    n_cells = max(N_CELLS // len(parts), FEWEST_CELLS)
    fits = {name: measure(fitting.fit, part, bundle, n_cells=n_cells) for name, part in parts.items()}
    unseen = tuple(name for name, fit in fits.items() if not fit.is_trained_on)
    return replace(fitting, fit=worst(fits.values()), unseen=unseen)
