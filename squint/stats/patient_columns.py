"""What a column of the table of patients holds: numbers or groups."""

import re
from collections.abc import Sequence
from math import isfinite

MAX_LETTERS = 60  # of a name of a column, and of a value: longer ones are free text
NUMBERS, GROUPS = "numbers", "groups"  # what a column holds
MOST_GRADES = 4  # different numbers that are taken for grades, and so for groups
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d{1,3})?", re.IGNORECASE)


def kind_of(values: Sequence[str]) -> str:
    """Say whether a column holds numbers or groups.

    Parameters
    ----------
    values
        Those that are there.

    Returns
    -------
    ``"numbers"`` if all are numbers and more than 4 of them differ, else ``"groups"``.
    """
    numbers = [as_number(value) for value in values]
    return NUMBERS if None not in numbers and len(set(numbers)) > MOST_GRADES else GROUPS


def as_number(value: str) -> float | None:
    """Read a number.

    Parameters
    ----------
    value
        As it is written, with a decimal point.

    Returns
    -------
    The number, or ``None`` if it is none that is finite.
    """
    if len(value) > MAX_LETTERS or not _NUMBER.fullmatch(value):
        return None
    number = float(value)
    return number if isfinite(number) else None
