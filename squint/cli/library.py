"""Commands on the library of a dashboard: the same records, without a browser."""

import argparse
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from squint.cli.patients import add_patients
from squint.cli.project import add_project, called, home_of, homes_of
from squint.cli.terminal import Facts, progress, say, steps
from squint.errors import InputError

if TYPE_CHECKING:
    from squint.library.store import Library

_ALL = "all projects"
_SAID: dict[str, Callable[[Any], str]] = {  # how one of several facts of a kind is said
    "notes": lambda note: f"note: {note}",
    "pictures": lambda image: f"picture {image['name']}: {image['width']:,} x {image['height']:,} pixels",
    "damaged_pictures": lambda image: f"picture {image['name']}: damaged. {image['why']}",
    "tokens": lambda run: f"tokens by {run['model'][:12]}: {run['problem'] or run['added']}",
}


def add_library(add: Any, commands: Any) -> None:
    """Take commands on the library that ``SQUINT_HOME`` names.

    Parameters
    ----------
    add
        Adds a command, to a group if one is given.
    commands
        Where a group is added.
    """
    sub = add(backup)
    add_project(sub, _ALL)
    sub.add_argument("file", type=Path, metavar="FILE.zip", help="to write; it must not be there yet")
    sub = add(restore)
    sub.add_argument("file", type=Path, metavar="FILE.zip", help="that a backup wrote")

    about = "Look at the library, whether all in it is as it was kept, and delete results nobody uses."
    kinds = commands.add_parser("library", help=about, description=about).add_subparsers(
        required=True, metavar="WHAT"
    )
    add_project(add(list_sections, "list", kinds), _ALL)
    sub = add(show, to=kinds)
    add_project(sub, _ALL)
    sub.add_argument("section", metavar="SECTION", help="its name, or the start of its id")
    sub = add(verify, to=kinds)
    add_project(sub, _ALL)
    sub.add_argument(
        "section", nargs="?", metavar="SECTION", help="its name, or the start of its id; else all"
    )
    sub = add(prune, to=kinds)
    add_project(sub, _ALL)
    sub.add_argument(
        "--older-than", metavar="DAYS", help="not used for so many days (default: SQUINT_KEEP_DAYS, or 90)"
    )
    sub.add_argument("--dry-run", action="store_true", help="only say what would be deleted")
    sub = add(rebuild, to=kinds)
    add_project(sub, _ALL)
    sub.add_argument("section", metavar="SECTION", help="its name, or the start of its id")
    add_patients(add, kinds)


def backup(options: argparse.Namespace) -> Facts:
    """Write all libraries, records and files, to one file; the dashboard may run meanwhile."""
    from squint.library import audit
    from squint.library import backup as backups
    from squint.library.chain import BACKUP, EXPORTED, Entry

    home = home_of(options)
    audit.note(home, Entry(EXPORTED, BACKUP))
    progress(f"Writing {home} to {options.file} ...")
    contents = backups.backup(home, options.file)
    said = _say_contents(contents)
    for name in contents.damaged:
        say(f"damaged before, and so in the backup too: {name}")
    damaged = list(contents.damaged)
    return {"file": str(options.file), **said, "damaged": damaged, "projects": list(contents.projects)}


def restore(options: argparse.Namespace) -> Facts:
    """Make a library of a backup, in an empty folder and an empty database."""
    from squint.library import audit, place
    from squint.library import backup as backups
    from squint.library.chain import LIBRARY, RESTORED, Entry

    home = place.home()
    progress(f"Reading {options.file} into {home} ...")
    contents = backups.restore(options.file, home)
    audit.note(home, Entry(RESTORED, LIBRARY))
    said = _say_contents(contents)
    return {"home": str(home), **said}


def list_sections(options: argparse.Namespace) -> Facts:
    """List the sections, with which are hidden on the pages, and what of them is damaged."""
    from squint.library import place

    libraries = _libraries(options)
    sections: list[Facts] = []
    damaged: list[Facts] = []
    for library in libraries:
        project = place.project_of(library.home)
        if len(libraries) > 1 or project:
            say(f"Project {called(library.home)}")
        there = [*((one, False) for one in library.sections()), *((one, True) for one in library.hidden())]
        for one, is_hidden in there:
            marks = (", simulated" if one.simulated else "") + (", hidden" if is_hidden else "")
            say(f"{one.id}  {one.title}: {one.n_cells:,} cells x {one.n_genes:,} genes{marks}")
            sections.append({**asdict(one), "hidden": is_hidden, "project": project})
        for bad in library.damaged():
            say(f"{bad.id}  {bad.title}: damaged. {bad.why}")
            damaged.append({**asdict(bad), "project": project})
    n_bytes = sum(library.used_bytes() for library in libraries)
    say(f"{len(sections):,} sections, {len(damaged):,} damaged; {n_bytes / 1e6:,.1f} MB of files")
    return {
        "home": str(libraries[0].home),
        "n_bytes": n_bytes,
        "sections": sections,
        "damaged": damaged,
    }


def show(options: argparse.Namespace) -> Facts:
    """Say what the library knows of a section, its pictures, and by which models it has tokens."""
    library, section_id = _find(options)
    section = library.get(section_id)
    facts = {**asdict(section), **_pictures(library, section.id), "tokens": _tokens(library, section.id)}
    for name, value in facts.items():
        if name in _SAID:
            for one in value:
                say(_SAID[name](one))
        elif value not in ("", None):
            say(f"{name}: {value}")
    return facts


def verify(options: argparse.Namespace) -> Facts:
    """Read every file and every record, and say which are not as they were kept; the status is 2 then."""
    from squint.library import place
    from squint.library.store import Library
    from squint.library.verify import Verified
    from squint.library.verify import verify as look_at

    looks, problems = [], []
    if options.section:
        looks = [look_at(*_find(options))]
        problems = [*looks[0].problems]
    for home in [] if options.section else homes_of(options):
        which = f"Project {called(home)}: " if place.project_of(home) else ""
        try:
            looks.append(look_at(Library(home)))
            problems += [f"{which}{problem}" for problem in looks[-1].problems]
        except InputError as error:  # one that cannot be opened hides no other
            if not which:
                raise
            problems.append(f"{which}{error}")
    found = Verified(
        n_files=sum(one.n_files for one in looks),
        n_bytes=sum(one.n_bytes for one in looks),
        n_rows=sum(one.n_rows for one in looks),
        problems=tuple(problems),
    )
    for problem in found.problems:
        say(problem)
    looked = f"{found.n_files:,} files ({found.n_bytes / 1e6:,.1f} MB) and {found.n_rows:,} records"
    if found.problems:
        raise InputError(
            f"Of {looked}, {len(found.problems):,} are not as they were kept. A damaged section is made "
            "again by `squint library rebuild SECTION`, or on the page Sections, which can delete it too; or "
            "restore a backup."
        )
    say(f"{looked}: all as they were kept")
    return asdict(found)


def prune(options: argparse.Namespace) -> Facts:
    """Delete results that nobody has looked at for long; they are computed again when asked for."""
    from datetime import UTC, datetime

    from squint.library import audit, retention
    from squint.library.chain import DELETED, RESULTS, Entry

    given = options.older_than
    days = retention.keep_days() if given is None else retention.check_days(given, "--older-than", least=0.0)
    libraries = _libraries(options)
    if not options.dry_run:
        for library in libraries:
            audit.note(library.home, Entry(DELETED, RESULTS))
    found = [one for library in libraries for one in retention.prune(library, days, dry_run=options.dry_run)]
    for one in found:
        used = datetime.fromtimestamp(one.used, UTC).date().isoformat()
        say(f"{one.name}: {one.n_bytes / 1e6:,.2f} MB, last used {used}")
    n_bytes = sum(one.n_bytes for one in found)
    done = "would be deleted" if options.dry_run else "deleted"
    say(f"{len(found):,} results not used for {days:g} days {done}: {n_bytes / 1e6:,.2f} MB")
    return {
        "days": days,
        "dry_run": options.dry_run,
        "n_bytes": n_bytes,
        "results": [asdict(one) for one in found],
    }


def rebuild(options: argparse.Namespace) -> Facts:
    """Make a damaged section again, of its data or else of the file that it came from."""
    from squint.library.rebuild import rebuild as make_again

    library, section_id = _find(options)
    made = make_again(library, section_id, steps())
    if made.source:
        what = [*(["what the library knew of it"] if made.record else []), *made.files]
        say(f"{made.title}: made again of {made.source}{': ' if what else ''}{', '.join(what)}")
    else:
        say(f"{made.title}: nothing of it is damaged")
    for name in made.left:
        say(f"still damaged, and not made here: {name}")
    return asdict(made)


def _libraries(options: argparse.Namespace) -> "list[Library]":
    from squint.library.store import Library

    return [Library(home) for home in homes_of(options)]


def _find(options: argparse.Namespace) -> "tuple[Library, str]":
    """Give the one section, damaged or not, that is named so or whose id begins so, and its library."""
    asked, named, begun = options.section, [], []
    for library in _libraries(options):
        known = {one.id: {one.section, one.title} for one in [*library.sections(), *library.hidden()]}
        known |= {bad.id: {bad.title} for bad in library.damaged()}
        named += [(library, key) for key, names in known.items() if asked in names]
        begun += [(library, key) for key in known if key.startswith(asked)]
    found = named or begun
    if len(found) != 1:
        which = "no section" if not found else f"{len(found)} sections"
        several = len({library.home for library, _ in found}) > 1
        raise InputError(
            f"{which.capitalize()} in the library of that name or id. Look at: squint library list"
            f"{', and say --project' if several else ''}"
        )
    return found[0]


def _pictures(library: "Library", section_id: str) -> Facts:
    from squint.library.images import Images

    images = Images(library)
    return {
        "pictures": [asdict(image) for image in images.of(section_id)],
        "damaged_pictures": [asdict(bad) for bad in images.damaged(section_id)],
    }


def _tokens(library: "Library", section_id: str) -> list[Facts]:
    import sqlalchemy as sa

    from squint.library.records import TokenRun

    with library.database.reading() as session:
        runs = session.scalars(sa.select(TokenRun).where(TokenRun.section_id == section_id)).all()
        return [
            {"model": run.model, "added": run.added, "problem": run.problem or run.damage} for run in runs
        ]


def _say_contents(contents: Any) -> Facts:
    n_rows = sum(contents.rows.values())
    say(f"files: {len(contents.files):,}, {contents.n_bytes / 1e6:,.1f} MB; records: {n_rows:,}")
    facts = asdict(contents)
    return {key: facts[key] for key in ("made", "revision", "rows", "squint")} | {
        "n_files": len(contents.files),
        "n_bytes": contents.n_bytes,
    }
