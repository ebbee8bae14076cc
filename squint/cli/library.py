"""Commands on the library of a dashboard: the same records, without a browser."""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from squint.cli.terminal import Facts, progress, say


def add_library(add: Any) -> None:
    """Take commands on the library that ``SQUINT_HOME`` names."""
    sub = add(backup)
    sub.add_argument("file", type=Path, metavar="FILE.zip", help="to write; it must not be there yet")
    sub = add(restore)
    sub.add_argument("file", type=Path, metavar="FILE.zip", help="that a backup wrote")


def backup(options: argparse.Namespace) -> Facts:
    """Write the library, records and files, to one file; the dashboard may run meanwhile."""
    from squint.library import backup as backups
    from squint.library import place

    home = place.existing_home()
    progress(f"Writing {home} to {options.file} ...")
    contents = backups.backup(home, options.file)
    said = _say_contents(contents)
    for name in contents.damaged:
        say(f"damaged before, and so in the backup too: {name}")
    return {"file": str(options.file), **said, "damaged": list(contents.damaged)}


def restore(options: argparse.Namespace) -> Facts:
    """Make a library of a backup, in an empty folder and an empty database."""
    from squint.library import backup as backups
    from squint.library import place

    home = place.home()
    progress(f"Reading {options.file} into {home} ...")
    contents = backups.restore(options.file, home)
    said = _say_contents(contents)
    return {"home": str(home), **said}


def _say_contents(contents: Any) -> Facts:
    n_rows = sum(contents.rows.values())
    say(f"files: {len(contents.files):,}, {contents.n_bytes / 1e6:,.1f} MB; records: {n_rows:,}")
    facts = asdict(contents)
    return {key: facts[key] for key in ("made", "revision", "rows", "squint")} | {
        "n_files": len(contents.files),
        "n_bytes": contents.n_bytes,
    }
