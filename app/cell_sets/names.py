"""What a cell set is called, and what is said of how it was made."""

import unicodedata
from collections.abc import Sequence
from itertools import count

from squint.errors import InputError
from squint.sensitive import flag_text

_LONGEST_NAME, _LONGEST_HOW = 60, 300


def clean_name(text: object) -> str:
    """Make a text a name: one line of at most 60 characters, which identifies nobody.

    Raises
    ------
    InputError
        If nothing is left, or it holds what looks like a date or a record number.
    """
    kept = "".join(c if not unicodedata.category(c).startswith("C") else " " for c in str(text)[:1_000])
    name = " ".join(kept.split())[:_LONGEST_NAME].strip()
    if not name:
        raise InputError("A cell set needs a name. Write one.")
    if why := flag_text([name]):
        raise InputError(f"This name {why}. Choose one that identifies nobody.")
    return name


def free_name(name: str, taken: Sequence[str]) -> str:
    """Append a number if another set has this name."""
    used = {other.casefold() for other in taken}
    if name.casefold() not in used:
        return name
    numbered = (f"{name[: _LONGEST_NAME - len(f' {i}')].rstrip()} {i}" for i in count(2))
    return next(free for free in numbered if free.casefold() not in used)


def clean_how(text: str) -> str:
    """Make a text one line of at most 300 characters."""
    text = " ".join(text.split()).strip("; ")
    return text if len(text) <= _LONGEST_HOW else text[: _LONGEST_HOW - 1] + "…"
