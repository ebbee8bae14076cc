"""What tasks about the audit log are asked."""

from dataclasses import dataclass
from typing import Any, ClassVar

from squint.library.results import Task


@dataclass(frozen=True)
class CheckLog(Task[dict[str, Any]]):
    """Follow the chain of the log; answers with :class:`squint.library.audit.Verdict`."""

    name: ClassVar[str] = "check_log"
    asked: str  # when, so that each check looks anew


@dataclass(frozen=True)
class WriteLog(Task[dict[str, Any]]):
    """Write rows of the log as CSV; answers with the ``"path"`` and the number ``"n"`` of rows."""

    name: ClassVar[str] = "write_log"
    person: str  # these as :class:`squint.library.audit.Filter` has them
    action: str
    section: str
    since: str
    until: str
    most: int  # rows, the newest
