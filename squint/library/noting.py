"""Every change of a library goes into the audit log, seen where all pass: rows on their way to tables.

Whatever adds, changes or deletes a row of a table in :data:`NOTED` is noted, on a page, in a worker or in a
command, in the transaction that does it: without its note it is not done. A table is in :data:`NOTED` or,
with a reason, in :data:`NOT_NOTED`; a test holds all to one of them.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import ORMExecuteState, Session, sessionmaker

from squint.library import chain
from squint.library import records as tables
from squint.library.chain import ADDED, CHANGED, DELETED, QUARANTINED, Entry

Thing = tuple[str, str, str]  # kind, id, and the section that it is of
_CHANGES, _VERSIONS = "squint_changes", "squint_versions"  # in what a session carries
_HIDDEN = "hidden-"  # mark of a section that is put away, before its id
_ASIDE = {"check", "seen", "project"}  # columns that change without anybody's doing
_CELL_SETS = "cell_sets"  # the history whose versions hold several things


def _mark(row: Any) -> Thing | None:
    """Take for a change of a section that it is put away, or shown again."""
    section = row.name.removeprefix(_HIDDEN)
    return (chain.SECTION, section, section) if row.name.startswith(_HIDDEN) else None


def _key(row: Any) -> str:
    return ":".join(chain.harmless_id(value) for value in sa.inspect(row).identity or ())


NOTED: Mapping[type[tables.Record], Callable[[Any], Thing | None]] = {
    tables.SectionRow: lambda row: (chain.SECTION, row.id, row.id),
    tables.Picture: lambda row: (chain.PICTURE, row.id, row.section_id),
    tables.Labeling: lambda row: (chain.LABELING, row.id, row.section_id),
    tables.Model: lambda row: (chain.MODEL, row.sha256[:16], ""),
    tables.GeneSetFile: lambda row: (chain.GENE_SETS, _hash(row.name), ""),
    tables.TokenName: lambda row: (chain.TOKEN_NAME, f"{row.model[:16]}:{row.token}", ""),
    tables.Note: lambda row: (chain.NOTE, row.id, ""),
    tables.HistoryHead: lambda row: (
        None if row.name == _CELL_SETS else (chain.PATIENT_FACTS, str(row.at), "")
    ),
    tables.Mark: _mark,
    tables.User: lambda row: (chain.PERSON, _key(row), ""),
    tables.Project: lambda row: (chain.PROJECT, _key(row), ""),
    tables.Share: lambda row: (chain.MEMBER, _key(row), ""),
}
NOT_NOTED: Mapping[type[tables.Record], str] = {
    tables.Audit: "the log itself",
    tables.AuditHead: "the log itself",
    tables.Patient: "comes and goes with sections",
    tables.Original: "comes and goes with sections",
    tables.Cohort: "nothing writes it",
    tables.CohortSection: "nothing writes it",
    tables.ModelSection: "comes and goes with models",
    tables.LabelingVersion: "comes and goes with changes of labelings",
    tables.HistoryVersion: "comes with changes of heads of histories",
    tables.TokenRun: "computed, and computed again",
    tables.ResultRow: "computed, and computed again",
    tables.ResultSection: "computed, and computed again",
    tables.ResultUse: "says when a result was last used",
    tables.DayCount: "counts days",
    tables.StoredFile: "comes and goes with what it is of",
    tables.RememberedAnswers: "what a question begins with",
    tables.JobRow: "work that was asked for; what it changes is noted",
    tables.JobAsker: "work that was asked for; what it changes is noted",
    tables.EngineRow: "signs of life",
    tables.EndedSignIn: "sign-ins that were ended; signing out is noted",
}
_ALWAYS_CHANGED = (tables.TokenName, tables.Mark)  # a new row of these is a change of what was there


def listen(sessions: "sessionmaker[Session]") -> None:
    """See all that is written in these sessions."""
    event.listen(sessions, "after_flush", _after_flush)
    event.listen(sessions, "do_orm_execute", _before_execute)


def put(session: Session, kind: str, key: str, action: str) -> None:
    """Note something of which no row changes."""
    session.info.setdefault(_CHANGES, {})[kind, key, ""] = action


def changes(session: Session) -> list[Entry]:
    """Give what was changed in a session, each thing once, whatever was done with it."""
    found: dict[Thing, str] = {**session.info.get(_CHANGES, {}), **dict(_cell_sets(session))}
    harmless = chain.harmless_id  # a row that is damaged may have any id
    return [Entry(action, kind, harmless(key), harmless(of)) for (kind, key, of), action in found.items()]


def _after_flush(session: Session, _: object) -> None:
    for row in session.new:
        _take(session, row, CHANGED if isinstance(row, _ALWAYS_CHANGED) else ADDED)
    for row in session.dirty:
        if type(row) not in NOTED:
            continue
        changed = {one.key for one in sa.inspect(row).attrs if one.history.has_changes()} - _ASIDE
        if changed:
            is_damage = "damage" in changed and bool(row.damage)
            _take(session, row, QUARANTINED if is_damage else CHANGED)
    for row in session.deleted:
        _take(session, row, DELETED)


def _before_execute(state: ORMExecuteState) -> None:
    """See rows that are changed or deleted without being read."""
    if state.is_select or state.bind_mapper is None:
        return
    table = state.bind_mapper.class_
    if table not in NOTED:
        return
    if not (state.is_delete or state.is_update):
        raise TypeError(f"rows of {table.__tablename__} are added by session.add, so that they are noted")
    chosen = sa.select(table).where(*state.statement._where_criteria)  # type: ignore[attr-defined]
    for row in state.session.scalars(chosen).all():
        is_change = state.is_update or table in _ALWAYS_CHANGED
        _take(state.session, row, CHANGED if is_change else DELETED)


def _take(session: Session, row: Any, action: str) -> None:
    thing_of = NOTED.get(type(row))
    if thing_of is None:
        return
    if isinstance(row, tables.HistoryHead) and row.name == _CELL_SETS:
        _take_version(session, row, action)
        return
    thing = thing_of(row)
    if thing is None:
        return
    taken: dict[Thing, str] = session.info.setdefault(_CHANGES, {})
    before = taken.pop(thing, None)
    if thing[0] == chain.PATIENT_FACTS:  # one table, whose id is that of its version
        for older in [one for one in taken if one[0] == thing[0]]:
            before = taken.pop(older)
    if (after := _together(before, action)) is not None:
        taken[thing] = after


def _together(before: str | None, action: str) -> str | None:
    """Say what two things that were done with one object come to; ``None``: nothing."""
    if before is None:
        return action
    if action == DELETED:
        return None if before == ADDED else DELETED
    if action == ADDED:
        return CHANGED if before == DELETED else ADDED
    return QUARANTINED if before == CHANGED and action == QUARANTINED else before


def _take_version(session: Session, head: Any, action: str) -> None:
    """Remember which version of the cell sets counted before this session, and which does after it."""
    old = sa.inspect(head).attrs.at.history.deleted
    first = head.at if action == DELETED else old[0] if old else 0
    before, _ = session.info.get(_VERSIONS, (first, 0))
    session.info[_VERSIONS] = (before, 0 if action == DELETED else head.at)


def _cell_sets(session: Session) -> list[tuple[Thing, str]]:
    """Say which cell sets a change, undone or not, made, changed and deleted."""
    if _VERSIONS not in session.info:
        return []
    before, after = (_sets_of(session, number) for number in session.info[_VERSIONS])
    found = []
    for key in [*before, *(key for key in after if key not in before)]:
        if before.get(key) != after.get(key):
            action = ADDED if key not in before else DELETED if key not in after else CHANGED
            found.append(((chain.CELL_SET, key, ""), action))
    return found


def _sets_of(session: Session, number: int) -> dict[str, Any]:
    version = session.get(tables.HistoryVersion, (_CELL_SETS, number))
    content: Any = version.content if version is not None else None
    if not isinstance(content, list):
        return {}
    return {chain.harmless_id(one["id"]): one for one in content if isinstance(one, dict) and "id" in one}


def _hash(name: str) -> str:
    """Give an id of what has none but its name."""
    return hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:16]
