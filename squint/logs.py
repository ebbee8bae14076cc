"""What processes say while they run: ``SQUINT_LOG=text`` or ``json``, the one place that decides how.

As JSON, each line on stderr is an object with ``time`` (UTC), ``level``, ``logger``, ``process`` (web, engine
or worker), ``pid`` and ``event``, and with what the line is about: ``request``, ``job``, ``seconds``.

An error is logged with its type and with every line of code that it went through, and without its words:
those may quote what was in a file, or its name. A warning of a library is logged by its kind and place alone.
"""

import json
import logging
import os
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from squint.errors import InputError

TEXT, JSON = "text", "json"
_FIELDS = "squint_fields"  # of a record
_QUOTING = ("asyncio",)  # whose messages quote errors and arguments after their first line
_about: ContextVar[dict[str, Any]] = ContextVar("squint_about", default={})  # noqa: B039 - never changed in place

logger = logging.getLogger(__name__)


def style() -> str:
    """Read ``SQUINT_LOG``.

    Raises
    ------
    InputError
        If it is neither ``text`` nor ``json``.
    """
    given = os.environ.get("SQUINT_LOG") or TEXT
    if given not in {TEXT, JSON}:
        raise InputError(f"SQUINT_LOG must be text or json, not {given!r}.")
    return given


def configure(process: str, *, quiet: str = "") -> None:
    """Have all loggers of this process write to stderr as ``SQUINT_LOG`` says.

    Once more does no harm, and takes over loggers that were given handlers of their own since.

    Parameters
    ----------
    process
        What this one is: ``web``, ``engine`` or ``worker``.
    quiet
        Of this logger and those below it, only warnings and worse are written.

    Raises
    ------
    InputError
        If ``SQUINT_LOG`` is neither ``text`` nor ``json``.
    """
    chosen = style()
    handler = logging.StreamHandler()
    handler.setFormatter(_Json(process) if chosen == JSON else _Text(process))
    if quiet:
        handler.addFilter(
            lambda record: record.levelno >= logging.WARNING or not f"{record.name}.".startswith(f"{quiet}.")
        )
    root = logging.getLogger()
    for known in list(root.handlers):
        root.removeHandler(known)
    root.addHandler(handler)
    for name in list(logging.root.manager.loggerDict):
        take_over(logging.getLogger(name))
    logging.getLogger("squint").setLevel(logging.INFO if chosen == JSON else logging.NOTSET)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    warnings.showwarning = _warned


def take_over(known: logging.Logger) -> None:
    """Have a logger say what it says as all others do, not by handlers of its own."""
    for handler in list(known.handlers):
        known.removeHandler(handler)
    known.propagate = True


@contextmanager
def about(**fields: Any) -> Iterator[None]:
    """Add fields to all that is logged in the block: numbers, and words that name no person and no file."""
    token = _about.set({**_about.get(), **fields})
    try:
        yield
    finally:
        _about.reset(token)


def say(known: logging.Logger, event: str, **fields: Any) -> None:
    """Log an event of ordinary work with fields: JSON has them, text leaves all of it out."""
    known.info(event, extra={_FIELDS: fields})


def without_values(error: BaseException) -> list[str]:
    """Give the lines of an error's traceback, with the types of errors in place of their words."""
    lines: list[str] = []
    for one in _chain(error):
        lines += [
            "Traceback (most recent call last):",
            *"".join(traceback.format_tb(one.__traceback__)).splitlines(),
            _name(one),
        ]
        for inner in one.exceptions if isinstance(one, BaseExceptionGroup) else ():
            lines += [f"  | {line}" for line in without_values(inner)]
    return lines


class _Text(logging.Formatter):
    """Lines to be read: the time, the process unless it is the web's, and the words."""

    def __init__(self, process: str) -> None:
        where = "" if process == "web" else f" {process}:"
        super().__init__(f"%(asctime)s{where} %(message)s")
        self.default_msec_format = "%s.%03d"

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        return "\n".join(without_values(ei[1]))

    def format(self, record: logging.LogRecord) -> str:
        return super().format(_harmless(record))


class _Json(logging.Formatter):
    """One JSON object a line."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        record = _harmless(record)
        said: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "process": self._process,
            "pid": record.process,
            "event": record.getMessage(),
            **_about.get(),
            **getattr(record, _FIELDS, {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            said["error"] = _name(record.exc_info[1])
            said["traceback"] = without_values(record.exc_info[1])
        return json.dumps(said, default=lambda value: type(value).__name__)


def _harmless(record: logging.LogRecord) -> logging.LogRecord:
    """Leave out what a logger of others quotes of errors."""
    if record.name in _QUOTING:
        record.msg, record.args = record.getMessage().partition("\n")[0], None
    record.exc_text = record.stack_info = None  # what another handler wrote of it, with its words
    return record


def _chain(error: BaseException) -> list[BaseException]:
    """Give an error after those that it came of, the first one first."""
    found = [error]
    while (one := found[-1]) and len(found) < 20:
        before = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
        if before is None or before in found:
            break
        found.append(before)
    return found[::-1]


def _name(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        logger.error("This was not caught", exc_info=(kind, error, trace))


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
        logger.error("This was not caught in a thread", exc_info=args.exc_value)


def _warned(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: Any, **_more: Any
) -> None:
    del message  # it may quote what was read
    logger.warning("%s in %s, line %d", category.__name__, Path(filename).name, lineno)
