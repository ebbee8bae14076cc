from datetime import UTC, datetime

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray

from squint import keys, pp
from squint.baselines import graph_mean
from squint.bundle import Bundle, versions
from squint.cohort import Cohort, prepare, section_names
from squint.errors import InputError
from squint.model import UNSEEN_SECTION, decode, embed
from squint.tl._fit import check_fits, find_conditions

TRAINED_WITHOUT = "trained without these cells"
NOT_IN_TRAINING = "not in training"
TRAINED_ON = "trained on these cells"

Mask = NDArray[np.bool_]


def inpaint(
    adata: AnnData, bundle: Bundle, *, hidden: Mask | None = None, copy: bool = False
) -> AnnData | None:
    """Predict the expression of hidden cells from everything that is observed around them.

    All hidden cells are masked at once. Their counts and labels enter nothing: neither input, nor depth, nor
    the choice of the section's condition.

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
    copy
        Return a changed copy instead of changing ``adata``.

    Returns
    -------
    Returns ``None`` if ``copy=False``, else an ``AnnData``. Sets the following fields:

    ``adata.obs["squint_hidden"]`` : bool (n,)
        The cells predicted.
    ``adata.obsm["squint_imputed_cell"]`` : :class:`pandas.DataFrame`, float32 (n, g)
        Expected counts of each hidden cell: the shares that its code decodes to, times the mean depth of its
        observed neighbours, or of its section's observed cells if it has none. NaN for observed cells. The
        columns are the model's genes.
    ``adata.obsm["squint_imputed"]`` : :class:`pandas.DataFrame`, float32 (n, g)
        Expected mean counts of each hidden cell's closed neighbourhood: counts of the observed cells in it,
        and the prediction for the hidden ones. NaN for observed cells.
    ``adata.obsp["spatial_connectivities"]``, ``adata.obsp["spatial_distances"]`` : CSR (n, n)
        The graph, if there was none.
    ``adata.uns["squint"]["inpainting"]`` : dict
        ``model_sha256``; ``n_hidden``; ``protocol`` of each section with hidden cells: ``"trained without
        these cells"``, ``"not in training"``, or ``"trained on these cells"``, which is no test of the model;
        ``warnings``, versions and time.

    Raises
    ------
    InputError
        If no cell is hidden, a section has none observed, or the sections do not suit the model, as
        `squint.tl.tokenize`.

    References
    ----------
    SQUINT, section 5.2.
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
    profiles = cell_profiles(bundle, cohort, conditions)
    means = graph_mean(cohort.counts, cohort.graph, hidden, profiles)
    adata.obs[keys.HIDDEN] = hidden
    adata.obsm[keys.IMPUTED_CELL] = _table(adata, bundle.genes, hidden, profiles)
    adata.obsm[keys.IMPUTED] = _table(adata, bundle.genes, hidden, means)
    adata.uns.setdefault(keys.PROVENANCE, {})["inpainting"] = {
        "model_sha256": bundle.sha256,
        "n_hidden": int(hidden.sum()),
        "protocol": _protocol(adata, bundle, conditions, hidden),
        "warnings": warnings + _changed(adata, bundle, conditions),
        "versions": versions(),
        "time_utc": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return adata if copy else None


def cell_profiles(bundle: Bundle, cohort: Cohort, conditions: NDArray[np.int64]) -> NDArray[np.float32]:
    """Predict the counts of the hidden cells of a cohort, from their codes.

    Parameters
    ----------
    bundle
        A trained model.
    cohort
        Cells over the model's genes, n of them, m hidden.
    conditions
        Per section of ``cohort``, its number in the model (0 = unseen).

    Returns
    -------
    Expected counts (m, g), in the order of the cells.
    """
    position = np.cumsum(~cohort.visible) - 1
    depth = observed_depth(cohort)
    profiles = np.empty((len(depth), cohort.counts.shape[1]), dtype=np.float32)
    for part in embed(bundle.model, cohort, conditions):
        masked = ~cohort.visible[part.cells]
        some = part._replace(cells=part.cells[masked], tokens=part.tokens[masked])
        at = position[some.cells]
        shares = decode(bundle.model, cohort, conditions, some).log_shares.exp().cpu().numpy()
        profiles[at] = shares * depth[at][:, None]
    return profiles


def observed_depth(cohort: Cohort) -> NDArray[np.float64]:
    """Give the mean depth of the observed cells around each hidden one (m,), or of those of its section."""
    seen = cohort.visible.astype(np.float64)
    depth = np.asarray(cohort.counts.sum(axis=1), dtype=np.float64).ravel() * seen
    n_sections = len(cohort.section_names)
    of_section = np.bincount(cohort.section, depth, n_sections) / np.maximum(
        np.bincount(cohort.section, seen, n_sections), 1
    )
    around = cohort.graph[~cohort.visible] @ np.column_stack([depth, seen])
    mean: NDArray[np.float64] = np.where(
        around[:, 1] > 0,
        around[:, 0] / np.maximum(around[:, 1], 1),
        of_section[cohort.section[~cohort.visible]],
    )
    return mean


def _conditions(adata: AnnData, bundle: Bundle) -> NDArray[np.int64]:
    """Find the number of each section in the model (sections,), 0 if unseen, without a look at counts.

    `find_conditions` asks for the same counts in all cells, and so its answer depends on those that must not
    be known here.
    """
    names, codes = section_names(adata), pp.section_codes(adata)
    conditions = np.full(len(names), UNSEEN_SECTION)
    if not set(bundle.genes) <= set(adata.var_names):
        return conditions
    for number, record in enumerate(bundle.sections, start=1):
        if record.name in names:
            cells = adata.obs_names[codes == names.index(record.name)]
            if len(cells) == record.n_cells and pd.Index(record.hidden).isin(cells).all():
                conditions[names.index(record.name)] = number
    return conditions


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
        cells = adata.obs_names[hidden & (codes == code)]
        if not len(cells):
            continue
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
    """Put predictions (m, g) in the rows of the hidden cells."""
    table = np.full((adata.n_obs, len(genes)), np.nan, dtype=np.float32)
    table[hidden] = values
    return pd.DataFrame(table, index=adata.obs_names, columns=genes)
