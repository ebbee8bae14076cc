"""What may be kept of a section, and what looks as if it named a person."""

import re

from squint import keys

KEPT_COLUMNS = (keys.SECTION, keys.PATIENT, keys.CELL_TYPE, keys.Z)
PLANTED_COLUMNS = (  # of the simulated cohort
    "region",
    "tumour_core",
    "hypoxia",
    "true_type",
    "state",
    "induction",
    "to_tumour_um",
    "risk",
)

_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_DATE = re.compile(
    r"\d{1,4}[-./ _]\d{1,2}[-./ _]\d{2,4}|(19|20)\d{6}|\d{1,2}[-. _]?("
    + _MONTHS
    + r")[a-z]*[-. _]?(19|20)?\d\d",
    re.IGNORECASE,
)
_RECORD = re.compile(r"\d{6,}|\d{3}[ -]\d{2,3}[ -]\d{3,4}")
_NAME_WORD = re.compile(r"[A-Z\u00C0-\u00DE][a-z\u00DF-\u00FF']+")
_TITLE = re.compile(r"\b(mr|mrs|ms|dr|prof)\b", re.IGNORECASE)
_OUR_WORDS = re.compile(
    r"section|slide|sample|core|block|patient|case|control|normal|tumou?r|cancer|carcinoma|melanoma|human|mouse|"
    r"kidney|breast|lung|liver|brain|skin|colon|pancreas|prostate|ovary|xenium|visium|cosmx|merfish|merscope",
    re.IGNORECASE,
)


def looks_like(code: str) -> str | None:
    """Say what an identifying text looks like, or ``None``."""
    if _DATE.search(code):
        return "a date"
    if _RECORD.search(code):
        return "a record number"
    words = [word for word in re.split(r"[\s,_.-]+", code) if word.isalpha() or "'" in word]
    words = [word for word in words if len(word) > 1 and not _OUR_WORDS.fullmatch(word)]
    named = 2 <= len(words) <= 3 and all(_NAME_WORD.fullmatch(word) for word in words)
    if named or _TITLE.search(code):
        return "a person's name"
    return None
