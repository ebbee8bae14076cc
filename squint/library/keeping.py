"""What is kept in a library, and what is taken out of it: files and rows in one step each."""

import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from squint.errors import InputError
from squint.files import Moves, is_full
from squint.io.transcript_files import is_drawn
from squint.library import cell_order, hiding, originals, patient_facts, section, spare
from squint.library.folders import Folders
from squint.library.originals import Incoming
from squint.library.records import (
    Model,
    ModelSection,
    Note,
    Original,
    Patient,
    Record,
    ResultRow,
    ResultSection,
    SectionRow,
    StoredFile,
)
from squint.library.section import Section
from squint.library.stored import Hashed, hashed

GONE = "This section is no longer in the library."
MODEL_GONE = "This model is no longer in the library."

Given = TypeVar("Given")


class Ready(NamedTuple):
    """A section that can be kept."""

    folder: Path  # complete, and gone afterwards
    section: Section
    recipe: Mapping[str, Any]  # to make it of its original again


def keep_sections(library: Folders, ready: Sequence[Ready], incoming: Incoming | None) -> list[bool]:
    """Move complete folders into the library as sections, all or none, with the original they were made of.

    One that is there already is shown again if it was put away, and nothing else of it is changed, but where
    its original came without transcripts that the new one has: then this is kept instead. One that is damaged
    gets the files of the new one, whose cells must lie in the same order.

    Returns
    -------
    Of each, whether it is new.

    Raises
    ------
    InputError
        If the library is full, the disk refuses, or the cells of a damaged one may lie in another order.
    """
    files = [hashed(one.folder) for one in ready]

    def change(session: Session, moves: Moves) -> list[bool]:
        return [
            _keep(library, session, moves, one, of_it, incoming, is_alone=len(ready) == 1)
            for one, of_it in zip(ready, files, strict=True)
        ]

    try:
        return once(library, change)
    finally:
        for one in ready:
            shutil.rmtree(one.folder, ignore_errors=True)


def _keep(
    library: Folders,
    session: Session,
    moves: Moves,
    ready: Ready,
    files: Sequence[Hashed],
    incoming: Incoming | None,
    *,
    is_alone: bool,
) -> bool:
    folder, kept, recipe = ready
    known = session.get(SectionRow, kept.id, with_for_update=True)
    hiding.show(session, [kept.id])  # who adds what was put away wants to see it
    if known is not None and not library.why_damaged(known):
        if incoming is not None and is_alone:
            _bring_transcripts(library, session, moves, known, recipe, incoming)
        return False
    if incoming is not None:
        originals.place(library, session, incoming, moves)
    if known is not None:
        if not cell_order.is_kept(library, session, kept.id, folder, files):
            raise InputError(
                f"{kept.title} is in the library already, damaged, and its cells may lie in another order "
                "than here: tokens, names and sets of cells would go to wrong ones. Have it mended on the "
                "page Sections, or delete it there and add it again."
            )
        _mend(library, session, moves, known, folder, files, kept)
    else:
        known = SectionRow(id=kept.id)
        _add(session, known, kept)
        library.files.record(session, library.folder(kept.id), files, section_id=kept.id)
        moves.move(folder, library.folder(kept.id))
    if incoming is not None:
        known.original, known.recipe = incoming.sha256, dict(recipe)
    session.flush()
    return True


def _bring_transcripts(
    library: Folders,
    session: Session,
    moves: Moves,
    known: SectionRow,
    recipe: Mapping[str, Any],
    incoming: Incoming,
) -> None:
    """Keep the original of a section in place of one without its transcripts, or how these are placed."""
    if not any(is_drawn(name) for name in originals.names_in(incoming.folder / incoming.name)):
        return
    before = session.get(Original, known.original) if known.original else None
    if before is not None:
        alike = sa.select(sa.func.count()).where(SectionRow.original == before.sha256)
        has_them = any(map(is_drawn, originals.names_in(library.originals / before.sha256 / before.name)))
        is_told = originals.PLACING in known.recipe or originals.PLACING not in recipe
        if (has_them and is_told) or session.scalar(alike) != 1:
            return
    originals.place(library, session, incoming, moves)
    sha256, known.original, known.recipe = known.original, incoming.sha256, dict(recipe)
    session.flush()
    originals.take_out(library, session, sha256, moves)


def mend_section(library: Folders, folder: Path, kept: Section) -> None:
    """Give a damaged section the files of a folder in place of its own; the folder is gone afterwards."""
    files = hashed(folder)

    def change(session: Session, moves: Moves) -> None:
        known = session.get(SectionRow, kept.id, with_for_update=True)
        if known is None:
            raise InputError(GONE)
        _mend(library, session, moves, known, folder, files, kept)

    try:
        once(library, change)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def share_original(library: Folders, section_id: str, other: str, **recipe: Any) -> None:
    """Say that another section is of the same original, made by the same recipe but for what is given."""
    with library.database.writing() as session:
        known = session.get(SectionRow, section_id)
        row = session.get(SectionRow, other, with_for_update=True)
        if known is not None and row is not None and known.intact and row.intact and row.original is None:
            row.original = known.original
            row.recipe = {**known.recipe, **recipe} if known.recipe else {}


def delete_sections(library: Folders, section_ids: Collection[str]) -> None:
    """Remove sections and all that was made of them, in one step.

    Raises
    ------
    InputError
        If none of them is there.
    """

    def change(session: Session, moves: Moves) -> None:
        rows = [session.get(SectionRow, one, with_for_update=True) for one in sorted(section_ids)]
        there = [row for row in rows if row is not None]
        if not there:
            raise InputError(GONE)
        for row in there:
            _delete(library, session, moves, row)

    freeing(library, change)
    library.database.scrub()


def _delete(library: Folders, session: Session, moves: Moves, row: SectionRow) -> None:
    section_id, original, patient = row.id, row.original, row.patient
    for name in _names(session, ResultSection.name, ResultSection.section_id == section_id):
        session.execute(sa.delete(ResultRow).where(ResultRow.name == name))
        moves.discard(library.results / name)
    for name in _names(session, ModelSection.folder, ModelSection.section_id == section_id):
        _drop_model(library, session, moves, name)
    session.execute(sa.delete(SectionRow).where(SectionRow.id == section_id))
    hiding.show(session, [section_id])
    moves.discard(library.folder(section_id))
    originals.take_out(library, session, original, moves)
    if not session.scalar(sa.select(SectionRow.id).where(SectionRow.patient == patient).limit(1)):
        session.execute(sa.delete(Patient).where(Patient.code == patient))
        patient_facts.forget(session, patient)


def put(library: Folders, staged: Path, place: Path, section_id: str, *rows: Record) -> None:
    """Move the files of a staged folder into a folder of a section, and add rows, or write them anew.

    Raises
    ------
    InputError
        If the section is gone, the library is full, or the disk refuses.
    """
    files = hashed(staged)

    def change(session: Session, moves: Moves) -> None:
        hold(session, [section_id])
        library.files.record(session, place, files, section_id=section_id)
        for row in rows:
            session.merge(row)
        session.flush()
        for one in files:
            moves.replace(staged / one.name, place / one.name)

    try:
        once(library, change)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def keep_result(library: Folders, folder: Path, name: str, facts: str, ids: Sequence[str]) -> None:
    """Move a complete folder of results into place; one that is there already stays.

    Raises
    ------
    InputError
        If a section was deleted meanwhile: then nothing computed from it stays.
    """
    files = hashed(folder)

    def change(session: Session, moves: Moves) -> None:
        hold(session, ids)
        if session.get(ResultRow, name) is not None:
            return
        session.add(ResultRow(name=name, facts=facts, added=now()))
        session.flush()
        session.add_all(ResultSection(name=name, section_id=one) for one in sorted(set(ids)))
        library.files.record(session, library.results / name, files, result=name)
        moves.move(folder, library.results / name)

    try:
        once(library, change)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def drop_results(library: Folders, choose: Callable[[Session], Sequence[str]]) -> None:
    """Remove the results that are chosen in the same step, in which nobody notes a use of them."""

    def change(session: Session, moves: Moves) -> bool:
        names = choose(session)
        for name in names:
            session.execute(sa.delete(ResultRow).where(ResultRow.name == name))
            moves.discard(library.results / name)
        return bool(names)

    if freeing(library, change):
        library.database.scrub()


def keep_model(library: Folders, folder: Path, model: Model, ids: Sequence[str]) -> Path:
    """Move the folder of a model into the library; one of that name goes.

    Returns
    -------
    Where it is.

    Raises
    ------
    InputError
        If a section was deleted meanwhile: then nothing made of it stays.
    """
    files, target = hashed(folder), library.models / model.folder

    def change(session: Session, moves: Moves) -> None:
        hold(session, ids)
        session.execute(sa.delete(Model).where(Model.folder == model.folder))
        session.merge(model)
        session.flush()
        session.add_all(ModelSection(folder=model.folder, section_id=one) for one in sorted(set(ids)))
        library.files.record(session, target, files, model=model.folder)
        moves.move(folder, target)

    try:
        once(library, change)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return target


def delete_model(library: Folders, folder: str) -> None:
    """Remove a model, and what was noted of it; the tokens that it gave stay, and count if it comes back.

    Raises
    ------
    InputError
        If it is gone.
    """

    def change(session: Session, moves: Moves) -> None:
        if session.get(Model, folder, with_for_update=True) is None:
            raise InputError(MODEL_GONE)
        _drop_model(library, session, moves, folder)

    freeing(library, change)
    library.database.scrub()


def about_model(folder: str) -> str:
    """Name a model of the library as notes do."""
    return f"model:{folder}"


def now() -> str:
    """Give the time as rows have it, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def once(library: Folders, change: Callable[[Session, Moves], Given]) -> Given:
    """Change rows and files in one step; where another process did the same just now, look again."""
    for last in (False, False, True):
        try:
            with Moves(library.workspace()) as moves, library.database.writing() as session:
                return change(session, moves)
        except sa.exc.IntegrityError:
            if last:
                raise
    raise AssertionError


def freeing(library: Folders, change: Callable[[Session, Moves], Given]) -> Given:
    """Delete something, with the spare room if the disk is full."""
    try:
        return once(library, change)
    except InputError as error:
        if not (is_full(error) and spare.give_up(library.home)):
            raise
        return once(library, change)


def _drop_model(library: Folders, session: Session, moves: Moves, folder: str) -> None:
    session.execute(sa.delete(Note).where(Note.about == about_model(folder)))
    session.execute(sa.delete(Model).where(Model.folder == folder))
    moves.discard(library.models / folder)


def _add(session: Session, row: SectionRow, kept: Section) -> None:
    if session.get(Patient, kept.patient) is None:
        session.add(Patient(code=kept.patient, added=now()))
        session.flush()
    section.fill(row, kept)
    row.recipe = row.recipe or {}
    row.damage = ""
    session.add(row)
    session.flush()


def _mend(
    library: Folders,
    session: Session,
    moves: Moves,
    row: SectionRow,
    folder: Path,
    files: Sequence[Hashed],
    kept: Section,
) -> None:
    if not row.intact:  # nothing that it says is sure, but an original by its hash is of nothing else
        row.recipe = {}
        row.original = row.original if session.get(Original, row.original) else None
    place = library.folder(kept.id)
    _add(session, row, kept)
    names = {one.name for one in files}
    for path in session.scalars(sa.select(StoredFile.path).where(StoredFile.section_id == kept.id)).all():
        own = library.home / path
        if own.parent == place and own.name not in names:
            library.files.forget(session, own)
            moves.discard(own)
    library.files.record(session, place, files, section_id=kept.id)
    for one in files:
        moves.replace(folder / one.name, place / one.name)


def hold(session: Session, ids: Sequence[str]) -> None:
    """See that sections are there, and keep them until the end of the session."""
    asked = (
        sa.select(SectionRow.id).where(SectionRow.id.in_(set(ids))).with_for_update(read=True, key_share=True)
    )
    if set(session.scalars(asked)) != set(ids):
        raise InputError(GONE)


def _names(session: Session, column: Any, which: sa.ColumnElement[bool]) -> list[str]:
    return list(session.scalars(sa.select(column).where(which)))
