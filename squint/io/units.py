"""The unit of positions: as the source states it or the user says, and never guessed."""

import math

import numpy as np
from numpy.typing import NDArray

from squint.errors import InputError
from squint.io.findings import Findings

UM, UNKNOWN = "um", "unknown"
NAMED = {"um": 1.0, "mm": 1000.0, "nm": 0.001, UNKNOWN: None}
CHOICES = ("um", "mm", "nm", "unknown", "or the um of one unit, such as 0.2125")
ODD_UM = (0.5, 100.0)  # outside, the distance to the nearest cell or spot is said to be odd


def said_unit(text: str | None) -> float | None:
    """Give the micrometres of one unit that the user says; None for unknown, or nothing said.

    Raises
    ------
    InputError
        If the words are no unit.
    """
    if text is None or text in NAMED:
        return NAMED.get(text or UNKNOWN)
    try:
        factor = float(text)
    except ValueError:
        factor = math.nan
    if not (math.isfinite(factor) and factor > 0):
        raise InputError(f"{text!r} is no unit. Say {', '.join(CHOICES)}.")
    return factor


def settle_unit(
    stated: float | None, said: str | None, hint: str, spacings: NDArray[np.float64], findings: Findings
) -> float | None:
    """Decide how many micrometres one unit of the positions has.

    Parameters
    ----------
    stated
        As the source states it, if it does.
    said
        As the user says it, if he does; it counts over what is stated.
    hint
        A sentence for the question.
    spacings
        Distances to the nearest cell, in the source's unit.
    findings
        Added to; asked where nothing is known.

    Returns
    -------
    The factor; None: unknown.

    Raises
    ------
    InputError
        If the words are no unit.
    """
    factor = stated if said is None else said_unit(said)
    if said is not None and stated is not None and factor != stated:
        findings.note(
            f"The source states {stated:g} um for one unit of the positions; taken is what you say."
        )
    spacing = float(np.median(spacings)) if len(spacings) else math.nan
    if factor is None:
        if said is None:
            apart = f" Cells lie {spacing:.4g} apart." if math.isfinite(spacing) else ""
            words = f"The unit of the positions is not stated.{apart}"
            findings.ask("unit", f"{words} {hint}".strip(), CHOICES)
        return None
    if math.isfinite(spacing) and not ODD_UM[0] <= spacing * factor <= ODD_UM[1]:
        findings.note(
            f"Positions are stated in um, but cells lie {spacing * factor:.4g} um apart: check the unit."
        )
    return factor
