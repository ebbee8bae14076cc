"""Bring the tables of a section to squint's names: pure functions that add what they did to ``notes``."""

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from operator import ne
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from squint import keys
from squint.errors import InputError
from squint.io import checks, mapped
from squint.io.findings import Findings

SPATIALDATA_REGION = "spatialdata_region"  # what SpatialData calls the region that a cell is of
ALIASES: Mapping[str, tuple[str, ...]] = {
    keys.SECTION: ("section", "sample", "library_id", "batch", SPATIALDATA_REGION),
    keys.PATIENT: ("patient", "donor"),
    keys.CELL_TYPE: ("celltype", "annotation"),
    keys.REGION: ("pathology_region",),
    keys.Z: ("z",),
}
LABELS = {
    keys.SECTION: "section",
    keys.PATIENT: "patient",
    keys.CELL_TYPE: "cell type",
    keys.REGION: "region",
}
SYMBOL_COLUMNS = ("gene_symbols", "gene_ids", "gene_symbol", "gene_name", "feature_name")
MISSING = {
    "",
    "nan",
    "none",
    "na",
    "n/a",
    "<na>",
    "null",
    "nat",
    "-",
    "--",
    "#n/a",
    "n.a.",
    "?",
    ".",
}  # words for no label, in small letters
WHOLE = re.compile(r"-?\d+\.0+")  # a whole number that was written as a fraction
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


def name_columns(
    obs: pd.DataFrame, columns: Mapping[str, str], stem: str, findings: Findings
) -> pd.DataFrame:
    """Name the columns of ``obs`` that squint knows.

    Parameters
    ----------
    obs
        The file's table of cells.
    columns
        Our name -> the file's name, where the caller says so; an empty text: no column.
    stem
        The section's name if no column holds one.
    findings
        Added to.

    Returns
    -------
    A table with the known columns renamed, labels as text categories, the rest as it was.

    Raises
    ------
    InputError
        If a named column is missing, or cells have no section.
    """
    sources = _sources(obs, columns)
    named = obs.drop(columns=[*sources.values(), *(key for key in ALIASES if key in obs)], errors="ignore")
    for key, source in sources.items():
        named[key] = obs[source] if key == keys.Z else labels(obs[source])
        if key in LABELS:
            _note_forms(obs[source], named[key], source, LABELS[key], findings)
    if keys.SECTION not in named:
        named[keys.SECTION] = pd.Categorical([stem] * len(obs))
        if keys.SECTION not in columns:
            findings.note(f"No column names a section: read as one section, {stem!r}.")
    n_missing = int(named[keys.SECTION].isna().sum())
    if n_missing:
        raise InputError(
            f"{n_missing} cells have no section in obs[{sources[keys.SECTION]!r}]. Name it or remove them."
        )
    return named


def _sources(obs: pd.DataFrame, columns: Mapping[str, str]) -> dict[str, str]:
    """Find which column holds what: our name -> the source's."""
    if unknown := sorted(set(columns) - set(ALIASES)):
        raise InputError(f"`columns` names {listed(unknown)}; it may name {', '.join(ALIASES)}.")
    sources = {}
    for key, aliases in ALIASES.items():
        chosen = columns.get(key)
        if chosen and chosen not in obs:
            raise InputError(f"`obs` has no column {chosen!r}; it has {listed(list(obs.columns))}.")
        candidates = (key, *aliases) if chosen is None else (chosen,)
        if source := next((name for name in candidates if name in obs), None):
            sources[key] = source
    return sources


def _note_forms(column: pd.Series, named: pd.Series, source: str, what: str, findings: Findings) -> None:
    """Say how many cells have no label, and where the source spelt one label in several ways."""
    if n_missing := int(named.isna().sum()):
        spelt = sorted(
            {repr(str(value)) for value in column[named.isna()].unique() if isinstance(value, str)}
        )
        words = f", spelt {listed(spelt)}" if spelt else ""
        findings.note(f"{n_missing:,} cells have no {what} in obs[{source!r}]{words}.")
    n_forms = column.dropna().astype(str)[named.notna().to_numpy()[column.notna().to_numpy()]].nunique()
    if n_forms > named.nunique():
        findings.note(
            f"obs[{source!r}] spells {named.nunique():,} labels in {n_forms:,} ways; each is one now."
        )
    folded = named.cat.categories.str.casefold()
    if folded.duplicated().any():
        alike = listed(sorted(named.cat.categories[folded.duplicated(keep=False)]))
        findings.note(f"obs[{source!r}]: labels that differ in case alone are taken as different ({alike}).")


def labels(column: pd.Series) -> "pd.Categorical[str]":
    """Give a column as text categories, each label in one form; words for missing are missing.

    ``1``, ``1.0`` and ``"1.0"`` are one label; so are ``"P1"`` and ``"P1 "``, and the two ways in which
    Unicode spells an accent.
    """
    values = column
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(values.cat.categories.dtype)
    codes, found = pd.factorize(values)
    forms = pd.Index([_one_form(value) for value in found], dtype=object)
    numbers, names = pd.factorize(forms, sort=True)
    numbers = np.append(numbers, -1)  # for the cells that have none
    return pd.Categorical.from_codes(numbers[codes], categories=names.astype(str))


def _one_form(value: Any) -> str | None:
    if isinstance(value, float | np.floating) and float(value).is_integer():
        value = int(value)  # pandas makes 1.0 of 1 where one cell has none
    text = _plain(str(value))
    if WHOLE.fullmatch(text):
        text = text.partition(".")[0]
    return None if text.casefold() in MISSING else text


def _plain(text: str) -> str:
    """Give text without what no one sees: blanks around it, of any kind, and letters without width."""
    if text.isascii() and text.isprintable() and text == text.strip() and "  " not in text:
        return text
    seen = "".join(letter for letter in text if unicodedata.category(letter) != "Cf")
    return " ".join(unicodedata.normalize("NFC", seen).split())


def place_z(
    spatial: checks.Floats, obs: pd.DataFrame, findings: Findings
) -> tuple[checks.Floats, pd.DataFrame]:
    """Decide whether z is the height of whole levels, or the third coordinate of each cell.

    Parameters
    ----------
    spatial
        (n, 2) or (n, 3).
    obs
        Table with ``section_id``, perhaps with ``z_um``.
    findings
        Added to.

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
        findings.note("z is missing for some cells, or no number, and was not used.")
        return spatial, obs.drop(columns=keys.Z)
    heights = z.to_numpy(np.float64)
    codes = obs[keys.SECTION].cat.codes.to_numpy()
    spread = pd.Series(heights).groupby(codes).agg(np.ptp)
    if not spread.any():
        return spatial, obs.assign(**{keys.Z: heights})
    if spatial.shape[1] == 2:
        findings.note("z varies within a section, so it was read as the third coordinate.")
        spatial = np.column_stack([spatial, heights])
        checks.check_coordinates(spatial, obs.index, "positions with z")
    return spatial, obs.drop(columns=keys.Z)


def name_genes(
    counts: sparse.csr_matrix, var: pd.DataFrame, findings: Findings
) -> tuple[sparse.csr_matrix, pd.DataFrame]:
    """Name genes by symbol and sum those that share one.

    Parameters
    ----------
    counts
        CSR (n, g).
    var
        The file's table of genes (g rows).
    findings
        Added to.

    Returns
    -------
    Counts and table with one column or row per symbol, in the order of their first occurrence.
    """
    var = var.copy()
    plain = [_plain(str(name)) for name in var.index]
    if n_odd := sum(map(ne, plain, var.index)):
        findings.note(f"{n_odd:,} names of genes had blanks around them, or invisible letters: dropped.")
        var.index = pd.Index(plain, dtype=object)
    if _share_ensembl(var.index) > 0.5:
        symbols = next(
            (c for c in SYMBOL_COLUMNS if c in var and _share_ensembl(var[c].astype(str)) <= 0.5), None
        )
        if symbols is None:
            findings.note("Genes are named by Ensembl id, and no column of `var` holds their symbols.")
        else:
            text = var[symbols].astype(object)
            known = (text.notna() & (text.astype(str).str.strip() != "")).to_numpy()
            findings.note(
                f"Ensembl ids of {int(known.sum())} genes were replaced by the symbols in var[{symbols!r}]."
            )
            var.index = pd.Index(np.where(known, text.astype(str), var.index))
    if var.index.is_unique:
        return counts, var
    group, _ = pd.factorize(var.index)
    n_repeated = int(var.index.duplicated().sum())
    findings.note(f"{n_repeated} genes share a name with another; their counts were summed.")
    merge = sparse.csr_matrix((np.ones(len(group), np.float32), (np.arange(len(group)), group)))
    merged = mapped.change_rows(counts, lambda rows, _: sparse.csr_matrix(rows @ merge))
    merged.sort_indices()
    return merged, var[~var.index.duplicated()]


def _share_ensembl(names: Iterable[str]) -> float:
    return float(np.mean([ENSEMBL.fullmatch(str(name)) is not None for name in names]))


def kind_of_values(counts: sparse.csr_matrix, findings: Findings) -> str:
    """Give ``"counts"``, or ``"intensities"`` where values are far too large."""
    if not checks.are_intensities(counts):
        return "counts"
    findings.note("Values are far too large for counts: read as intensities, for viewing only.")
    return "intensities"


def note_empty(counts: sparse.csr_matrix, findings: Findings) -> None:
    """Note how many cells have no counts."""
    n_empty = int((np.diff(counts.indptr) == 0).sum())
    if n_empty == counts.shape[0]:
        findings.note("No cell has any counts: there is nothing to tokenise.")
    if n_empty:
        findings.note(f"{n_empty:,} cells have no counts at all: they get no token and no score.")


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
