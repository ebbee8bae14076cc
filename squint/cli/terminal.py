"""What commands share: reading, choices, and speaking to the user."""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any

import anndata
import numpy as np
from anndata import AnnData
from numpy.typing import NDArray

from squint import io, keys
from squint.cli.quality import leave_out
from squint.config import ModelConfig, TrainConfig
from squint.errors import InputError
from squint.files import why_refused
from squint.geometry import regions
from squint.parsing import parse_json
from squint.pp import QualityFilter

Facts = dict[str, Any]

AUTO = "auto"  # instead of a model: the one that fits best

_speaks = True


def be_quiet() -> None:
    """Print nothing from here on: of several processes that run one command, one speaks."""
    global _speaks  # noqa: PLW0603 - so is the standard output
    _speaks = False


def say(line: str) -> None:
    """Print a fact."""
    if _speaks:
        print(line)  # noqa: T201 - a command speaks to its user


def progress(line: str) -> None:
    """Print what goes on."""
    if _speaks:
        print(line, file=sys.stderr, flush=True)  # noqa: T201


def steps() -> Callable[[float, str], None]:
    """Make what a task tells how far it is: each of its steps is printed once."""
    last = ""

    def report(_: float, words: str) -> None:
        nonlocal last
        step = words.partition(",")[0]
        if step != last:
            progress(f"  {step} ...")
        last = step

    return report


def write_json(path: Path, facts: Facts) -> None:
    """Write the facts for machines; a number that is not known is null, for JSON has no NaN."""
    try:
        path.write_text(json.dumps(_without_nan(facts), indent=1, default=str, allow_nan=False))
    except OSError as error:
        raise InputError(f"{path} could not be written: {why_refused(error)}.") from None


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nan(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(one) for one in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def add_sections(sub: argparse.ArgumentParser) -> None:
    """Take the sections to work on."""
    sub.add_argument("sections", type=Path, nargs="+", metavar="SECTION")
    add_answers(sub)


def add_device(sub: argparse.ArgumentParser) -> None:
    """Take the device that a command computes on; in-painting alone knows the CPU only."""
    sub.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")


def add_answers(sub: argparse.ArgumentParser) -> None:
    """Take answers to what a source may leave open."""
    group = sub.add_argument_group("what a SECTION leaves open (said where it does)")
    group.add_argument(
        "--section", dest="answer_section", metavar="NAME", help="of several sources in a folder"
    )
    group.add_argument("--table", metavar="NAME", help="of several tables in a store")
    group.add_argument("--bin", metavar="SIZE", help="of several sizes of bins: 008um")
    group.add_argument(
        "--unit", metavar="UNIT", help="of positions: um, mm, nm, unknown, or the um of one unit"
    )
    group.add_argument("--orientation", metavar="WAY", help="of a table: cells-by-genes or genes-by-cells")
    group.add_argument("--match", metavar="HOW", help="rows: of tables of counts and positions without names")
    group.add_argument(
        "--column",
        action="append",
        default=[],
        metavar="NAME=OBS",
        help="a column of the cells: section_id=slide, patient_id=, cell_type=, region=, z_um=, x=, y=",
    )


def answers_of(options: argparse.Namespace) -> io.Answers:
    """Gather the answers.

    Raises
    ------
    InputError
        If a column is not named as NAME=OBS.
    """
    columns = {}
    for text in options.column:
        name, given, column = text.partition("=")
        if not given:
            raise InputError(f"--column {text}: write NAME=OBS, such as --column section_id=slide.")
        columns[name.strip()] = column.strip()
    return io.Answers(
        section=options.answer_section,
        table=options.table,
        bin=options.bin,
        unit=options.unit,
        orientation=options.orientation,
        match=options.match,
        columns=columns,
    )


def add_model(sub: argparse.ArgumentParser, *, may_choose: bool = False) -> None:
    """Take a model, or the word `AUTO` where one may be chosen, and where to write what it gives."""
    if may_choose:
        about = f"a folder, or {AUTO!r}: of those that `squint models list` names, the one that fits best"
        sub.add_argument("--model", type=_bundle_or_auto, required=True, metavar="BUNDLE", help=about)
    else:
        sub.add_argument("--model", type=Path, required=True, metavar="BUNDLE")
    sub.add_argument("--out", type=Path, required=True, metavar="OUT")


def _bundle_or_auto(text: str) -> Path | str:
    return text if text == AUTO else Path(text)  # a folder of that name is ./auto


def read_section(
    path: Path,
    answers: io.Answers,
    scratch: Path | None = None,
    criteria: QualityFilter | None = None,
) -> AnnData:
    """Read one source, its counts by way of a scratch folder if there is one, and pass the notes on.

    Of its cells those are kept that meet the criteria, if there are any.
    """
    adata = io.read(path, answers=answers, scratch=scratch)
    progress(f"{path}: {adata.n_obs:,} cells, {adata.n_vars:,} genes")
    adata = leave_out(adata, criteria or QualityFilter(), path.name)
    for note in adata.uns[keys.PROVENANCE]["notes"]:
        progress(f"  note: {note}")
    return adata


def find_regions(sections: list[AnnData], path: Path) -> list[list[regions.Region]]:
    """Read R.json: the regions that lie in each file."""
    wanted = regions.load(path)
    known = [set(adata.obs[keys.SECTION].astype(str)) for adata in sections]
    for region in wanted:
        if not any(region.section in names for names in known):
            raise InputError(f"{path} names section {region.section!r}, which no SECTION holds.")
    return [[region for region in wanted if region.section in names] for names in known]


def hide(sections: list[AnnData], path: Path, seed: int) -> list[NDArray[np.bool_]]:
    """Mark the cells of each file that lie in the regions of R.json."""
    found = find_regions(sections, path)
    return [regions.hidden_cells(adata, inside, seed) for adata, inside in zip(sections, found, strict=True)]


def choices(path: Path | None, *, model: Facts, train: Facts) -> tuple[ModelConfig, TrainConfig]:
    """Take the choices from a file, then those said on the command line; None was not said."""
    from_file: tuple[ModelConfig, TrainConfig] = ModelConfig(), TrainConfig()
    if path is not None:
        try:
            chosen: dict[str, Facts] = parse_json(path.read_bytes(), str(path))
            from_file = ModelConfig(**chosen.get("model", {})), TrainConfig(**chosen.get("train", {}))
        except (OSError, TypeError, AttributeError) as error:
            raise InputError(f"{path} holds no choices of a model: {error}") from None
    said = [{name: value for name, value in part.items() if value is not None} for part in (model, train)]
    return replace(from_file[0], **said[0]), replace(from_file[1], **said[1])


def joined(parts: list[AnnData]) -> AnnData:
    """Put several files on one axis, over the genes that all measure; the first file's provenance is kept."""
    if len(parts) == 1:
        return parts[0]
    units = sorted({str(part.uns[keys.PROVENANCE]["unit"]) for part in parts})
    if len(units) > 1:
        raise InputError(f"SECTIONs are in different units ({', '.join(units)}). Say it with --unit.")
    names = [name for part in parts for name in part.obs_names]
    together = anndata.concat(
        parts,
        join="inner",
        pairwise=True,
        index_unique="-" if len(set(names)) < len(names) else None,
        keys=[str(i) for i in range(len(parts))],
    )
    of_parts = [part.uns[keys.PROVENANCE] for part in parts]
    together.uns[keys.PROVENANCE] = {
        **of_parts[0],
        "source_sha256": [made["source_sha256"] for made in of_parts],
        **({"filter": [made.get("filter") for made in of_parts]} if "filter" in of_parts[0] else {}),
    }
    return together
