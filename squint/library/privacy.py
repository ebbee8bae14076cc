"""What may be kept of a section, and names without the persons in them."""

import re
from collections.abc import Iterable, Mapping

from squint import keys

MEASURED_COLUMNS = (
    keys.CELL_AREA,
    keys.CONTROL_COUNTS,
    keys.IN_TISSUE,
    "cluster",
    "fov",
)  # by the instrument, of cells
KEPT_COLUMNS = (
    keys.SECTION,
    keys.PATIENT,
    keys.CELL_TYPE,
    keys.REGION,
    keys.Z,
    keys.CELL_ID,
    *MEASURED_COLUMNS,
)
PLANTED_COLUMNS = (  # of the simulated cohort
    "tumour_core",
    "hypoxia",
    "true_type",
    "state",
    "induction",
    "to_tumour_um",
    "risk",
)
_DISTINCT = re.compile(
    r"(?=.*[^\W\d_]).{2,}|\d{4,}"
)  # a letter and more, or digits enough to be a number of somebody


def rename_parts(names: Iterable[str], renamed: Mapping[str, str]) -> tuple[list[str], int]:
    """Replace what names a patient or section in the names of cells, and leave the instrument's ids alone.

    Parameters
    ----------
    names
        Of cells, no two the same.
    renamed
        What a patient or section was called -> its code. ``1`` or ``2`` names nobody inside an id: the end of
        ``abcdefgh-1`` is the instrument's.

    Returns
    -------
    The names, a whole name or a part between other than letters and digits replaced, no two the same; and how
    many were changed.
    """
    before = list(names)
    parts = {old: new for old, new in renamed.items() if old != new and _DISTINCT.fullmatch(old)}
    if not parts:
        return before, 0
    longest_first = sorted(parts, key=len, reverse=True)
    pattern = re.compile(rf"(?<![^\W_])(?:{'|'.join(map(re.escape, longest_first))})(?![^\W_])")
    after = [pattern.sub(lambda found: parts[found[0]], name) for name in before]
    taken: set[str] = set()
    for i, name in enumerate(after):
        number = 0
        while after[i] in taken:  # a code may be what another cell was called
            number += 1
            after[i] = f"{name}-{number}"
        taken.add(after[i])
    return after, sum(old != new for old, new in zip(before, after, strict=True))
