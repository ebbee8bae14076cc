"""All models there are: those of the library, trained here or brought in, and those that ship with squint.

Nothing here needs torch but :func:`add`, which a worker or a command calls.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.orm import Session

from squint.errors import InputError
from squint.files import list_sha256
from squint.library import keeping
from squint.library.access import changing
from squint.library.keeping import MODEL_GONE, about_model
from squint.library.records import Model, ModelSection, Note
from squint.library.store import Library, harmless_name
from squint.model import archive
from squint.model.card import BundleCard, known_card, read_card, weights_sha256
from squint.sensitive import looks_like

MOST_LETTERS = 60  # of a name
MOST_LETTERS_NOTED = 2_000
_FEWEST_DIGITS = 4  # of a hash that stands for a model


@dataclass(frozen=True)
class KnownModel:
    """A model, sound or damaged."""

    name: str
    folder: Path  # of its bundle; it tells models apart
    sha256: str  # of its weights; empty where they cannot be read
    is_shipped: bool  # else it is of the library
    card: BundleCard | None  # None where it is damaged
    problem: str = ""  # what is damaged, in words; empty if nothing
    added: str = ""  # to the library, in UTC; empty if shipped
    note: str = ""  # what was noted of it


class Added(NamedTuple):
    """What came of adding a model."""

    model: KnownModel
    is_new: bool  # False: it was there, and stays as it was


def known(library: Library | None, shipped: Sequence[Path]) -> list[KnownModel]:
    """List all models.

    Parameters
    ----------
    library
        Whose models come first, the newest of them before the others. ``None``: there is no library.
    shipped
        Folders of the bundles that are not of the library, in this order; each is listed once.

    Returns
    -------
    Sound models and damaged ones: of the latter, ``card`` is ``None`` and ``problem`` says why.
    """
    found = [] if library is None else _of_library(library)
    seen = {model.folder for model in found}
    for folder in shipped:
        if (own := folder.absolute()) not in seen:
            seen.add(own)
            found.append(_shipped(own))
    return found


def find(models: Iterable[KnownModel], asked: str) -> KnownModel:
    """Give the one model that is called so, or whose hash begins so.

    Raises
    ------
    InputError
        If there is none, or more than one; it says which there are.
    """
    models = list(models)
    found = [model for model in models if model.name == asked]
    if not found and len(asked) >= _FEWEST_DIGITS:
        found = [model for model in models if model.sha256.startswith(asked.lower())]
    if len(found) == 1:
        return found[0]
    named = ", ".join(f"{model.name} ({model.sha256[:12] or 'damaged'})" for model in found or models)
    what = f"{len(found)} models are" if found else "No model is"
    raise InputError(
        f"{what} called {asked!r}, or of a hash that begins so. "
        + (f"{'They are' if found else 'There are'}: {named}." if named else "There is none at all.")
    )


@changing
def add(library: Library, path: Path, shipped: Sequence[Path] = ()) -> Added:
    """Put a model that came from somewhere into the library, once all of it was looked at; needs torch.

    Parameters
    ----------
    library
        Where it is kept.
    path
        An archive, or the folder of a bundle, as :func:`squint.model.archive.unpack` takes it. The model is
        named after it.
    shipped
        As for :func:`known`: one of these is not kept a second time.

    Returns
    -------
    The model, and whether it is new. One of the same weights stays as it is, unless it is damaged: then it
    gets the files of the new one.

    Raises
    ------
    InputError
        As :func:`squint.model.archive.unpack`; if the library is full; or if there is a model of the same
        weights with other genes or choices, for one of the two was changed after its training.
    """
    with library.staged() as staging:
        folder = archive.unpack(path, staging / "bundle")
        card, sha256 = read_card(folder), weights_sha256(folder)
        same = [model for model in known(library, shipped) if model.sha256 == sha256]
        if altered := [model for model in same if not _is_of(library, model, card)]:
            raise InputError(
                f"{path.name} is refused: it has the weights of the model {altered[0].name}, and other genes "
                f"or choices. One of the two was changed after its training: ask where {path.name} is from."
            )
        damaged = next((model for model in same if model.problem and not model.is_shipped), None)
        sound = next((model for model in same if not model.problem), None)
        if damaged is not None:
            keep_as, name = damaged.folder.name, damaged.name
        elif sound is not None:
            return Added(sound, is_new=False)
        else:
            keep_as, name = f"added-{sha256[:12]}", harmless_name(path.stem, "model")
        row = Model(
            folder=keep_as,
            sha256=sha256,
            genes_sha256=list_sha256(card.genes),
            name=name,
            added=keeping.now(),
        )
        target = keeping.keep_model(library, folder, row, _sections_of(library, keep_as))
    return Added(_get(library, target), is_new=True)


def fit_name(name: str) -> str:
    """Give a name as a model can have it.

    Raises
    ------
    InputError
        If it is empty, longer than 60 letters, or looks as if it named a person.
    """
    name = name.strip()
    if not name or len(name) > MOST_LETTERS or not name.isprintable():
        raise InputError(f"A model needs a name of 1 to {MOST_LETTERS} letters, in one line.")
    if kind := looks_like(name):
        raise InputError(f"The name looks like {kind}: call the model otherwise.")
    return name


@changing
def rename(library: Library, folder: Path, name: str) -> None:
    """Call a model of the library otherwise.

    Parameters
    ----------
    library
        Whose model it is.
    folder
        Of the model.
    name
        Up to 60 letters, which no other model of the library is called.

    Raises
    ------
    InputError
        If the name is none, is taken, or looks as if it named a person; if the model ships with squint, is
        gone, or its row is damaged.
    """
    name = fit_name(name)
    key = _key(library, folder, "renamed")
    with library.database.writing() as session:
        row = _row(session, key)
        if session.scalar(sa.select(Model.folder).where(Model.name == name, Model.folder != key).limit(1)):
            raise InputError(f"Another model is called {name!r}. Choose another name.")
        row.name = name


@changing
def note(library: Library, folder: Path, text: str) -> None:
    """Note something of a model of the library, in place of what was noted before; nothing: no note.

    Raises
    ------
    InputError
        If the text is longer than 2,000 letters; if the model ships with squint, is gone, or its row is
        damaged.
    """
    text = text.strip()
    if len(text) > MOST_LETTERS_NOTED:
        raise InputError(f"A note of a model has at most {MOST_LETTERS_NOTED:,} letters.")
    key = _key(library, folder, "noted on")
    with library.database.writing() as session:
        _row(session, key)
        session.execute(sa.delete(Note).where(Note.about == about_model(key)))
        if text:
            session.add(Note(id=uuid4().hex, about=about_model(key), text=text, added=keeping.now()))
    library.database.scrub()


@changing
def remove(library: Library, folder: Path) -> None:
    """Remove a model of the library, damaged or not.

    The tokens that it gave stay with the names that users gave them, and are shown again if it comes back.

    Raises
    ------
    InputError
        If it ships with squint, or is gone.
    """
    keeping.delete_model(library, _key(library, folder, "removed"))


def _of_library(library: Library) -> list[KnownModel]:
    with library.database.reading() as session:
        rows = session.scalars(sa.select(Model).order_by(Model.added.desc(), Model.folder)).all()
        notes = {one.about: one for one in session.scalars(sa.select(Note).where(Note.about.like("model:%")))}
        problems = {row.folder: _problem_of(library, session, row) for row in rows}
    return [_kept(library, row, problems[row.folder], notes.get(about_model(row.folder))) for row in rows]


def _problem_of(library: Library, session: Session, row: Model) -> str:
    if not row.intact:
        return "What the library knows of this model is damaged."
    found = library.files.problems(session, model=row.folder)
    return " ".join(found[path] for path in sorted(found))


def _kept(library: Library, row: Model, problem: str, noted: Note | None) -> KnownModel:
    folder = library.models / row.folder
    card = None
    if not problem:
        try:
            card = known_card(folder)
        except InputError as error:  # of an older squint, or put there by hand
            problem = str(error)
    text = "" if noted is None else noted.text if noted.intact else "This note is damaged."
    return KnownModel(
        row.name, folder, row.sha256, is_shipped=False, card=card, problem=problem, added=row.added, note=text
    )


def _shipped(folder: Path) -> KnownModel:
    card, problem, sha256 = None, "", ""
    try:
        sha256 = weights_sha256(folder)
        card = known_card(folder)
    except InputError as error:
        problem = str(error)
    return KnownModel(folder.name, folder, sha256, is_shipped=True, card=card, problem=problem)


def _is_of(library: Library, model: KnownModel, card: BundleCard) -> bool:
    """Say whether a model of the same weights has the same genes and choices, as far as that is known."""
    if model.card is not None:  # as text: NaN is not NaN
        return json.dumps(model.card.config_json) == json.dumps(card.config_json)
    with library.database.reading() as session:
        row = None if model.is_shipped else session.get(Model, model.folder.name)
    return row is None or not row.intact or row.genes_sha256 == list_sha256(card.genes)


def _sections_of(library: Library, key: str) -> list[str]:
    """List the sections that a model was trained on here, and goes with."""
    with library.database.reading() as session:
        which = ModelSection.folder == key
        return list(session.scalars(sa.select(ModelSection.section_id).where(which)))


def _get(library: Library, folder: Path) -> KnownModel:
    found = next((model for model in _of_library(library) if model.folder == folder), None)
    if found is None:
        raise InputError(MODEL_GONE)
    return found


def _key(library: Library, folder: Path, what: str) -> str:
    if folder.parent != library.models:
        raise InputError(f"The model {folder.name} ships with squint: it cannot be {what}.")
    return folder.name


def _row(session: Session, key: str) -> Model:
    row = session.get(Model, key, with_for_update=True)
    if row is None:
        raise InputError(MODEL_GONE)
    if not row.intact:
        raise InputError("What the library knows of this model is damaged. Add it again.")
    return row
