"""The command ``import``: sections into the library, as the page Sections keeps them."""

import argparse
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from squint import io
from squint.cli.project import add_project, home_of
from squint.cli.quality import add_filter, filter_of
from squint.cli.terminal import Facts, add_answers, answers_of, progress, say, steps
from squint.errors import InputError
from squint.sensitive import looks_like

if TYPE_CHECKING:
    from squint.library.adding import Kept
    from squint.library.ingest import Labels
    from squint.library.store import Library

Codes = Mapping[str | None, str]  # name in a file -> code; of None: the only one


def add_import(add: Any) -> None:
    """Add the command to the program's.

    Parameters
    ----------
    add
        Adds a command.
    """
    sub = add(import_files, "import")
    add_project(sub)
    sub.add_argument(
        "files", type=Path, nargs="+", metavar="FILE", help=".h5ad, .h5 or .zip, or a folder of an instrument"
    )
    add_answers(sub)
    add_filter(sub)
    group = sub.add_argument_group("what is kept of names (the FILE's own, unless they may be a person's)")
    for option, what in (
        ("--patient", "the study code of the patient"),
        ("--section-code", "of the section"),
    ):
        group.add_argument(
            option,
            action="append",
            default=[],
            metavar="[NAME=]CODE",
            help=f"{what}; with NAME of the one that a FILE calls so, once for each",
        )
    group.add_argument(
        "--identifies-nobody",
        action="store_true",
        help="keep names that look like a person's, a date or a number",
    )
    group.add_argument("--organ", default="")
    group.add_argument("--assay", help="else as the FILE says")


def import_files(options: argparse.Namespace) -> Facts:
    """Put sections into the library, with the files that they come from; it is made if there is none."""
    from squint.library.store import Library

    filter_of(options), answers_of(options)  # say what is wrong with them before anything is read
    for option, texts in (("--patient", options.patient), ("--section-code", options.section_code)):
        _codes(texts, option, sure=options.identifies_nobody)
    library = Library(home_of(options, may_be_new=True))
    files: list[Facts] = []
    failed: list[str] = []
    for path in options.files:
        try:
            files.append(_import(library, path, options))
        except InputError as error:
            if len(options.files) == 1:
                raise
            failed.append(str(path))
            progress(f"{path} was not kept: {error}")
    if any(one["new"] and one["values"] == "counts" for file in files for one in file["sections"]):
        say("Tokens are not computed yet: the page Sections of the dashboard offers to.")
    if failed:
        others = " The others are in the library, and the same command adds only what is missing."
        raise InputError(
            f"{len(failed)} of {len(options.files)} files were not kept, as said above: "
            f"{', '.join(failed)}.{others if files else ''}"
        )
    return {"home": str(library.home), "files": files}


def _import(library: "Library", path: Path, options: argparse.Namespace) -> Facts:
    """Keep what one file holds, whole or not at all."""
    from squint.library import adding, transcripts
    from squint.library.staging import RESERVE

    staged = _stage(library, path)
    report = steps()
    try:
        room = max(0, shutil.disk_usage(staged.parent).free - RESERVE)
        source = adding.unpacked(staged, room, report)
        progress(f"{path}: reading")
        answers = answers_of(options)
        settled = adding.read(source, answers)
        found = io.report_on(settled, source.name)
        for question in found.asked:
            raise InputError(f"{path.name}: {question}")
        labels = _labels(path, found, options)
        kept = adding.keep(library, staged, settled, labels, answers, filter_of(options), report)
        adding.remember(library, source, answers)
        placed = adding.placed_pictures(settled, len(kept))
        pictures = dict.fromkeys((one.name for one in settled.pictures), _why_not(len(kept)))
        pictures |= adding.keep_pictures(library, kept[0].section.id, placed, report)
    finally:
        library.unstage(staged)
    for one in kept:
        _say_kept(path, one)
    if (found_in := transcripts.source_of(library, kept[0].section.id)) is not None:
        why_not = found_in.why_not
        what = f"not drawn: {why_not}" if why_not else "the map draws those of chosen genes"
        say(f"  transcripts {found_in.label}: {what}")
    for name, why in pictures.items():
        say(f"  picture {name}: {f'not kept. {why}' if why else 'lies under the cells'}")
    return {"file": str(path), "sections": [_facts(one) for one in kept], "pictures": pictures}


def _stage(library: "Library", path: Path) -> Path:
    """Give a file or folder a harmless name among the uploads of the library; it is not copied."""
    from squint.io.registry import WRAPPERS
    from squint.library import naming

    real = path.resolve()
    if not real.exists():
        raise InputError(f"There is no file or folder {path}.")
    named = real if path.name in {"", "..", *WRAPPERS} else path
    while named.name in WRAPPERS:
        named = named.parent
    name = named.name
    harmless = naming.folder_name(name) if real.is_dir() else naming.file_name(name)
    if likeness := looks_like(naming.split_name(name)[0]):
        progress(f"The name of a FILE looks like {likeness}; it will not be kept.")
    staged = library.upload_folder() / harmless
    staged.symlink_to(real)
    return staged


def _labels(path: Path, found: io.Report, options: argparse.Namespace) -> "Labels":
    """Say by what names a source is kept, or ask for them."""
    from squint.library.ingest import Labels

    unnamed = any(not section.patients for section in found.sections)
    patients = [*found.patients, *([""] if unnamed else [])]
    sections = [section.section_id for section in found.sections]
    sure = options.identifies_nobody
    try:
        patients_kept = _named(patients, options.patient, "--patient", sure=sure)
        sections_kept = _named(sections, options.section_code, "--section-code", sure=sure)
    except InputError as error:
        raise InputError(f"{path.name}: {error}") from None
    assay = found.assay if options.assay is None else options.assay
    return Labels(patients_kept, sections_kept, options.organ.strip(), assay.strip())


def _named(names: Sequence[str], texts: Sequence[str], option: str, *, sure: bool) -> dict[str, str]:
    """Give each patient or section of a source its code: what is said, or else its own name."""
    codes = _codes(texts, option, sure=sure)
    what = option.removeprefix("--").removesuffix("-code")
    alone = len(names) == 1
    say_it = f"Say it with {option} {'' if alone else 'NAME='}CODE{'' if alone else f', for each {what}'}."
    named = {}
    for name in names:
        code = codes.get(name, codes.get(None) if alone else None)
        if code is None and codes:
            raise InputError(f"{len(names)} {what}s are in it, and not each is given a code. {say_it}")
        if code is None and not name:
            raise InputError(f"It names no {what}{'' if alone else ' of some sections'}. {say_it}")
        if code is None and not sure and (likeness := looks_like(name)):
            raise InputError(f"It has a {what} whose name looks like {likeness}. {say_it}")
        named[name] = name if code is None else code
    return named


def _codes(texts: Sequence[str], option: str, *, sure: bool) -> Codes:
    """Read codes as they are typed.

    Raises
    ------
    InputError
        If one is empty, or may identify a person and nobody says that it does not.
    """
    codes: dict[str | None, str] = {}
    for text in texts:
        name, given, code = text.rpartition("=")
        code = code.strip()
        if not code:
            raise InputError(f"{option}: a code is missing. Write {option} CODE, or {option} NAME=CODE.")
        if not sure and (likeness := looks_like(code)):
            raise InputError(
                f"{option}: a code looks like {likeness}. Give one that identifies nobody, or say "
                "--identifies-nobody."
            )
        codes[name.strip() if given else None] = code
    return codes


def _why_not(n_sections: int) -> str:
    if n_sections > 1:
        return "Of several sections in one file, it is not known which one it is of."
    return "The file does not say where it lies: add it on a page with a map."


def _facts(kept: "Kept") -> Facts:
    one = kept.section
    names = ("id", "title", "section", "patient", "n_cells", "n_genes", "n_left_out", "unit", "values")
    return {**{name: getattr(one, name) for name in names}, "new": kept.new, "notes": list(one.notes)}


def _say_kept(path: Path, kept: "Kept") -> None:
    one = kept.section
    if not kept.new:
        say(f"{path}: already in the library as {one.title} ({one.id}); its cells were not changed")
        return
    say(f"{path}: kept as {one.title} ({one.id}), {one.n_cells:,} cells x {one.n_genes:,} genes")
    for note in one.notes:
        progress(f"  note: {note}")
