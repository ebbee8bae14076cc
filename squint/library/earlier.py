"""A library of squint without a database is taken over: what lay in JSON files beside the data becomes rows.

Sections, their tokens and models stay; results go, for they are computed again. It is done once, all or
nothing; the JSON files go when it is done.
"""

import json
import re
import shutil
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints

import sqlalchemy as sa
from sqlalchemy.orm import Session

from squint import files
from squint.errors import InputError
from squint.library import old_pictures, section
from squint.library.folders import Folders
from squint.library.keeping import now
from squint.library.records import Mark, Model, ModelSection, Patient, SectionRow, TokenRun
from squint.library.section import Section
from squint.library.stored import IMAGES, TOKENS, Hashed, hashed
from squint.library.token_runs import new_run
from squint.model.card import WEIGHTS, read_card, read_records
from squint.pp import QualityFilter

META, SAMPLES = "meta.json", "samples_imported"
_MARK = "taken over"
_NEEDED = ("section.h5ad", "cells.parquet", "genes.h5", "thumbnail.png")
_NOTED = {"gene_overlap", "share_beyond_p99", "n_codes"}  # with tokens
_ID = re.compile("[0-9a-f]{1,16}")

_done: set[tuple[Path, str]] = set()  # by this process


@dataclass
class _Old:
    """A section as it lies there."""

    folder: Path
    facts: Section
    damage: str
    files: list[Hashed]
    runs: list[TokenRun] = field(default_factory=list)
    done: list[Path] = field(default_factory=list)  # files and folders that are not needed any more


@dataclass(frozen=True)
class _OldModel:
    row: Model
    names: set[str] | None  # of sections that it was trained on; None: it may be any
    files: list[Hashed]


def take_over(library: Folders) -> None:
    """Make rows of what an earlier squint kept, where that was not done yet."""
    place = library.home, str(library.database.url)
    if place in _done:
        return
    if not _is_done(library):
        try:
            old = [
                _look(folder)
                for folder in sorted(library.sections_folder.iterdir())
                if _ID.fullmatch(folder.name)
            ]
            models = [
                _look_at_model(folder) for folder in sorted(library.models.iterdir()) if folder.is_dir()
            ]
            _write(library, old, models)
        except (sa.exc.IntegrityError, InputError, OSError):  # another process was faster, and cleared up
            if not _is_done(library):
                library.database.check()  # of one that is damaged it may be lost that this was done
                raise
    old_pictures.take_over(library)
    _done.add(place)


def _is_done(library: Folders) -> bool:
    with library.database.reading() as session:
        return session.get(Mark, _MARK) is not None


def _write(library: Folders, old: list[_Old], models: list[_OldModel]) -> None:
    with library.database.writing() as session:
        if session.get(Mark, _MARK) is not None:
            return
        session.add(Mark(name=_MARK, added=now()))
        session.flush()
        if (library.home / SAMPLES).exists():
            session.merge(Mark(name="samples", added=now()))
        for code in {one.facts.patient for one in old}:
            session.merge(Patient(code=code, added=now()))
        session.flush()
        for one in old:
            _write_section(library, session, one)
        for model in models:
            _write_model(library, session, model, [one.facts for one in old])
    for path in (done for one in old for done in one.done):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    (library.home / SAMPLES).unlink(missing_ok=True)


def _write_section(library: Folders, session: Session, one: _Old) -> None:
    row = SectionRow(id=one.facts.id, damage=one.damage, recipe={})
    section.fill(row, one.facts)
    session.add(row)
    session.flush()
    library.files.record(session, one.folder, one.files, section_id=one.facts.id)
    session.add_all(one.runs)


def _write_model(library: Folders, session: Session, model: _OldModel, sections: list[Section]) -> None:
    session.add(model.row)
    session.flush()
    library.files.record(session, library.models / model.row.folder, model.files, model=model.row.folder)
    session.add_all(
        ModelSection(folder=model.row.folder, section_id=one.id)
        for one in sections
        if model.names is None or one.section in model.names
    )


def _look(folder: Path) -> _Old:
    """Read what is known of a section, and hash its files."""
    facts, damage = _read_meta(folder)
    missing = [name for name in _NEEDED if not (folder / name).is_file()]
    damage = " ".join([damage, *(f"{name} is missing." for name in missing)]).strip()
    old = _Old(folder, facts, damage, [])
    if facts.sha256:
        old.done.append(folder / META)
    old.done += [path for path in (folder / "scores",) if path.exists()]
    for note in sorted((folder / TOKENS).glob("*")):
        if note.suffix == ".json" or not (stem := _Tokens(folder / TOKENS, note.name.split(".")[0])).is_whole:
            old.done.append(note)
        elif note == stem.table:
            sha256 = stem.facts["model_sha256"]
            old.runs.append(new_run(facts.id, facts.sha256, sha256, "", stem.facts))
    gone = {folder / META, *old.done}
    old.files = [one for one in hashed(folder) if not _is_in(folder / one.name, gone) and not _is_note(one)]
    return old


def _read_meta(folder: Path) -> tuple[Section, str]:
    """Read the facts of a section; what is not sure is not taken, and said."""
    try:
        known = json.loads((folder / META).read_text())
        newer = set(known) - {one.name for one in fields(Section)}
        if newer:
            return _unknown(folder, "It was written by a newer squint, which alone can read it.")
        known["unit"] = "um" if known["unit"] == "um" else "unknown"  # once it was guessed: "um (assumed)"
        quality = QualityFilter(**known.pop("quality", {}))
        facts = Section(**{**known, "notes": tuple(known["notes"])}, quality=quality)
        if _is_typed(facts) and facts.id == folder.name == facts.sha256[:16]:
            section.fill(SectionRow(), facts)  # refuses what is too long
            return facts, ""
    except (OSError, ValueError, TypeError, LookupError, RecursionError, InputError):
        pass
    return _unknown(folder, f"{META} is damaged.")


def _is_typed(facts: Section) -> bool:
    """Say whether each value is of the kind that it should be."""
    kinds: dict[Any, tuple[type, ...]] = {float: (int, float), float | None: (int, float, type(None))}
    for name, hint in get_type_hints(Section).items():
        value, kind = getattr(facts, name), kinds.get(hint, (hint,))
        if hint == tuple[str, ...]:
            if not all(isinstance(one, str) for one in value):
                return False
        elif not isinstance(value, kind) or (isinstance(value, bool) and hint is not bool):
            return False
    return True


def _unknown(folder: Path, why: str) -> tuple[Section, str]:
    return section.unknown(folder.name, why, now()), why


@dataclass(frozen=True)
class _Tokens:
    """Files of the tokens of a section by a model."""

    folder: Path
    stem: str

    @property
    def table(self) -> Path:
        return self.folder / f"{self.stem}.parquet"

    @property
    def facts(self) -> dict[str, Any]:
        try:
            found = json.loads((self.folder / f"{self.stem}.json").read_text())
        except (OSError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def is_whole(self) -> bool:
        """Whether all is there that is needed of them; else they are made again."""
        facts = self.facts
        model = facts.get("model_sha256")
        named = isinstance(model, str) and len(model) == 64 and model.startswith(self.stem)
        return named and set(facts) >= _NOTED and self.table.exists()


def _is_in(path: Path, folders: set[Path]) -> bool:
    return not folders.isdisjoint((path, *path.parents))


def _is_note(one: Hashed) -> bool:
    """Say whether a file says what a picture is, which becomes a row."""
    return one.name.startswith(f"{IMAGES}/") and one.name.endswith(f"/{old_pictures.META}")


def _look_at_model(folder: Path) -> _OldModel:
    try:
        card = read_card(folder)
        names: set[str] | None = {record.name for record in read_records(folder)}
        weights, genes = files.sha256(folder / WEIGHTS), files.list_sha256(card.genes)
    except (InputError, OSError):
        weights, genes, names = "", "", None  # it goes with the first section that goes
    row = Model(folder=folder.name, sha256=weights, genes_sha256=genes, name=folder.name, added=now())
    return _OldModel(row, names, hashed(folder))
