"""The command ``library patients``: what is known of patients, as the page Compare keeps it."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from squint.cli.project import add_project, home_of
from squint.cli.terminal import Facts, progress, say
from squint.errors import InputError

if TYPE_CHECKING:
    from squint.library.store import Library


def add_patients(add: Any, kinds: Any) -> None:
    """Take the command on the table of patients.

    Parameters
    ----------
    add
        Adds a command to a group.
    kinds
        The group.
    """
    sub = add(patients, to=kinds)
    add_project(sub)
    sub.add_argument(
        "file",
        nargs="?",
        type=Path,
        metavar="FILE.csv",
        help="a row a patient: study code, grade, outcome ...",
    )
    sub.add_argument("--replace", action="store_true", help="in place of the table, instead of adding to it")
    sub.add_argument(
        "--identifies-nobody",
        action="store_true",
        help="keep columns whose values look like names, dates or record numbers",
    )
    for option, what in (("--numbers", "numbers"), ("--groups", "groups")):
        sub.add_argument(option, action="append", default=[], metavar="COLUMN", help=f"this one holds {what}")
    change = sub.add_mutually_exclusive_group()
    change.add_argument("--undo", action="store_true", help="take the last change back")
    change.add_argument("--delete", action="store_true", help="delete the table and all that can be undone")


def patients(options: argparse.Namespace) -> Facts:
    """Show what is known of patients by study code, or add to it from a file; names are left out."""
    from squint.library import patient_facts
    from squint.library.store import Library

    library = Library(home_of(options))
    if options.file is not None and (options.undo or options.delete):
        raise InputError("--undo and --delete go without a FILE.")
    if options.delete:
        patient_facts.delete(library)
        say("The table of patients is deleted.")
        return {"deleted": True}
    if options.undo:
        say(f"Undone: {patient_facts.step(library, -1)}")
    said = _add(library, options) if options.file is not None else {}
    for kind in ("numbers", "groups"):
        for column in getattr(options, kind):
            patient_facts.take_as(library, column, kind)
    return {**said, **_show(library)}


def _add(library: "Library", options: argparse.Namespace) -> Facts:
    from squint.formats.patient_table import read
    from squint.library import patient_facts

    known = patient_facts.codes(library)
    found = read(options.file, known, sure=options.identifies_nobody)
    patient_facts.keep(library, found, replace=options.replace)
    progress(f"Study codes are those of column {found.code_column}.")
    for column, why in found.left_out.items():
        progress(f"Column {column} is left out: {why}.")
    if found.unknown:
        progress(f"No patients of the library, and left out: {', '.join(found.unknown)}")
    if found.n_unlisted:
        progress(f"{found.n_unlisted} more codes are left out, and not repeated, for they may name a person.")
    return {"left_out": found.left_out, "unknown": found.unknown, "n_unlisted": found.n_unlisted}


def _show(library: "Library") -> Facts:
    from squint.library import patient_facts
    from squint.spreadsheet import neutral

    now = patient_facts.known(library)
    if now.damage:
        raise InputError(f"{now.damage} Or delete it: squint library patients --delete")
    if not now.columns:
        say("Nothing is known of the patients. Add a table: squint library patients FILE.csv")
    for code, row in sorted(now.rows.items()):
        say(
            f"{code}: {', '.join(f'{column} {neutral(value)}' for column, value in row.items()) or 'nothing'}"
        )
    for column, kind in now.columns.items():
        say(f"{column} holds {kind}, of {len(now.groups(column))} patients")
    return {"columns": dict(now.columns), "patients": {code: dict(row) for code, row in now.rows.items()}}
