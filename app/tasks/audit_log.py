"""The audit log checked, and written to a file. Runs in the worker."""

from dataclasses import asdict
from typing import Any

from app.requests import CheckLog, WriteLog
from squint.library import audit
from squint.library.results import Report
from squint.library.store import Library


def check(library: Library, asked: CheckLog, report: Report) -> dict[str, Any]:
    """Follow the chain of the log."""
    del asked
    report(0.0, "reading the first rows")
    return asdict(audit.verify(audit.log_of(library.home), report=report))


def write(library: Library, asked: WriteLog, report: Report) -> dict[str, Any]:
    """Write rows as CSV; the file is removed by whoever takes it."""
    report(0.1, "writing rows")
    wanted = audit.Filter(asked.person, asked.action, asked.section, asked.since, asked.until)
    with library.handed_out() as folder:
        path = folder / "audit.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            n = audit.write_csv(audit.log_of(library.home), wanted, file, asked.most)
    return {"path": str(path), "n": n}
