"""The command ``report``: a report computed from its recipe."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from squint.cli.terminal import Facts, add_device, progress, say, steps
from squint.errors import InputError

if TYPE_CHECKING:
    from squint.library.store import Library
    from squint.model.bundle import Bundle
    from squint.report.recipe import ModelRecord


def add_report(add: Any) -> None:
    """Add the command to the program's.

    Parameters
    ----------
    add
        Adds a command.
    """
    sub = add(report)
    sub.add_argument(
        "recipe", type=Path, metavar="RECIPE", help="recipe.json, or the ZIP of a report that it is in"
    )
    sub.add_argument("--out", type=Path, required=True, metavar="DIR", help="for report.pdf, .html and .zip")
    sub.add_argument(
        "--originals",
        type=Path,
        nargs="+",
        default=[],
        metavar="PATH",
        help="files and folders that the sections were read of, or a folder of such: what is given is read "
        "and tokenised anew",
    )
    sub.add_argument(
        "--model", type=Path, metavar="BUNDLE", help="by default found in the library, or among those shipped"
    )
    sub.add_argument(
        "--library",
        type=Path,
        metavar="HOME",
        help="where sections are that no original is given of (default: SQUINT_HOME, if there is one)",
    )
    sub.add_argument(
        "--check",
        type=Path,
        metavar="ZIP",
        help="compare all tables with those of this report, and say how far",
    )
    add_device(sub)


def report(options: argparse.Namespace) -> Facts:
    """Write the report of a recipe as PDF, HTML and tables, all computed anew from what the recipe names."""
    from squint._version import __version__
    from squint.library import audit
    from squint.library.chain import EXPORTED, REPORT, Entry
    from squint.report import packed
    from squint.report.documents import write_report
    from squint.report.replay import Sources, replay

    given = packed.read_given(options.recipe)
    library = _library(options.library)
    if given.recipe.squint != __version__:
        progress(f"  note: the recipe was made by squint {given.recipe.squint}; this is {__version__}.")
    sources = Sources(
        given.input, options.originals, library, lambda record: _model(record, options, library)
    )
    told = steps()
    computed = replay(given.recipe, sources, told)
    wanted = given.recipe.inputs
    inputs = {sha256: content for sha256 in wanted if (content := given.input(sha256)) is not None}
    facts: Facts = {"recipe": str(options.recipe), "tables": list(computed.tables)}
    if options.check is not None:  # before anything is written: what differs is no report of this recipe
        agreed = packed.compare(computed, options.check)
        facts["agreement"] = agreed.__dict__
    if library is not None:
        audit.note(library.home, Entry(EXPORTED, REPORT))
    written = write_report(computed, inputs, options.out, told)
    if options.check is not None:
        say(
            f"{options.check}: {agreed.n_tables} tables agree: {agreed.n_whole:,} whole numbers and texts "
            "are equal, "
            f"{agreed.n_others:,} other numbers differ by at most {agreed.largest:.1g}"
        )
    for path in written.files:
        say(f"{path}: {path.stat().st_size / 1e6:,.1f} MB")
    if written.no_pdf:
        progress(f"No PDF: {written.no_pdf}")
    return facts | {"files": [str(path) for path in written.files], "no_pdf": written.no_pdf}


def _library(asked: Path | None) -> "Library | None":
    """Open the library that was asked for, which may be empty; else that of the environment, if any."""
    from squint.library import place
    from squint.library.store import Library

    home = place.find_home() if asked is None else asked.absolute()
    return None if home is None else Library(home)


def _model(record: "ModelRecord", options: argparse.Namespace, library: "Library | None") -> "Bundle":
    from squint.library import place
    from squint.library.models import known
    from squint.model.bundle import Bundle

    folder: Path | None = options.model
    if folder is None:
        models = known(library, [place.server_model(), *place.shipped_models()])
        folder = next((one.folder for one in models if one.sha256 == record.sha256 and not one.problem), None)
    if folder is None:
        raise InputError(
            f"The model {record.name} (sha256 {record.sha256[:12]}) is not here. Give its bundle with "
            "--model."
        )
    from squint.device import pick_device

    return Bundle.load(folder, pick_device(options.device))
