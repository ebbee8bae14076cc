"""Sections that are put away: they stay in the library, and are in no list until they are shown again."""

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.orm import Session

from squint.library.records import Mark

_PREFIX = "hidden-"  # of marks, before the id of a section


def hidden_ids(session: Session) -> set[str]:
    """List the ids of the sections that are put away."""
    marks = session.scalars(sa.select(Mark.name).where(Mark.name.startswith(_PREFIX)))
    return {name.removeprefix(_PREFIX) for name in marks}


def hide(session: Session, section_ids: Collection[str], when: str) -> None:
    """Put sections away."""
    for section_id in section_ids:
        session.merge(Mark(name=_PREFIX + section_id, added=when))


def show(session: Session, section_ids: Collection[str]) -> None:
    """Show sections again, if they were put away."""
    names = [_PREFIX + section_id for section_id in section_ids]
    session.execute(sa.delete(Mark).where(Mark.name.in_(names)))
