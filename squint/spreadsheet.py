"""Tables as CSV that spreadsheets open as they are: no text becomes a formula, and none a row of its own."""

import csv
import re
import unicodedata
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

_HIDDEN = "\u00ad\u200b-\u200f\u2060\ufeff"
FORMULA = "=+\\-@\uff1d\uff0b\uff0d\uff20"  # and their wide forms, for a class of characters
_STARTS = re.compile(f"[\\s{_HIDDEN}]*[{FORMULA}]")
_AFTER_SEPARATOR = re.compile(f"([,;\t]\\s*)(?=[{FORMULA}])")


def neutral(cell: object) -> str:
    """Return a text that no spreadsheet takes for a formula, on one line, without control characters.

    Parameters
    ----------
    cell
        A label from a file or a user.

    Returns
    -------
    The text, behind an apostrophe where it would be computed.
    """
    text = re.sub(r"[^\S ]", " ", str(cell))  # any white space but a blank; a carriage return begins a row
    text = "".join(c for c in text if unicodedata.category(c) != "Cc") if not text.isprintable() else text
    return f"'{text}" if _STARTS.match(text) else text


def restored(text: str) -> str:
    """Take off the apostrophe that :func:`neutral` put before a text."""
    return text[1:] if text.startswith("'") and _STARTS.match(text[1:]) else text


def csv_text(table: "pd.DataFrame", stamp: Mapping[str, str] | None = None) -> str:
    """Write a table as CSV, without its index.

    Parameters
    ----------
    table
        Numbers stay as they are; all else is text, which is quoted, since spreadsheets of some countries part
        columns at semicolons.
    stamp
        Text by name, for lines that begin with ``#`` above the table.

    Returns
    -------
    The content of the file.
    """
    safe = table.copy()
    for name in safe.columns:
        if safe[name].dtype.kind not in "fiub":
            safe[name] = safe[name].astype(object).map(neutral, na_action="ignore")
    safe.columns = [neutral(name) for name in safe.columns]
    head = "".join(f"# {key}: {_on_one_line(value)}\n" for key, value in (stamp or {}).items())
    rows: str = safe.to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    return head + rows


def _on_one_line(value: str) -> str:
    """Write a value of a stamp so that no part of it is a formula, where a spreadsheet cuts it at commas."""
    return _AFTER_SEPARATOR.sub(r"\1'", " ".join(neutral(value).split()))
