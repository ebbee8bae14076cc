"""The command line: ``python -m squint COMMAND``.

Progress goes to stderr, facts to stdout and, with ``--json``, to a file. Bad input ends with 2 and one line.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from squint import keys
from squint.cli.ablations import add_ablations
from squint.cli.adding import add_import
from squint.cli.audit import add_audit
from squint.cli.cell_types import add_cell_types
from squint.cli.inpainting import add_inpainting
from squint.cli.library import add_library
from squint.cli.models import add_models
from squint.cli.people import add_people
from squint.cli.perturbation import add_perturb
from squint.cli.quality import add_filter, filter_of
from squint.cli.report import add_report
from squint.cli.speed import add_speed
from squint.cli.structure import add_structure
from squint.cli.terminal import (
    Facts,
    add_answers,
    add_device,
    add_sections,
    answers_of,
    be_quiet,
    choices,
    hide,
    progress,
    read_section,
    say,
    write_json,
)
from squint.cli.tokens import add_tokens
from squint.cli.virtual_section import add_virtual_section
from squint.errors import InputError, extra
from squint.library.acting import Actor, acting
from squint.library.people import LOCAL


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments
        Words after the program's name; by default those it was started with.

    Returns
    -------
    0, or 2 for bad input, which is said in one line on stderr.
    """
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], Facts] = options.command
    try:
        with acting(Actor(LOCAL.id, f"squint {options.place}")):
            facts = command(options)
        if facts and options.json is not None:
            write_json(options.json, facts)
        sys.stdout.flush()
    except InputError as error:
        progress(f"squint: {error}")
        return 2
    except BrokenPipeError:  # whoever was told, such as `head`, has heard enough
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - Python flushes it once more at its end
        return 0
    return 0


def simulate(options: argparse.Namespace) -> Facts:
    """Write the simulated cohort."""
    from squint import datasets

    progress("Simulating two patients, five sections and one stack ...")
    paths = datasets.write(options.out_dir, options.seed)
    for path in paths:
        say(f"{path}: {path.stat().st_size / 1e6:.1f} MB, simulated")
    return {"files": [str(path) for path in paths], "seed": options.seed, "simulated": True}


def validate(options: argparse.Namespace) -> Facts:
    """Say what would be read of a file or folder, left out, assumed and asked, or why it cannot be read."""
    from squint.io import validate as report_on

    report = report_on(options.section, answers=answers_of(options))
    for line in report.lines():
        say(line)
    return asdict(report)


def train(options: argparse.Namespace) -> Facts:
    """Train a model and save it as a bundle."""
    from squint.model.about import read_about

    about = None if options.about is None else read_about(options.about)
    fabric = _fabric(options)
    sections = [
        read_section(path, answers_of(options), criteria=filter_of(options)) for path in options.sections
    ]
    if options.bare is not None:
        sections = [_bare(sections, options.bare)]
    hidden = None
    if options.regions is not None:
        hidden = hide(sections, options.regions, options.seed)
        progress(f"{sum(int(mask.sum()) for mask in hidden):,} cells lie in the regions and are hidden.")
    from squint.training.checkpoint import remove
    from squint.training.epoch import Epoch
    from squint.training.run import train as run

    model, how = choices(
        options.config,
        model={"n_codes": options.codes, "n_heads": options.heads},
        train={
            "n_epochs": options.epochs,
            "seed": options.seed,
            "cells_held_out": options.hold_out,
            "context_steps": 0 if options.tokens_only else None,
        },
    )
    epochs: list[Facts] = []
    last: Epoch | None = None
    simulated = all(adata.uns[keys.PROVENANCE].get("simulated", False) for adata in sections)
    training = run(
        sections,
        model=model,
        train=how,
        hidden=hidden,
        device=options.device,
        fabric=fabric,
        checkpoint=options.checkpoint,
    )
    del sections  # the training drops what it does not need
    for last in training:
        epochs.append({**last._asdict(), "bundle": None})
        progress(
            f"epoch {last.number}/{last.n_epochs}: "
            + ", ".join(f"{name} {value:.4f}" for name, value in last.losses.items())
            + f"; {_use(last)}; {last.masked:.0%} masked; {last.seconds:.1f} s"
        )
    if last is None:
        raise InputError("No epoch was run.")
    if fabric is not None and not fabric.is_global_zero:
        return {}  # the first process has it all
    last.bundle.simulated = simulated
    last.bundle.about = about
    last.bundle.organs = [*dict.fromkeys(name for given in options.organ if (name := given.strip()))]
    last.bundle.save(options.out)
    if options.checkpoint is not None:
        remove(options.checkpoint)  # the model is safe
    sha256 = last.bundle.sha256
    say(f"{options.out}: {len(last.bundle.genes)} genes, {model.n_codes} codes, sha256 {sha256[:12]}")
    say(f"{sum(len(record.hidden) for record in last.bundle.sections):,} cells were hidden from it")
    for name, value in last.bundle.metrics.items():
        say(f"{name}: {value:.4g}")
    return {"bundle": str(options.out), "sha256": last.bundle.sha256, "epochs": epochs, **last.bundle.card}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="squint", description="Tokens of tissue from spatial transcriptomics. For research use only."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(
        command: Callable[[argparse.Namespace], Facts], name: str | None = None, to: Any = commands
    ) -> argparse.ArgumentParser:
        name = name or command.__name__.replace("_", "-")
        sub: argparse.ArgumentParser = to.add_parser(name, help=command.__doc__, description=command.__doc__)
        sub.set_defaults(command=command, place=name)
        sub.add_argument("--json", type=Path, metavar="FILE", help="also write the facts to this file")
        return sub

    sub = add(simulate)
    sub.add_argument("out_dir", type=Path, metavar="OUT_DIR")
    sub.add_argument("--seed", type=int, default=0)

    sub = add(validate)
    sub.add_argument("section", type=Path, metavar="SECTION")
    add_answers(sub)

    sub = add(train)
    add_sections(sub)
    add_device(sub)
    add_filter(sub)
    sub.add_argument("--out", type=Path, required=True, metavar="BUNDLE")
    sub.add_argument("--regions", type=Path, metavar="R.json", help="cells in these regions are hidden")
    sub.add_argument(
        "--organ",
        action="append",
        default=[],
        metavar="NAME",
        help="of the sections, for the card of the model; once for each",
    )
    sub.add_argument(
        "--about",
        type=Path,
        metavar="FILE",
        help="JSON: whose data these are, and what the model does not know, for its card",
    )
    sub.add_argument(
        "--bare",
        metavar="NAME",
        help="take counts and positions alone, as one section of this name: no label, no name of a cell",
    )
    sub.add_argument(
        "--hold-out", type=float, metavar="SHARE", help="of each section's cells, hidden too: 0.1 is a tenth"
    )
    sub.add_argument("--config", type=Path, metavar="FILE", help='JSON {"model": {...}, "train": {...}}')
    sub.add_argument("--epochs", type=int)
    sub.add_argument("--codes", type=int, metavar="K")
    sub.add_argument("--heads", type=int, metavar="H")
    sub.add_argument("--seed", type=int, default=0)
    sub.add_argument("--tokens-only", action="store_true", help="leave out learning to in-paint")
    sub.add_argument(
        "--checkpoint",
        type=Path,
        metavar="FOLDER",
        help="keep the training here after each epoch, until BUNDLE is written: whatever ended it, the same "
        "command goes on from there and ends with the same model",
    )
    sub.add_argument(
        "--devices", type=int, default=1, metavar="N", help="train in N processes: one for each GPU here"
    )
    sub.add_argument(
        "--nodes", type=int, default=1, metavar="M", help="on M machines, each started with this command"
    )

    add_tokens(add)
    add_cell_types(add)
    add_perturb(add)
    add_import(add)
    add_library(add, commands)
    add_audit(add, commands)
    add_report(add)
    add_models(add, commands)
    add_people(add, commands)

    about = "Measure models, and what they cost."
    benchmarks = commands.add_parser("benchmark", help=about, description=about)
    kinds = benchmarks.add_subparsers(required=True, metavar="KIND")
    add_inpainting(add, kinds)
    add_virtual_section(add, kinds)
    add_ablations(add, kinds)
    add_structure(add, kinds)
    add_speed(add, kinds)
    return parser


def _bare(sections: list[Any], name: str) -> Any:
    """Leave of one source only what may be trained on wherever it came from."""
    from squint.training.data import bare

    if len(sections) > 1:
        raise InputError("--bare takes one SECTION: positions of several need not be of one slide.")
    return bare(sections[0], name)


def _fabric(options: argparse.Namespace) -> Any:
    """Join the other processes of a training, if there are any."""
    n_nodes, n_devices = options.nodes, options.devices
    if "TORCHELASTIC_RUN_ID" in os.environ:  # torchrun has started them
        n_devices = int(os.environ["LOCAL_WORLD_SIZE"])
        n_nodes = int(os.environ["WORLD_SIZE"]) // n_devices
    if n_nodes < 1 or n_devices < 1:
        raise InputError("--nodes and --devices: at least 1.")
    if n_nodes * n_devices == 1:
        return None
    if options.checkpoint is not None:
        raise InputError("--checkpoint: a training in several processes keeps none. Leave it out.")
    with extra("cluster", "--devices"):
        from squint.training.fabric import open_group

    fabric = open_group(options.device, n_devices, n_nodes)
    if not fabric.is_global_zero:
        be_quiet()
    return fabric


def _use(epoch: Any) -> str:
    if not epoch.codes_used:
        return "codebook not started"
    return f"{epoch.codes_used} codes used, perplexity {epoch.perplexity:.1f}"
