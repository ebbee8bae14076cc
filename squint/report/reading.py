"""A recipe as a file, strictly checked: it may be anybody's."""

import json
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from squint.errors import InputError
from squint.files import why_refused
from squint.io.content import Answers
from squint.parsing import parse_json
from squint.report.recipe import SCHEMA, Recipe

MOST_BYTES = 8_000_000
_AGAIN = "Take the recipe that the report was given with."


def write_recipe(recipe: Recipe) -> bytes:
    """Write a recipe as JSON."""
    return json.dumps(recipe.facts(), indent=1, ensure_ascii=False, allow_nan=False).encode()


def read_recipe(content: bytes, name: str) -> Recipe:
    """Read a recipe.

    Parameters
    ----------
    content
        JSON.
    name
        Of the file, for messages.

    Raises
    ------
    InputError
        If it is no recipe of this schema; it says what of it is wrong.
    """
    if len(content) > MOST_BYTES:
        raise InputError(f"{name} is larger than {MOST_BYTES // 10**6} MB, which no recipe is. {_AGAIN}")
    facts = parse_json(content, name, _AGAIN)
    if not isinstance(facts, dict) or "schema" not in facts:
        raise InputError(f"{name} is no recipe of a report: it names no schema. {_AGAIN}")
    _check_schema(facts, name)
    try:
        text = json.dumps(facts, allow_nan=False)
    except ValueError as error:
        raise InputError(f"{name} holds a number that is not finite. {_AGAIN}") from error
    try:
        recipe = _adapter().validate_json(text, strict=True)
    except ValidationError as error:
        raise InputError(f"{name}: {_first(error)} {_AGAIN}") from error
    for record in recipe.sections:
        answers_of(record.answers, f"{name}: section {record.name}")
    return recipe


def _check_schema(facts: dict[str, Any], name: str) -> None:
    """Refuse what a later squint wrote, before anything of it is misread, and what lacks its seeds."""
    schema = facts["schema"]
    if isinstance(schema, int) and not isinstance(schema, bool) and schema > SCHEMA:
        raise InputError(
            f"{name} is of schema {schema}, which a newer squint wrote; this one reads schema {SCHEMA}. "
            "Use a newer squint."
        )
    if not isinstance(facts.get("seeds"), dict) or "tiles" not in facts["seeds"]:
        raise InputError(f"{name}: its seeds are missing, without which no numbers can be the same. {_AGAIN}")


def answers_of(given: Any, where: str) -> Answers:
    """Make answers to what an original leaves open of what a recipe says of them.

    Raises
    ------
    InputError
        If they are none.
    """
    if unknown := set(given) - {item.name for item in fields(Answers)}:
        raise InputError(f"{where}: no original leaves open {min(unknown)!r}. {_AGAIN}")
    try:
        return _answers().validate_json(json.dumps(dict(given)), strict=True)
    except (ValidationError, TypeError, ValueError) as error:
        raise InputError(f"{where}: its answers to the original's questions are none. {_AGAIN}") from error


def read_bytes(path: Path, most: int) -> bytes:
    """Read a file that is no larger than it may be.

    Raises
    ------
    InputError
        If it is, or cannot be read.
    """
    try:
        if path.stat().st_size > most:
            raise InputError(f"{path} is larger than {most // 10**6} MB, which no such file is.")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} could not be read: {why_refused(error)}.") from error


@cache
def _adapter() -> TypeAdapter[Recipe]:
    return TypeAdapter(Recipe)


@cache
def _answers() -> TypeAdapter[Answers]:
    return TypeAdapter(Answers)


def _first(error: ValidationError) -> str:
    """Say what is wrong first, and where."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    said = str(first["msg"]).removeprefix("Value error, ").rstrip(".")
    more = error.error_count() - 1
    others = f" ({more} more)" if more else ""
    return f"{f'{where}: ' if where else ''}{said}.{others}"
