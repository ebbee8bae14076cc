"""Tasks as a worker calls them: JSON in, one frozen class of arguments out."""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter

from squint.library.results import Report, Task
from squint.library.store import Library

Kind = TypeVar("Kind", bound=Task[Any])
Function = Callable[[Library, Kind, Report], Any]
Wired = Callable[[Mapping[str, Any], Report], Any]  # what a worker calls with JSON


def does(
    kind: type[Kind], function: Function[Kind]
) -> tuple[str, Callable[[Mapping[str, Any], Report], Any]]:
    """Name a task, and make its function one of JSON.

    Parameters
    ----------
    kind
        What the task is asked.
    function
        Does it, in a library; what it returns is JSON.
    """
    decode = cache(lambda: TypeAdapter(kind))  # made when first needed: that takes a while

    def task(args: Mapping[str, Any], report: Report) -> Any:
        asked = decode().validate_python(args["asked"])
        return function(Library(Path(args["home"])), asked, report)

    return kind.name, task
