"""The commands ``audit verify``, ``list`` and ``head``: who did what, and whether that log holds."""

import argparse
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from squint.cli.terminal import Facts, progress, say, steps
from squint.errors import InputError

if TYPE_CHECKING:
    from squint.library.audit import Row
    from squint.library.chain import Head
    from squint.library.database import Database


def add_audit(add: Any, commands: Any) -> None:
    """Take commands on the audit log of the server whose library ``SQUINT_HOME`` names.

    Parameters
    ----------
    add
        Adds a command, to a group if one is given.
    commands
        Where a group is added.
    """
    about = "Say who saw, changed and exported what, and whether anybody has tampered with that."
    kinds = commands.add_parser("audit", help=about, description=about).add_subparsers(
        required=True, metavar="WHAT"
    )
    sub = add(verify, to=kinds)
    sub.add_argument(
        "--head", metavar="ROW:CHAIN", help="that `audit head` gave earlier: the log must have come by it"
    )
    sub = add(list_rows, "list", kinds)
    sub.add_argument("--since", default="", metavar="TIME", help="UTC: 2026-11-28, or 2026-11-28T09:30")
    sub.add_argument("--until", default="", metavar="TIME", help="UTC; what was done then is left out")
    sub.add_argument("--person", default="", metavar="ID", help="a number, or `server`: squint by itself")
    sub.add_argument("--action", default="", help="seen, added, changed, deleted, exported, refused ...")
    sub.add_argument("--section", default="", metavar="ID", help="or the start of it")
    sub.add_argument("--n", type=int, default=100, help="most that are said, the newest first (default: 100)")
    sub.add_argument("--csv", type=Path, metavar="FILE", help="write all of them to this file instead")
    add(head, to=kinds)


def verify(options: argparse.Namespace) -> Facts:
    """Follow the chain of the log from its first row; the status is 2 if a row does not fit."""
    from squint.library import audit

    kept = None if options.head is None else _head(options.head)
    found = audit.verify(_log(), kept, steps())
    if found.problem:
        raise InputError(
            f"The audit log does not hold. {found.problem} {found.n_checked:,} of {found.n_rows:,} rows "
            "before it fit. Somebody changed the database beside squint: keep a copy of it, and compare it "
            "with backups."
        )
    say(f"{found.n_rows:,} rows: all as they were written. The last has chain {found.chain}")
    return asdict(found)


def list_rows(options: argparse.Namespace) -> Facts:
    """Say what was done, the newest first, by ids; or write all of it as CSV, which is noted too."""
    from squint.files import whole
    from squint.library import audit, chain

    wanted = audit.Filter(
        options.person, options.action, options.section, _time(options.since), _time(options.until)
    )
    log = _log()
    if options.csv is not None:
        if options.csv.exists():
            raise InputError(f"{options.csv} is there already. Choose another name.")
        audit.note(_home(), chain.Entry(chain.EXPORTED, chain.LOG))
        with whole(options.csv) as path, path.open("w", newline="") as file:
            n = audit.write_csv(log, wanted, file)
        say(f"{options.csv}: {n:,} rows")
        return {"file": str(options.csv), "n_rows": n}
    if options.n < 1:
        raise InputError("--n: at least 1.")
    found = list(audit.every(log, wanted, options.n))
    for row in found:
        say(_line(row))
    if len(found) == options.n:
        progress(f"These are the last {options.n:,}. More: --n, or --csv FILE for all.")
    return {"rows": [row._asdict() for row in found]}


def head(options: argparse.Namespace) -> Facts:
    """Say the number and hash of the last row: kept elsewhere, they show that an end is missing."""
    from squint.library import audit

    del options
    end = audit.head(_log())
    say(f"{end.n}:{end.chain}")
    return end._asdict()


def _line(row: "Row") -> str:
    who = "server" if row.person is None else f"person {row.person}"
    what = f"{row.action} {row.kind}{f' {row.object}' if row.object else ''}"
    of = f" of section {row.section}" if row.section not in ("", row.object) else ""
    times = f", {row.n:,} times" if row.n > 1 else ""
    where = f" [{row.place}{f', project {row.project}' if row.project else ''}]"
    return f"{row.id:>8}  {row.time}  {who}: {what}{of}{times}{where}"


def _time(text: str) -> str:
    """Read a time as rows have it.

    Raises
    ------
    InputError
        If it is none.
    """
    if text and not re.fullmatch(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?)?", text):
        raise InputError(f"{text} is no time. Write it as 2026-11-28 or 2026-11-28T09:30, in UTC.")
    return text


def _head(text: str) -> "Head":
    from squint.library.chain import Head

    n, _, chain = text.strip().partition(":")
    if not (n.isdecimal() and re.fullmatch(r"[0-9a-f]{64}", chain)):
        raise InputError("--head: not as `squint audit head` says it.")
    return Head(int(n), chain)


def _log() -> "Database":
    from squint.library import audit

    return audit.log_of(_home())


def _home() -> Path:
    from squint.library import place

    return place.existing_home()
