"""Which labeling of a section is in use: where the types of its cells are from, if not from its file."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from squint.library.records import Labeling, LabelingVersion
from squint.library.section import Naming, Section
from squint.library.stored import LABELINGS


class InUse(NamedTuple):
    """The labeling in use of a section."""

    naming: Naming
    n_types: int


def in_use(session: Session, section_id: str | None = None) -> dict[str, InUse]:
    """Give the labelings in use of one section or of all, by section; a damaged one is in use nowhere."""
    version = sa.and_(LabelingVersion.labeling_id == Labeling.id, LabelingVersion.number == Labeling.at)
    asked = sa.select(Labeling, LabelingVersion).join(LabelingVersion, version).where(Labeling.in_use)
    if section_id is not None:
        asked = asked.where(Labeling.section_id == section_id)
    found = {}
    for row, now in session.execute(asked):
        if row.intact and now.intact and not row.damage:
            said = words(row.name, row.how, row.added, json.loads(row.facts), now.n_changes, now.made)
            naming = Naming(row.id, said, file_of(row.id, now.number), now.sha256)
            found[row.section_id] = InUse(naming, now.n_types)
    return found


def with_names(section: Section, named: Mapping[str, InUse]) -> Section:
    """Say of a section what its types are from, and how many they are."""
    found = named.get(section.id)
    return replace(section, named=found.naming, n_cell_types=found.n_types) if found else section


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
