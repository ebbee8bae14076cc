"""Names and notes that users give to the tokens of a model.

They are of the model's weights, by their hash: wherever these are used, in whatever folder, tokens are called
so. A change adds a row and changes none, so that all that was ever said of a token is kept with its time;
undoing adds a row too, and doing again adds what was undone once more. Names outlive their model, as its
tokens do, and count again when it comes back.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import sqlalchemy as sa
from sqlalchemy.orm import Session

from squint.errors import InputError
from squint.library.access import changing
from squint.library.keeping import now
from squint.library.records import TokenName
from squint.library.store import Library
from squint.library.taking_over import alone
from squint.sensitive import TITLE, flag_text

MOST_LETTERS = 60  # of a name
MOST_LETTERS_NOTED = 2_000
NUMBER = " · "  # between a token's number and its name
_MARK = "token names"
_DAMAGED = "The last change of this token's name is damaged in the library. Undo it, or name the token again."


@dataclass(frozen=True)
class Named:
    """What users call a token, and what they noted of it."""

    name: str = ""  # empty: no name
    note: str = ""
    version: int = 0  # counts all that was ever done; 0: nothing
    undoes: str = ""  # what going back would undo, in words; nothing if there is nothing
    redoes: str = ""  # what going forward would do again, likewise; :func:`get` alone says it
    made: str = ""  # UTC
    damage: str = ""  # in words; empty if nothing


@dataclass(frozen=True)
class Change:
    """What was done to the name or note of a token."""

    what: str  # in words
    name: str  # after it
    note: str
    made: str  # UTC


def named(library: Library, model: str) -> dict[str, Named]:
    """Give what users call the tokens of a model, by token; those that nobody named are left out.

    Where the last change is damaged, a token has no name but ``damage``: an older name might be a wrong one.
    """
    with library.database.reading() as session:
        last = _last(session, TokenName.model == model)
    return {str(row.token): _of_row(row) for row in last}


def get(library: Library, model: str, token: str) -> Named:
    """Give what users call one token, and what can be undone and done again of that."""
    with library.database.reading() as session:
        rows = _rows(session, model, _number(token))
    if not rows:
        return Named()
    undone = _undone(rows)[1]
    return replace(_of_row(rows[-1]), redoes=undone[-1].what if undone else "")


def names(library: Library, model: str) -> dict[str, str]:
    """Give the names of the tokens that have one, with their numbers: ``"7 · glomerulus"``."""
    return {token: titled(token, one.name) for token, one in named(library, model).items() if one.name}


def titled(token: str, name: str) -> str:
    """Call a token by its number and its name."""
    return f"{token}{NUMBER}{name}" if name else token


def changes(library: Library, model: str, token: str) -> list[Change]:
    """List all that was done to the name and note of a token, the last first, but for damaged rows."""
    with library.database.reading() as session:
        rows = _rows(session, model, _number(token))
    again = _undone(rows)[0]
    found = []
    for row in rows:
        if row.intact:
            what = f"undone: {row.undone}" if row.undone else row.what
            what = f"done again: {what}" if row.number in again else what
            found.append(Change(what, row.name, row.note, row.made))
    return found[::-1]


@changing
def name(library: Library, model: str, token: str, name: str, note: str, *, seen: int | None = None) -> bool:
    """Name a token and note something of it, in place of what was there before.

    Parameters
    ----------
    library
        Where it is kept.
    model
        Hash of the model's weights.
    token
        Its number.
    name
        At most 60 letters in one line; nothing: no name.
    note
        At most 2,000 letters; nothing: no note.
    seen
        Version that whoever changes it has seen.

    Returns
    -------
    Whether that changed anything.

    Raises
    ------
    InputError
        If name or note are too long or may identify a person, or somebody changed them meanwhile.
    """
    number, name, note = _number(token), fit_name(name), fit_note(note)
    with library.database.writing() as session:
        alone(session, _MARK)
        rows = _rows(session, model, number)
        known = _of_row(rows[-1]) if rows else Named()
        _check_seen(known, seen)
        if not known.damage and (name, note) == (known.name, known.note):
            return False
        back = _sound(rows)
        before = _of_row(back) if back else Named()
        made = TokenName(
            back_to=back.number if back else 0,
            what=_what(before, name, note),
            undone="",
            name=name,
            note=note,
        )
        _add(session, model, number, rows, made)
    return True


@changing
def undo(library: Library, model: str, token: str, *, seen: int | None = None) -> str:
    """Go back by a change of the name or note of a token; return which, in words. What was undone is kept.

    Raises
    ------
    InputError
        If there is nothing to undo, or somebody changed it meanwhile.
    """
    number = _number(token)
    with library.database.writing() as session:
        alone(session, _MARK)
        rows = _rows(session, model, number)
        known = _of_row(rows[-1]) if rows else Named()
        _check_seen(known, seen)
        if not known.undoes:
            raise InputError("There is nothing to undo.")
        upto = rows[-1].number if known.damage else rows[-1].back_to or 0
        back = _sound([row for row in rows if row.number <= upto])  # one that is damaged is passed over
        if back is None:
            made = TokenName(back_to=None, what="", undone=known.undoes, name="", note="")
        else:
            made = TokenName(
                back_to=back.back_to, what=back.what, undone=known.undoes, name=back.name, note=back.note
            )
        _add(session, model, number, rows, made)
    return known.undoes


@changing
def redo(library: Library, model: str, token: str, *, seen: int | None = None) -> str:
    """Do again what was undone last of the name or note of a token; return what, in words.

    What was undone can be done again until something else is done. Where a change is damaged, nothing can.

    Raises
    ------
    InputError
        If there is nothing to do again, or somebody changed it meanwhile.
    """
    number = _number(token)
    with library.database.writing() as session:
        alone(session, _MARK)
        rows = _rows(session, model, number)
        _check_seen(_of_row(rows[-1]) if rows else Named(), seen)
        undone = _undone(rows)[1]
        if not undone:
            raise InputError("There is nothing to do again.")
        last = undone[-1]
        made = TokenName(back_to=rows[-1].number, what=last.what, undone="", name=last.name, note=last.note)
        _add(session, model, number, rows, made)
    return last.what


def fit_name(text: str) -> str:
    """Give a name as a token can have it: one line.

    Raises
    ------
    InputError
        If it is longer than 60 letters, or may identify a person.
    """
    kept = "".join(" " if unicodedata.category(c).startswith("C") else c for c in text[:1_000])
    name = " ".join(kept.split())
    if len(name) > MOST_LETTERS:
        raise InputError(
            f"A name of a token has at most {MOST_LETTERS} letters. Shorten it, or make it a note."
        )
    _check_words("name", name)
    return name


def fit_note(text: str) -> str:
    """Give a note as it can be kept of a token.

    Raises
    ------
    InputError
        If it is longer than 2,000 letters, or may identify a person.
    """
    note = "".join(
        c if c == "\n" or not unicodedata.category(c).startswith("C") else " " for c in text
    ).strip()
    if len(note) > MOST_LETTERS_NOTED:
        raise InputError(f"A note of a token has at most {MOST_LETTERS_NOTED:,} letters. Shorten it.")
    _check_words("note", note)
    return note


def _check_words(what: str, text: str) -> None:
    """Refuse dates, long numbers and titles of persons; names of tissue look like people's, so those stay."""
    why = flag_text([text]) or ("holds the title of a person" if TITLE.search(text) else None)
    if why:
        raise InputError(f"This {what} {why}. Write nothing that identifies a person.")


def _check_seen(known: Named, seen: int | None) -> None:
    if seen is not None and seen != known.version:
        raise InputError("This token was named otherwise meanwhile. Look at its name before you go on.")


def _number(token: str) -> int:
    if not token.isdecimal() or len(token) > 9:  # what a column of numbers holds
        raise InputError(f"{token!r} is no token. Tokens are numbers, from 0 up.")
    return int(token)


def _what(before: Named, name: str, note: str) -> str:
    """Say in words what a change does."""
    if name != before.name:
        return f"named {name!r}" if name else f"name {before.name!r} taken away"
    if note != before.note:
        return "noted" if note else "note taken away"
    return "named again"


def _add(session: Session, model: str, token: int, rows: Sequence[TokenName], made: TokenName) -> None:
    made.model, made.token, made.made = model, token, now()
    made.number = rows[-1].number + 1 if rows else 1
    session.add(made)


def _rows(session: Session, model: str, token: int) -> Sequence[TokenName]:
    """Give all rows of a token in their order."""
    which = sa.and_(TokenName.model == model, TokenName.token == token)
    return session.scalars(sa.select(TokenName).where(which).order_by(TokenName.number)).all()


def _last(session: Session, which: sa.ColumnElement[bool]) -> Sequence[TokenName]:
    """Give the last row of each token."""
    numbers = (
        sa.select(TokenName.model, TokenName.token, sa.func.max(TokenName.number).label("number"))
        .where(which)
        .group_by(TokenName.model, TokenName.token)
        .subquery()
    )
    same = sa.and_(
        TokenName.model == numbers.c.model,
        TokenName.token == numbers.c.token,
        TokenName.number == numbers.c.number,
    )
    return session.scalars(sa.select(TokenName).join(numbers, same).order_by(TokenName.token)).all()


def _undone(rows: Sequence[TokenName]) -> tuple[set[int], list[TokenName]]:
    """Go through all rows of a token: which of them did something again, and what can be done again by now.

    A row that does what was undone last is that again, whoever made it; any other begins anew. The last of
    those that can be done again comes first. Where a row is damaged it is not known on what the others were
    made, so that nothing can.
    """
    again: set[int] = set()
    pile: list[TokenName] = []
    for before, row in pairwise(rows):
        if row.undone:
            pile.append(before)
        elif pile and (pile[-1].what, pile[-1].name, pile[-1].note) == (row.what, row.name, row.note):
            pile.pop()
            again.add(row.number)
        else:
            pile.clear()
    return again, pile if all(row.intact for row in rows) else []


def _sound(rows: Sequence[TokenName]) -> TokenName | None:
    """Give the last row that is not damaged."""
    return next((row for row in reversed(rows) if row.intact), None)


def _of_row(row: TokenName) -> Named:
    if not row.intact:
        return Named(version=row.number, undoes="a change that is damaged", damage=_DAMAGED)
    undoes = "" if row.back_to is None else row.what
    return Named(row.name, row.note, row.number, undoes, row.made)


def damaged(known: Mapping[str, Named]) -> list[str]:
    """List the tokens whose last change is damaged."""
    return [token for token, one in known.items() if one.damage]
