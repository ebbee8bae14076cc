from datetime import UTC, datetime

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray

from squint import keys, pp
from squint.errors import InputError
from squint.model import context
from squint.model.bundle import Bundle, find_conditions, versions
from squint.model.card import NOT_IN_TRAINING, TRAINED_ON, TRAINED_WITHOUT
from squint.model.cohort import Cohort, prepare, section_names
from squint.model.context import Context, Imputed
from squint.model.tokens import UNSEEN_SECTION
from squint.tl._fit import check_fits

Mask = NDArray[np.bool_]


def inpaint(
    adata: AnnData,
    bundle: Bundle,
    *,
    hidden: Mask | None = None,
    n_draws: int = 0,
    seed: int = 0,
    copy: bool = False,
) -> AnnData | None:
    """Predict the expression of hidden cells from everything that is observed around them.

    All hidden cells are masked at once. Only their positions are known: their counts and labels enter
    nothing.

    Parameters
    ----------
    adata
        Sections of raw counts, as `squint.read` gives them, hidden cells included. The result is dense, so
        take some sections of a large stack at a time.
    bundle
        A trained model.
    hidden
        Cells (n,) to predict; by default those that the model's card lists as hidden in these very sections.
        A section is taken for one of the card's if name, number of cells and the names of the hidden cells
        agree; counts that differ are told in the warnings.
    n_draws
        0: the expected profile, the best single guess. 1: a profile drawn from what is probable, which varies
        from cell to cell as tissue does. More: the mean and the spread of as many draws.
    seed
        Of the draws.
    copy
        Return a changed copy instead of changing ``adata``.

    Returns
    -------
    Returns ``None`` if ``copy=False``, else an ``AnnData``. Sets the following fields:

    ``adata.obs["squint_hidden"]`` : bool (n,)
        The cells predicted.
    ``adata.obsm["squint_imputed_cell"]`` : :class:`pandas.DataFrame`, float32 (n, g)
        Counts of each hidden cell: expected, or drawn. NaN for observed cells, and for genes that ``adata``
        does not measure. The columns are the model's genes.
    ``adata.obsm["squint_imputed"]`` : :class:`pandas.DataFrame`, float32 (n, g)
        Mean counts of each hidden cell's closed neighbourhood: counts of the observed cells in it, and the
        prediction for the hidden ones. NaN likewise.
    ``adata.obsm["squint_imputed_sd"]`` : :class:`pandas.DataFrame`, float32 (n, g)
        With several draws, the standard deviation of ``adata.obsm["squint_imputed"]`` over them.
    ``adata.obsp["spatial_connectivities"]``, ``adata.obsp["spatial_distances"]`` : CSR (n, n)
        The graph, if there was none.
    ``adata.uns["spatial_neighbors"]`` : dict
        How that graph was built.
    ``adata.uns["squint"]["inpainting"]`` : dict
        ``model_sha256``; ``n_hidden``; ``n_draws`` and ``seed``; ``protocol`` of each section with hidden
        cells: ``"trained without these cells"``, ``"not in training"``, or ``"trained on these cells"``,
        which is no test of the model; ``warnings``, versions and time.

    Raises
    ------
    InputError
        If no cell is hidden, a section has none observed, the model was not trained to in-paint, or the
        sections do not suit it, as `squint.tl.tokenize`.

    References
    ----------
    SQUINT, sections 5.1 and 5.2, for the task; the method is our own, see `squint.model.context`.
    """
    adata = adata.copy() if copy else adata
    warnings = check_fits(adata, bundle)
    conditions = _conditions(adata, bundle)
    if hidden is None:
        hidden = _listed(adata, bundle, conditions)
    _check(adata, hidden)
    cohort = prepare(
        adata,
        bundle.genes,
        bundle.model_config,
        scale=bundle.scale,
        categories=bundle.categories,
        hidden=hidden,
    )
    measured = np.isin(bundle.genes, adata.var_names)
    imputed, spread = _impute(_context(bundle), cohort, measured, n_draws, seed)
    adata.obs[keys.HIDDEN] = hidden
    adata.obsm[keys.IMPUTED_CELL] = _table(adata, bundle.genes, hidden, imputed.cell)
    adata.obsm[keys.IMPUTED] = _table(adata, bundle.genes, hidden, imputed.neighbourhood)
    if spread is not None:
        adata.obsm[keys.IMPUTED_SD] = _table(adata, bundle.genes, hidden, spread)
    adata.uns.setdefault(keys.PROVENANCE, {})["inpainting"] = {
        "model_sha256": bundle.sha256,
        "n_hidden": int(hidden.sum()),
        "n_draws": n_draws,
        "seed": seed,
        "protocol": _protocol(adata, bundle, conditions, hidden),
        "warnings": warnings + _changed(adata, bundle, conditions),
        "versions": versions(),
        "time_utc": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return adata if copy else None


def _context(bundle: Bundle) -> Context:
    if bundle.context is None:
        raise InputError(
            "This model cannot in-paint: it was trained without it, or on too few cells. Teach it on the "
            "sections of its training (`squint learn-to-inpaint`), or train one on these (`squint train`)."
        )
    return bundle.context


def _impute(
    of_model: Context, cohort: Cohort, measured: Mask, n_draws: int, seed: int
) -> tuple[Imputed, NDArray[np.float32] | None]:
    """Give the expected profile, a draw, or the mean of several and their spread (m, g)."""
    if n_draws < 0:
        raise InputError(f"{n_draws} draws: 0 for the expected profile, or more.")
    if n_draws == 0:
        return context.expect(of_model, cohort, measured), None
    draws = context.draw(of_model, cohort, n_draws, seed, measured)
    first = next(draws)
    if n_draws == 1:
        return first, None
    cell, mean = first
    squares = np.zeros_like(mean)
    for n_done, one in enumerate(draws, start=2):  # Welford's running mean and sum of squares
        off = one.neighbourhood - mean
        cell += (one.cell - cell) / np.float32(n_done)
        mean += off / np.float32(n_done)
        squares += off * (one.neighbourhood - mean)
    return Imputed(cell, mean), np.sqrt(squares / np.float32(n_draws - 1))


def _conditions(adata: AnnData, bundle: Bundle) -> NDArray[np.int64]:
    """Find the number of each section in the model (sections,), 0 if unseen, without a look at counts.

    `find_conditions` asks for the same counts in all cells, and so its answer depends on those that must not
    be known here.
    """
    names, codes, cells_too = section_names(adata), pp.section_codes(adata), _measured(adata)
    conditions = np.full(len(names), UNSEEN_SECTION)
    if not set(bundle.genes) <= set(adata.var_names):
        return conditions
    for number, record in enumerate(bundle.sections, start=1):
        if record.name in names:
            cells = adata.obs_names[cells_too & (codes == names.index(record.name))]
            if len(cells) == record.n_cells and pd.Index(record.hidden).isin(cells).all():
                conditions[names.index(record.name)] = number
    return conditions


def _measured(adata: AnnData) -> Mask:
    """Mark the cells (n,) that are cells, and not positions given beside them."""
    if keys.SIMULATED_POSITION not in adata.obs:
        return np.ones(adata.n_obs, dtype=bool)
    return ~adata.obs[keys.SIMULATED_POSITION].to_numpy(dtype=bool)


def _listed(adata: AnnData, bundle: Bundle, conditions: NDArray[np.int64]) -> Mask:
    """Mark the cells (n,) that the card lists as hidden."""
    codes = pp.section_codes(adata)
    hidden = np.zeros(adata.n_obs, dtype=bool)
    for code, number in enumerate(conditions):
        if number != UNSEEN_SECTION:
            hidden |= (codes == code) & adata.obs_names.isin(bundle.sections[number - 1].hidden)
    if not hidden.any():
        raise InputError(
            "The model knows of no hidden cell in these sections. Train one on them that holds cells out "
            "(`squint train ... --hold-out 0.1`), or say which cells to predict (`hidden`)."
        )
    return hidden


def _check(adata: AnnData, hidden: Mask) -> None:
    """Refuse a choice of hidden cells that leaves nothing to predict, or nothing to predict it from."""
    if np.shape(hidden) != (adata.n_obs,) or np.asarray(hidden).dtype != bool:
        raise InputError(f"`hidden` must hold True or False for each of the {adata.n_obs} cells.")
    if not hidden.any():
        raise InputError("`hidden` marks no cell. Mark those to predict.")
    codes = pp.section_codes(adata)
    for code, name in enumerate(section_names(adata)):
        if hidden[codes == code].all():
            raise InputError(f"All cells of section {name!r} are hidden: leave some to predict them from.")


def _protocol(adata: AnnData, bundle: Bundle, conditions: NDArray[np.int64], hidden: Mask) -> dict[str, str]:
    """Say of each section with hidden cells whether training knew them."""
    codes, said = pp.section_codes(adata), {}
    for code, name in enumerate(section_names(adata)):
        inside = hidden & (codes == code)
        if not inside.any():
            continue
        cells = adata.obs_names[inside & _measured(adata)]
        if conditions[code] == UNSEEN_SECTION:
            said[name] = NOT_IN_TRAINING
        else:
            unknown = cells.isin(bundle.sections[conditions[code] - 1].hidden).all()
            said[name] = TRAINED_WITHOUT if unknown else TRAINED_ON
    return said


def _changed(adata: AnnData, bundle: Bundle, conditions: NDArray[np.int64]) -> list[str]:
    """Warn of sections that have the training sections' names but not their counts."""
    same = find_conditions(adata, bundle) == conditions
    return [
        f"Section {name} is not what the model was trained on: counts or positions differ. It is treated as "
        "that section, because name, number of cells and hidden cells agree."
        for name, is_same in zip(section_names(adata), same, strict=True)
        if not is_same
    ]


def _table(adata: AnnData, genes: list[str], hidden: Mask, values: NDArray[np.float32]) -> pd.DataFrame:
    """Put predictions (m, g) in the rows of the hidden cells, where the gene is measured."""
    table = np.full((adata.n_obs, len(genes)), np.nan, dtype=np.float32)
    table[hidden] = np.where(np.isin(genes, adata.var_names), values, np.nan)
    return pd.DataFrame(table, index=adata.obs_names, columns=genes)
