"""How questions about sources were answered, so that the next of the same kind need not be asked."""

import json
from dataclasses import fields
from typing import Any

from squint.files import write_json
from squint.io.content import Answers
from squint.library.store import Library

FILE = "answers.json"
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
    known = _read(library).get(kind, {})
    names = {item.name for item in fields(Answers)}
    return Answers(**{name: value for name, value in known.items() if name in names})


def remember(library: Library, kind: str, answers: Answers) -> None:
    """Keep the answers to a source for the next of its kind."""
    given = {name: value for name, value in answers.given().items() if name not in _OF_ONE_FILE}
    known = _read(library)
    if known.get(kind, {}) != given:
        write_json(library.home / FILE, {**known, kind: given}, indent=1)


def _read(library: Library) -> dict[str, dict[str, Any]]:
    try:
        found = json.loads((library.home / FILE).read_text())
    except (OSError, ValueError):
        return {}  # an answer that is lost is asked again
    return found if isinstance(found, dict) else {}
