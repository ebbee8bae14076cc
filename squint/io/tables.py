"""Tables of cells and features as they can be kept: columns that no file can hold are left out, and said."""

import unicodedata
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from squint.io.findings import Findings

_TEXT_OR_NUMBER = (str, int, float, bool, np.number, np.bool_, type(None))


def clean(table: pd.DataFrame, slot: str, findings: Findings) -> pd.DataFrame:
    """Leave out and repair what cannot be written again.

    Parameters
    ----------
    table
        As the source has it.
    slot
        ``"obs"`` or ``"var"``, for the report.
    findings
        Added to.

    Returns
    -------
    A table whose index has no name, whose columns are named by text without a slash, and hold numbers,
    booleans, dates or text. Text has no NUL and no half of a surrogate pair.
    """
    table = table.copy(deep=False)
    table.index = pd.Index(_clean_text(table.index.astype(str), slot, "names", findings), dtype=object)
    kept = {}
    for name in table.columns:
        column = table[name]
        key = _clean_name(str(name))
        if not _can_be_kept(column):
            findings.leave_out(f"column {key!r}", None, "it holds neither numbers nor text", slot)
        elif key in kept:
            findings.leave_out(f"column {key!r}", None, "another column has this name", slot)
        else:
            kept[key] = _clean_column(column, slot, key, findings)
    return pd.DataFrame(kept, index=table.index)


def decoded(table: pd.DataFrame) -> pd.DataFrame:
    """Give a table whose names of rows and columns of bytes, as some programs store text, are text."""
    table = table.copy(deep=False)
    for name in table.columns:
        table[name] = _decoded(table[name])
    table.index = pd.Index(_decoded(table.index.to_series()), name=table.index.name)
    return table


def _decoded(column: pd.Series) -> pd.Series:
    if not pd.api.types.is_object_dtype(column.dtype) or not any(type(value) is bytes for value in column):
        return column
    try:
        return column.map(lambda value: value.decode() if type(value) is bytes else value)
    except UnicodeDecodeError:
        return column


def _can_be_kept(column: pd.Series) -> bool:
    values = column.cat.categories if isinstance(column.dtype, pd.CategoricalDtype) else column
    dtype = values.dtype
    if not pd.api.types.is_object_dtype(dtype):
        kinds = pd.api.types
        return (kinds.is_numeric_dtype(dtype) and not kinds.is_complex_dtype(dtype)) or (
            kinds.is_bool_dtype(dtype) or kinds.is_string_dtype(dtype) or kinds.is_datetime64_any_dtype(dtype)
        )
    return all(isinstance(value, _TEXT_OR_NUMBER) or value is pd.NA for value in values)


def _clean_name(name: str) -> str:
    return _fit(name).replace("/", "_") or "unnamed"


def _clean_column(column: pd.Series, slot: str, name: str, findings: Findings) -> Any:
    """Give a column whose text fits into a file; numbers beside text become text."""
    if not isinstance(column.dtype, pd.CategoricalDtype):
        is_text = pd.api.types.is_object_dtype(column.dtype)
        return _clean_text(column, slot, repr(name), findings) if is_text else column.array
    categories = column.cat.categories
    if not pd.api.types.is_object_dtype(categories.dtype):
        return column.array
    codes, names = pd.factorize(np.array(_clean_text(categories, slot, repr(name), findings), dtype=object))
    numbers = np.append(codes, -1)[column.cat.codes]
    return pd.Categorical.from_codes(numbers, pd.Index(names), ordered=bool(column.cat.ordered))


def _clean_text(values: Iterable[Any], slot: str, name: str, findings: Findings) -> list[str | None]:
    values = list(values)
    if all(type(value) is str for value in values) and _is_fit("".join(values)):
        return values
    cleaned, n_odd = [], 0
    for value in values:
        text = None if not isinstance(value, str) and pd.isna(value) else str(value)
        fit = None if text is None else _fit(text)
        n_odd += fit != text
        cleaned.append(fit)
    if n_odd:
        findings.note(f"{n_odd:,} texts in {slot}, {name}, held characters that no file can hold: dropped.")
    return cleaned


def _fit(text: str) -> str:
    """Drop NUL, halves of surrogate pairs and other control characters."""
    if _is_fit(text):
        return text
    return "".join(c for c in text if c in "\t\n" or unicodedata.category(c) not in {"Cc", "Cs"})


def _is_fit(text: str) -> bool:
    return text.isascii() and text.isprintable()
