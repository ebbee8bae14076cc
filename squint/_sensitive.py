"""Flag what looks like a person's name, a date or a record number; say where and why, never the value."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

WORDS = {
    "a person's name": {
        "surname",
        "forename",
        "firstname",
        "lastname",
        "fullname",
        "patientname",
        "initials",
    },
    "a date of birth": {"dob", "birth", "birthday", "birthdate", "dateofbirth", "born"},
    "a record number": {"mrn", "nhs", "ssn", "record", "passport", "insurance", "nhi"},
    "a date": {"date", "datetime", "timestamp"},
    "a contact": {"address", "email", "phone", "postcode", "zipcode", "hospital"},
}
PERSONS = {"patient", "donor", "subject", "person", "first", "last", "full", "family", "given", "doctor"}
DATE = re.compile(
    r"(?<!\d)(?:(?:19|20)\d\d[-./_]?(?:0[1-9]|1[0-2])[-./_]?(?:0[1-9]|[12]\d|3[01])"
    r"|(?:0?[1-9]|[12]\d|3[01])[-./](?:0?[1-9]|[12]\d|3[01])[-./](?:19|20)?\d\d)(?!\d)"
)
LONG_NUMBER = re.compile(r"(?<!\d)(?:\d{7,}|\d{3}[ -]\d{3}[ -]\d{4}|\d{3}-\d{2}-\d{4})(?!\d)")
MAX_VALUES = 2_000  # columns with more different values are identifiers of cells, not of people


@dataclass(frozen=True)
class Sensitive:
    """A place that may identify a person; never the value found there."""

    where: str  # "obs", "uns" or "file name"
    key: str
    why: str


def flag_name(key: str) -> str | None:
    """Say why a key's name looks sensitive, if it does."""
    words = re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key).lower())
    if "name" in words and PERSONS & set(words):
        return "its name looks like a person's name"
    for what, known in WORDS.items():
        if known & set(words):
            return f"its name looks like {what}"
    return None


def flag_text(values: Iterable[str]) -> str | None:
    """Say why any of some texts looks sensitive, if one does."""
    for value in values:
        if DATE.search(value):
            return "holds what looks like a date"
        if LONG_NUMBER.search(value):
            return "holds a long number, as record numbers are"
    return None


def _flag_column(column: pd.Series) -> str | None:
    if isinstance(column.dtype, pd.CategoricalDtype):
        values = column.cat.categories
    elif pd.api.types.is_datetime64_any_dtype(column.dtype):
        return "holds dates"
    elif pd.api.types.is_numeric_dtype(column.dtype):
        return None
    else:
        values = pd.Index(column.unique())
    return flag_text(str(value) for value in values) if len(values) <= MAX_VALUES else None


def find_sensitive(obs: pd.DataFrame, uns_keys: Iterable[str], file_name: str) -> tuple[Sensitive, ...]:
    """List the columns of ``obs``, the keys of ``uns`` and the file name that may identify a person.

    Parameters
    ----------
    obs
        The table of cells.
    uns_keys
        Full names below ``uns``, such as ``"source/path"``.
    file_name
        Name of the file, without its folder.

    Returns
    -------
    One entry per place, without any value.
    """
    found = [("obs", str(key), flag_name(str(key)) or _flag_column(obs[key])) for key in obs.columns]
    found += [("uns", key, flag_name(key.rsplit("/", 1)[-1])) for key in uns_keys]
    found.append(("file name", "", flag_name(file_name) or flag_text([file_name])))
    return tuple(Sensitive(where, key, why) for where, key, why in found if why)
