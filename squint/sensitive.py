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
_DAY, _MONTH = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])"
_NAMED_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
DATE = re.compile(
    rf"(?<!\d)(?:(?:19|20)\d\d[-./_ ]?(?:0[1-9]|1[0-2])[-./_ ]?(?:0[1-9]|[12]\d|3[01])"
    rf"|(?:19|20)\d\d[-./_ ]{_MONTH}[-./_ ]{_DAY}"
    rf"|{_DAY}[-./]{_DAY}[-./](?:19|20)?\d\d|{_DAY}[_ ]{_DAY}[_ ](?:19|20)\d\d"
    rf"|{_DAY}[-._ ]?{_NAMED_MONTH}[-._ ]?(?:19|20)?\d\d)(?!\d)",
    re.IGNORECASE,
)
LONG_NUMBER = re.compile(r"(?<!\d)(?:\d{6,}|\d{3}[ -]\d{2,3}[ -]\d{3,4})(?!\d)")
NAME_WORD = re.compile(r"[A-Z\u00C0-\u00DE][a-z\u00DF-\u00FF']+")
TITLE = re.compile(r"\b(mr|mrs|ms|dr|prof)\b", re.IGNORECASE)
OUR_WORDS = re.compile(  # capitalised in the names of sections, and no person's
    r"section|slide|sample|core|block|patient|case|control|normal|tumou?r|cancer|carcinoma|melanoma|human|mouse|"
    r"kidney|breast|lung|liver|brain|skin|colon|pancreas|prostate|ovary|xenium|visium|cosmx|merfish|merscope",
    re.IGNORECASE,
)
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


def looks_like(text: str) -> str | None:
    """Say what an identifying text, such as a code or a file's name, looks like, or ``None``."""
    if DATE.search(text):
        return "a date"
    if LONG_NUMBER.search(text):
        return "a record number"
    words = [word for word in re.split(r"[\s,_.-]+", text) if word.isalpha() or "'" in word]
    words = [word for word in words if len(word) > 1 and not OUR_WORDS.fullmatch(word)]
    named = 2 <= len(words) <= 3 and all(NAME_WORD.fullmatch(word) for word in words)
    return "a person's name" if named or TITLE.search(text) else None


def flag_text(values: Iterable[str]) -> str | None:
    """Say why any of some texts looks sensitive, if one does; names of cell types look like people's."""
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
