"""Bring the tables of a section to squint's names: pure functions that add what they did to ``notes``."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from squint import keys
from squint.errors import InputError
from squint.io import checks, mapped

ALIASES: Mapping[str, tuple[str, ...]] = {
    keys.SECTION: ("section", "sample", "library_id", "batch"),
    keys.PATIENT: ("patient", "donor"),
    keys.CELL_TYPE: ("celltype", "annotation"),
    keys.REGION: ("pathology_region",),
    keys.Z: ("z",),
}
UNITS = ("um", "um (assumed)", "unknown")
SYMBOL_COLUMNS = ("gene_symbols", "gene_ids", "gene_symbol", "gene_name", "feature_name")
ENSEMBL = re.compile(r"ENS[A-Z]*G\d{6,}(?:\.\d+)?")
MAX_LISTED = 5


def listed(names: Sequence[str]) -> str:
    """Join names for a sentence, the first few of many."""
    more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    return ", ".join(names[:MAX_LISTED]) + more


def unique_names(names: pd.Index) -> pd.Index:
    """Add ``-1``, ``-2``, ... to names that occurred before, avoiding those that exist."""
    taken = set(names)
    unique = [str(name) for name in names]
    for i in np.flatnonzero(names.duplicated()):
        numbered = (f"{names[int(i)]}-{number}" for number in count(1))
        unique[i] = next(name for name in numbered if name not in taken)
        taken.add(unique[i])
    return pd.Index(unique, dtype=object, name=names.name)


def name_columns(obs: pd.DataFrame, columns: Mapping[str, str], stem: str, notes: list[str]) -> pd.DataFrame:
    """Name the columns of ``obs`` that squint knows.

    Parameters
    ----------
    obs
        The file's table of cells.
    columns
        Our name -> the file's name, where the caller says so.
    stem
        The section's name if no column holds one.
    notes
        Sentences; added to.

    Returns
    -------
    A table with the known columns renamed, labels as text categories, the rest as it was.

    Raises
    ------
    InputError
        If a named column is missing, or cells have no section.
    """
    if unknown := sorted(set(columns) - set(ALIASES)):
        raise InputError(f"`columns` names {listed(unknown)}; it may name {', '.join(ALIASES)}.")
    sources = {}
    for key, aliases in ALIASES.items():
        if key in columns and columns[key] not in obs:
            raise InputError(f"`obs` has no column {columns[key]!r}; it has {listed(list(obs.columns))}.")
        candidates = (columns[key],) if key in columns else (key, *aliases)
        if source := next((name for name in candidates if name in obs), None):
            sources[key] = source
    named = obs.drop(columns=[*sources.values(), *(key for key in sources if key in obs)], errors="ignore")
    for key, source in sources.items():
        named[key] = obs[source] if key == keys.Z else labels(obs[source])
    if keys.SECTION not in named:
        named[keys.SECTION] = pd.Categorical([stem] * len(obs))
        notes.append(f"No column of `obs` names a section: the file is read as one section, {stem!r}.")
    n_missing = int(named[keys.SECTION].isna().sum())
    if n_missing:
        raise InputError(
            f"{n_missing} cells have no section in obs[{sources[keys.SECTION]!r}]. Name it or remove them."
        )
    return named


def labels(column: pd.Series) -> "pd.Categorical[str]":
    """Give a column as text categories; empty text is missing."""
    values = column
    if pd.api.types.is_float_dtype(values.dtype) and (values.dropna() % 1 == 0).all():
        values = values.astype("Int64")  # 1.0 is section "1"
    categories = pd.Categorical(values.map(str, na_action="ignore"))
    return categories.remove_categories(categories.categories.intersection([""])).remove_unused_categories()


def place_z(
    spatial: checks.Floats, obs: pd.DataFrame, notes: list[str]
) -> tuple[checks.Floats, pd.DataFrame]:
    """Decide whether z is the height of whole levels, or the third coordinate of each cell.

    Parameters
    ----------
    spatial
        (n, 2) or (n, 3).
    obs
        Table with ``section_id``, perhaps with ``z_um``.
    notes
        Sentences; added to.

    Returns
    -------
    Coordinates, and the table: with ``z_um`` only where it is constant within each section.
    """
    if keys.Z not in obs:
        return spatial, obs
    z = obs[keys.Z]
    if (
        not pd.api.types.is_numeric_dtype(z.dtype)
        or not np.isfinite(z.to_numpy(np.float64, na_value=np.nan)).all()
    ):
        notes.append("z is missing for some cells, or no number, and was not used.")
        return spatial, obs.drop(columns=keys.Z)
    heights = z.to_numpy(np.float64)
    codes = obs[keys.SECTION].cat.codes.to_numpy()
    spread = pd.Series(heights).groupby(codes).agg(np.ptp)
    if not spread.any():
        return spatial, obs.assign(**{keys.Z: heights})
    if spatial.shape[1] == 2:
        notes.append("z varies within a section, so it was read as the third coordinate.")
        spatial = np.column_stack([spatial, heights])
    return spatial, obs.drop(columns=keys.Z)


def name_genes(
    counts: sparse.csr_matrix, var: pd.DataFrame, notes: list[str]
) -> tuple[sparse.csr_matrix, pd.DataFrame]:
    """Name genes by symbol and sum those that share one.

    Parameters
    ----------
    counts
        CSR (n, g).
    var
        The file's table of genes (g rows).
    notes
        Sentences; added to.

    Returns
    -------
    Counts and table with one column or row per symbol, in the order of their first occurrence.
    """
    var = var.copy()
    if _share_ensembl(var.index) > 0.5:
        symbols = next(
            (c for c in SYMBOL_COLUMNS if c in var and _share_ensembl(var[c].astype(str)) <= 0.5), None
        )
        if symbols is None:
            notes.append("Genes are named by Ensembl id, and no column of `var` holds their symbols.")
        else:
            text = var[symbols].astype(object)
            known = (text.notna() & (text.astype(str).str.strip() != "")).to_numpy()
            notes.append(
                f"Ensembl ids of {int(known.sum())} genes were replaced by the symbols in var[{symbols!r}]."
            )
            var.index = pd.Index(np.where(known, text.astype(str), var.index))
    if var.index.is_unique:
        return counts, var
    group, _ = pd.factorize(var.index)
    n_repeated = int(var.index.duplicated().sum())
    notes.append(f"{n_repeated} genes share a name with another; their counts were summed.")
    merge = sparse.csr_matrix((np.ones(len(group), np.float32), (np.arange(len(group)), group)))
    merged = mapped.change_rows(counts, lambda rows, _: sparse.csr_matrix(rows @ merge))
    merged.sort_indices()
    return merged, var[~var.index.duplicated()]


def _share_ensembl(names: Iterable[str]) -> float:
    return float(np.mean([ENSEMBL.fullmatch(str(name)) is not None for name in names]))


def kind_of_values(counts: sparse.csr_matrix, notes: list[str]) -> str:
    """Give ``"counts"`` or ``"intensities"``, and note cells and matrices without any."""
    n_empty = int((np.diff(counts.indptr) == 0).sum())
    if n_empty:
        notes.append(f"{n_empty} cells have no counts at all; they were kept.")
    if not checks.are_intensities(counts):
        return "counts"
    notes.append("Values are far too large for counts: read as intensities, for viewing only.")
    return "intensities"


def name_unit(stated: str | None, spacings: NDArray[np.float64], notes: list[str]) -> str:
    """Give the unit of the coordinates: as stated, or as the spacing of cells suggests."""
    if not len(spacings):
        return stated or "unknown"
    spacing = float(np.median(spacings))
    guess = checks.guess_unit(spacing)
    if stated == "um" and guess == "unknown":
        notes.append(f"Coordinates are stated in um, but cells lie {spacing:.4g} apart: check the unit.")
    elif stated is None and guess == "unknown":
        notes.append(f"The unit of the coordinates is unknown: cells lie {spacing:.4g} apart, not 3 to 50.")
    return stated or guess


def to_plain(value: Any) -> Any:
    """Turn what anndata reads from ``uns`` into what JSON can hold; undoes :func:`to_storable`."""
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [to_plain(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, str) and value[:1] in {"{", "["}:
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value if value is None or isinstance(value, str | int | float) else str(value)


def to_storable(value: Any) -> Any:
    """Turn JSON-able values into what HDF5 can hold: mixed lists and names with a slash become text."""
    if isinstance(value, Mapping):
        if any("/" in str(key) or not str(key) for key in value):
            return json.dumps(value)
        return {str(key): to_storable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        kinds = {
            str if isinstance(item, str) else float for item in value if isinstance(item, str | int | float)
        }
        uniform = len(kinds) == 1 and all(isinstance(item, str | int | float) for item in value)
        return list(value) if uniform else json.dumps(value)
    return value
