"""Where one patient lies among others, in words that claim no more than that: arrays only."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray


def beside(value: float, references: Mapping[str, float]) -> str:
    """Say between which references a value lies, or that it lies outside of all.

    Parameters
    ----------
    value
        Share of the new patient's cells.
    references
        Patient -> the same share.

    Returns
    -------
    Words, such as ``"between SIM-L (0.1 %) and SIM-H (40.2 %)"``.
    """
    order = sorted(references, key=lambda who: (references[who], who))

    def named(who: str) -> str:
        return f"{who} ({100 * references[who]:.1f} %)"

    equal = [who for who in order if references[who] == value]
    below = [who for who in order if references[who] < value]
    above = [who for who in order if references[who] > value]
    if equal:
        return f"as {', '.join(map(named, equal))}"
    if below and above:
        return f"between {named(below[-1])} and {named(above[0])}"
    if above:
        return (
            f"outside: below {'all references, the lowest being ' if len(above) > 1 else ''}{named(above[0])}"
        )
    return (
        f"outside: above {'all references, the highest being ' if len(below) > 1 else ''}{named(below[-1])}"
    )


def nearest(
    distance: NDArray[np.float64], patients: Sequence[str], new: str, references: Sequence[str]
) -> str:
    """Say which reference the sections of a patient lie nearest to, beside how far references lie apart.

    Parameters
    ----------
    distance
        Of sections (S, S).
    patients
        Of each section (S,).
    new
        The patient to place.
    references
        Those to lie among.

    Returns
    -------
    Words: mean distances, nearest first, and whether the patient lies outside, farther from the nearest than
    references lie from each other.
    """
    who = np.asarray(patients, dtype=object)

    def mean(one: str, other: str) -> float:
        part = distance[np.ix_(who == one, who == other)]
        return float(part.mean())

    far = {reference: mean(new, reference) for reference in references}
    order = sorted(far, key=lambda reference: (far[reference], reference))
    said = ", ".join(f"{far[reference]:.2f} from {reference}" for reference in order)
    words = f"In the mean, sections of {new} lie {said}"
    apart = [mean(one, other) for i, one in enumerate(references) for other in references[i + 1 :]]
    if not apart:
        return words
    span = f"{min(apart):.2f}" if len(apart) == 1 else f"{min(apart):.2f} to {max(apart):.2f}"
    words += f"; the references lie {span} from each other"
    if far[order[0]] > max(apart):
        words += f". Outside: farther from {order[0]}, the nearest, than references are from each other"
    return words
