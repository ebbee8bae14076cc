"""Long work in stages: the result of each is a file, and what is there is not done again."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from squint.errors import InputError
from squint.files import make_folder, write_json

REQUEST = "request.json"  # what decides the results in a folder
Row = dict[str, Any]


def claim(folder: Path, request: Row, what: str) -> None:
    """Make a folder, made if missing, the place of this work's results.

    Parameters
    ----------
    folder
        Where results are kept.
    request
        Everything that decides them, JSON-able.
    what
        The work, for the message: ``"benchmark"``.

    Raises
    ------
    InputError
        If the folder holds results of another request, or cannot be made.
    """
    request = json.loads(json.dumps(request))
    path = folder / REQUEST
    if path.exists():
        before = json.loads(path.read_text())
        other = [name for name, value in request.items() if before.get(name) != value]
        if other:
            raise InputError(
                f"{folder} holds results of another {what} (other {', '.join(other)}). Choose another folder."
            )
        return
    make_folder(folder)
    write_json(path, request, indent=1)


def do(path: Path, work: Iterator[Row | str]) -> Iterator[str]:
    """Do what a file should hold, unless it is there.

    Parameters
    ----------
    path
        Gets the rows of the work, as a list in JSON, once all of it is done.
    work
        Rows, and words on how far it is.

    Yields
    ------
    The words, behind the name of the stage.
    """
    if path.exists():
        yield f"{path.stem}: done before"
        return
    found: list[Row] = []
    for step in work:
        if isinstance(step, str):
            yield f"{path.stem}: {step}"
        else:
            found.append(step)
    write_json(path, found, indent=1)
