"""Teach a trained model to in-paint, when somebody first asks for it."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from anndata import AnnData
from numpy.typing import NDArray

from squint import pp
from squint.config import TrainConfig
from squint.errors import InputError
from squint.model.bundle import Bundle
from squint.model.card import SectionRecord
from squint.model.cohort import prepare, section_names
from squint.training.context import learn_context
from squint.training.data import join_sections, records


def learn_to_inpaint(
    bundle: Bundle, sections: AnnData | Sequence[AnnData], *, n_steps: int | None = None
) -> Bundle:
    """Add the part that in-paints to a model that was trained without it.

    It is learned from the counts alone, by the seed of the training: the result is the model that
    `squint.train` had given with as many ``context_steps``, bit by bit on the same machine. Tokens stay what
    they were; the hash of the saved model, which is that of all its weights, does not.

    Parameters
    ----------
    bundle
        A trained model.
    sections
        Those that it was trained on, in any order. Cells that its card lists as hidden are hidden here too.
    n_steps
        Steps of each network's optimiser; by default those of `squint.TrainConfig`.

    Returns
    -------
    The model with that part; it shares its weights with ``bundle``, which stays as it is.

    Raises
    ------
    InputError
        If the sections are not those of the training, or tell of too few cells to learn from.
    """
    choices = replace(
        bundle.train_config, context_steps=TrainConfig().context_steps if n_steps is None else n_steps
    )
    if choices.context_steps == 0:
        raise InputError("n_steps: at least 1, to learn to in-paint.")
    sections = [sections] if isinstance(sections, AnnData) else list(sections)
    hidden = [_hidden(adata, bundle) for adata in sections]
    _check_same(sections, hidden, bundle)
    adata = join_sections(sections, bundle.genes, bundle.model_config.n_neighbors)
    cohort = prepare(
        adata,
        bundle.genes,
        bundle.model_config,
        categories=bundle.categories,
        hidden=np.concatenate(hidden),
    )
    context = learn_context(cohort, n_steps=choices.context_steps, seed=choices.seed)
    if context is None:
        raise InputError("The sections hold too few cells that are not hidden to learn to in-paint from.")
    return replace(bundle, train_config=choices, context=context, sha256="")


def _hidden(adata: AnnData, bundle: Bundle) -> NDArray[np.bool_]:
    """Mark the cells (n,) that the card lists as hidden in sections of these names."""
    listed = {record.name: record.hidden for record in bundle.sections}
    hidden = np.zeros(adata.n_obs, dtype=bool)
    codes = pp.section_codes(adata)
    for code, name in enumerate(section_names(adata)):
        hidden |= (codes == code) & adata.obs_names.isin(listed.get(name, []))
    return hidden


def _check_same(sections: list[AnnData], hidden: list[NDArray[np.bool_]], bundle: Bundle) -> None:
    """Refuse sections that are not, to the count and the hidden cell, those of the training."""
    for adata in sections:
        if missing := set(bundle.genes).difference(adata.var_names):
            raise InputError(f"The model was not trained on these sections: they lack {min(missing)}.")
    given = {record.name: _content(record) for record in records(sections, bundle.genes, hidden)}
    wanted = {record.name: _content(record) for record in bundle.sections}
    if missing := wanted.keys() - given.keys():
        raise InputError(f"The model was trained on {min(missing)} too. Give all sections of its training.")
    if others := [name for name, content in given.items() if wanted.get(name) != content]:
        raise InputError(
            f"The model was not trained on {others[0]} as it is here: cells, counts, positions or names of "
            "hidden cells differ. Give the sections of its training, or train a new model."
        )


def _content(record: SectionRecord) -> tuple[str, int, frozenset[str]]:
    return record.sha256, record.n_cells, frozenset(record.hidden)
