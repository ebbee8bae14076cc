"""The two arms of a comparison: their cells, and their patients. Imports no torch, so that a page can ask."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from squint.columns import UNKNOWN
from squint.errors import InputError

MIN_CELLS = 3  # of an arm; with fewer there is no spread to test against
MIN_PATIENTS = 2
_MAX_LISTED = 20


class Arms(NamedTuple):
    """Cells of a comparison; cells of neither arm are left out."""

    group: NDArray[np.bool_]  # (n,)
    reference: NDArray[np.bool_]  # (n,)


class Patients(NamedTuple):
    """Patients that a test across patients compares, or why there can be none."""

    group: list[str]  # with enough cells in the group
    reference: list[str]  # with enough cells in the reference
    paired: bool  # the same patients on both sides, each compared with itself
    problem: str  # empty if there can be a test


def choose_arms(
    labels: "pd.Series[str]",
    group: str | Sequence[str],
    reference: str | Sequence[str],
    *,
    counts: csr_matrix | None = None,
) -> Arms:
    """Find the cells (n,) of two arms.

    Parameters
    ----------
    labels
        One label per cell.
    group, reference
        A label or several.
    counts
        Counts of the cells (n, g). Those without any are in neither arm: they say nothing of expression.

    Raises
    ------
    InputError
        If no cell has one of the labels, a label is on both sides, or a side has fewer than 3 cells.
    """
    group, reference = listed(group), listed(reference)
    known = sorted(labels.unique())
    for label in (*group, *reference):
        if label not in known:
            some = ", ".join(known[:_MAX_LISTED]) + (", ..." if len(known) > _MAX_LISTED else "")
            raise InputError(f"No cell is labelled {label!r} in {str(labels.name)!r}; there are {some}.")
    both = sorted(set(group) & set(reference))
    if both:
        raise InputError(
            f"{', '.join(map(repr, both))} cannot be in both the group and the reference. "
            "Leave it out on one side."
        )
    counted = np.ones(len(labels), bool) if counts is None else np.asarray(counts.sum(axis=1)).ravel() > 0
    arms = Arms(labels.isin(group).to_numpy() & counted, labels.isin(reference).to_numpy() & counted)
    with_counts = "" if counted.all() else " with counts"
    for name, cells in arms._asdict().items():
        if cells.sum() < MIN_CELLS:
            raise InputError(
                f"The {name} has {cells.sum()} cells{with_counts}; a comparison needs at least {MIN_CELLS}. "
                "Choose further labels."
            )
    return arms


def listed(labels: str | Sequence[str]) -> list[str]:
    """Give a label or several as a list."""
    return [labels] if isinstance(labels, str) else list(labels)


def patients(of_cell: "pd.Series[str]", arms: Arms, *, min_cells: int = 10) -> Patients:
    """Say which patients a test across patients would compare.

    If at least two patients have both arms, those are compared, each with itself. Else patients with one arm
    only are compared, if there are at least two on each side; one with both arms would count twice, so is
    left out.

    Parameters
    ----------
    of_cell
        Patient of each cell (n,); cells without one are left out.
    arms
        Cells of the two arms.
    min_cells
        Cells that a patient must have in an arm to count there.
    """
    cells = pd.DataFrame(
        {
            "group": of_cell[arms.group].value_counts(),
            "reference": of_cell[arms.reference].value_counts(),
        }
    )
    enough = (cells.fillna(0) >= min_cells).drop(index=UNKNOWN, errors="ignore").sort_index()
    both = enough["group"] & enough["reference"]
    paired = int(both.sum()) >= MIN_PATIENTS
    counted = enough[both] if paired else enough[~both]
    group, reference = (counted.index[counted[name]].astype(str).tolist() for name in Arms._fields)
    if min(len(group), len(reference)) >= MIN_PATIENTS:
        return Patients(group, reference, paired, "")
    group, reference = (enough.index[enough[name]].astype(str).tolist() for name in Arms._fields)
    problem = (
        f"The cells are not independent: {_many(group)} in the group and {len(reference)} in the reference "
        f"have {min_cells} or more cells; a test across patients needs at least {MIN_PATIENTS} in "
        f"each, the same patients on both sides or different ones."
    )
    return Patients(group, reference, paired=False, problem=problem)


def _many(patients: Sequence[str]) -> str:
    return f"{len(patients)} {'patient' if len(patients) == 1 else 'patients'}"
