"""Which labeling of a section is in use: where the types of its cells are from, if not from its file."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.orm import Session

from squint import keys
from squint.library.records import Labeling, LabelingVersion
from squint.library.section import Naming, Section
from squint.library.stored import LABELINGS

DAMAGED = "names of cells that are damaged: see the page Cell types"


class InUse(NamedTuple):
    """The labeling in use of a section."""

    naming: Naming
    n_types: int


def in_use(session: Session, section_id: str | None = None) -> dict[str, InUse]:
    """Give the labelings in use of one section or of all, by section.

    Where one that is damaged is or may be in use, cells have no types at all: those of the file, shown in
    place of what somebody chose, would be wrong without a word.
    """
    version = sa.and_(
        LabelingVersion.section_id == Labeling.section_id,
        LabelingVersion.labeling_id == Labeling.id,
        LabelingVersion.number == Labeling.at,
    )
    asked = sa.select(Labeling, LabelingVersion).outerjoin(LabelingVersion, version)
    if section_id is not None:
        asked = asked.where(Labeling.section_id == section_id)
    found: dict[str, InUse] = {}
    for row, version_at in session.execute(asked):
        now: LabelingVersion | None = version_at  # an outer join gives none where there is none
        if not row.intact:
            found.setdefault(row.section_id, InUse(Naming(row.id, DAMAGED), 0))
        elif not row.in_use:
            continue
        elif row.damage or now is None or not now.intact:
            found[row.section_id] = InUse(Naming(row.id, DAMAGED), 0)
        else:
            said = words(row.name, row.how, row.added, json.loads(row.facts), now.n_changes, now.made)
            naming = Naming(row.id, said, file_of(row.id, now.number), now.sha256)
            found[row.section_id] = InUse(naming, now.n_types)
    return found


def with_names(section: Section, named: Mapping[str, InUse]) -> Section:
    """Say of a section what its types are from, and how many they are."""
    found = named.get(section.id)
    return replace(section, named=found.naming, n_cell_types=found.n_types) if found else section


def renamed(cells: pd.DataFrame, types: Any) -> pd.DataFrame:
    """Give cells other types (n,) in place of those that their section's file gives; ``None``: no types."""
    if types is None:
        return cells.drop(columns=keys.CELL_TYPE, errors="ignore")
    cells[keys.CELL_TYPE] = types
    return cells


def file_of(labeling: str, number: int) -> str:
    """Name the file of a labeling's version, in the folder of its section."""
    return f"{LABELINGS}/{labeling}/{number}.parquet"


def words(name: str, how: str, added: str, facts: Mapping[str, Any], n_changes: int, last: str) -> str:
    """Say how, by what and when cells were named; and how often, and when last, their names were changed."""
    changed = ""
    if n_changes:
        times = "once" if n_changes == 1 else f"{n_changes} times"
        changed = f"; changed {times} by hand, last on {last[:10]}"
    return f"{name}: {how}, by squint {facts.get('squint', '')} on {added[:10]}{changed}"
