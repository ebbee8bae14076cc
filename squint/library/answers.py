"""How questions about sources were answered, so that the next of the same kind need not be asked."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from squint.io.content import Answers
from squint.library.access import changing
from squint.library.records import RememberedAnswers
from squint.library.store import Library
from squint.library.taking_over import Kept, left_lying

OLD_FILE = "answers.json"
_OF_ONE_FILE = {"section", "table"}  # names that the next file need not have


def remembered(library: Library, kind: str) -> Answers:
    """Give the answers to the last source of a kind; none where there was none.

    Parameters
    ----------
    library
        Where they are kept.
    kind
        Of source, as the task that reads one names it.
    """
    with _kept(library).reading() as session:
        row = session.get(RememberedAnswers, kind)
    known = row.given if row is not None and row.intact else {}  # an answer that is lost is asked again
    names = {item.name for item in fields(Answers)}
    return Answers(**{name: value for name, value in known.items() if name in names})


@changing
def remember(library: Library, kind: str, answers: Answers) -> None:
    """Keep the answers to a source for the next of its kind."""
    given = {name: value for name, value in answers.given().items() if name not in _OF_ONE_FILE}
    with _kept(library).writing() as session:
        row = session.get(RememberedAnswers, kind)
        if row is None or not row.intact or row.given != given:
            _put(session, kind, given)


def _put(session: Session, kind: str, given: dict[str, Any]) -> None:
    session.merge(RememberedAnswers(kind=kind, given=given))


def _kept(library: Library) -> Kept:
    return Kept(library.home, "answers", lambda session: _take_over(session, library.home / OLD_FILE))


def _take_over(session: Session, path: Path) -> list[Path]:
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return []
    except (OSError, ValueError, RecursionError) as error:
        left_lying(path, error)
        return []
    for kind, given in found.items() if isinstance(found, dict) else ():
        if isinstance(given, dict) and len(kind) <= 255:
            _put(session, kind, given)
    return [path]
