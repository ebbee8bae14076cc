"""The command line: ``python -m squint COMMAND``.

Progress goes to stderr, facts to stdout and, with ``--json``, to a file. Bad input ends with 2 and one line.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from anndata import AnnData

from squint import keys
from squint.ablation_command import add_ablations
from squint.columns import labels
from squint.errors import InputError
from squint.inpainting_commands import add_inpainting
from squint.speed_command import add_speed
from squint.terminal import (
    Facts,
    add_model,
    add_sections,
    choices,
    hide,
    joined,
    progress,
    read_section,
    say,
    write_json,
)


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
        facts = command(options)
        if options.json is not None:
            write_json(options.json, facts)
    except InputError as error:
        print(f"squint: {error}", file=sys.stderr)  # noqa: T201 - a command speaks to its user
        return 2
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
    """Say what would be read of a file, or why not."""
    from squint.io import validate as report_on

    report = report_on(options.section)
    for line in report.lines():
        say(line)
    return asdict(report)


def train(options: argparse.Namespace) -> Facts:
    """Train a model and save it as a bundle."""
    sections = [read_section(path) for path in options.sections]
    hidden = None
    if options.regions is not None:
        hidden = hide(sections, options.regions, options.seed)
        progress(f"{sum(int(mask.sum()) for mask in hidden):,} cells lie in the regions and are hidden.")
    from squint.training import Epoch
    from squint.training import train as run

    model, how = choices(
        options.config,
        model={"n_codes": options.codes, "n_heads": options.heads},
        train={"n_epochs": options.epochs, "seed": options.seed, "cells_held_out": options.hold_out},
    )
    epochs: list[Facts] = []
    last: Epoch | None = None
    for last in run(sections, model=model, train=how, hidden=hidden, device=options.device):
        epochs.append({**last._asdict(), "bundle": None})
        progress(
            f"epoch {last.number}/{last.n_epochs}: "
            + ", ".join(f"{name} {value:.4f}" for name, value in last.losses.items())
            + f"; {_use(last)}; {last.masked:.0%} masked; {last.seconds:.1f} s"
        )
    if last is None:
        raise InputError("No epoch was run.")
    last.bundle.simulated = all(adata.uns[keys.PROVENANCE].get("simulated", False) for adata in sections)
    last.bundle.save(options.out)
    sha256 = last.bundle.sha256
    say(f"{options.out}: {len(last.bundle.genes)} genes, {model.n_codes} codes, sha256 {sha256[:12]}")
    say(f"{sum(len(record.hidden) for record in last.bundle.sections):,} cells were hidden from it")
    for name, value in last.bundle.metrics.items():
        say(f"{name}: {value:.4g}")
    return {"bundle": str(options.out), "sha256": last.bundle.sha256, "epochs": epochs, **last.bundle.card}


def tokenize(options: argparse.Namespace) -> Facts:
    """Write the tokens of each section."""
    from squint.bundle import Bundle
    from squint.io import write

    bundle = Bundle.load(options.model)
    targets = _targets(options)
    files = []
    for path, target in zip(options.sections, targets, strict=True) if targets else []:
        adata = _tokenised(path, bundle, options.device)
        write(adata, target)
        files.append({"file": str(target), **_facts(adata)})
        say(f"{target}: {adata.n_obs:,} cells, {_n_used(adata)} tokens in use")
    if not targets:
        adata = joined([_tokenised(path, bundle, options.device) for path in options.sections])
        write(adata, options.out)
        files.append({"file": str(options.out), **_facts(adata)})
        say(f"{options.out}: {adata.n_obs:,} cells, {_n_used(adata)} tokens in use")
    return {"model_sha256": bundle.sha256, "files": files}


def activate(options: argparse.Namespace) -> Facts:
    """Write activation scores."""
    from squint import tl
    from squint.bundle import Bundle
    from squint.io import write

    bundle = Bundle.load(options.model)
    adata = joined([_tokenised(path, bundle, options.device) for path in options.sections])
    tl.activate(adata, reference=options.reference, against=options.against, n_codes=options.top)
    write(adata, options.out)
    facts = _facts(adata)
    chosen = facts["activation"]
    say(
        f"{options.out}: codes {', '.join(chosen['codes'])}, {chosen['mode']} in {options.reference}, "
        f"cover {chosen['share_covered']:.1%} of its cells"
    )
    scores = pd.Series(adata.obs[keys.ACTIVATION].to_numpy()).groupby(labels(adata, keys.PATIENT).to_numpy())
    facts["share_above_0.75"] = {}
    for patient, score in scores:
        facts["share_above_0.75"][str(patient)] = float((score > 0.75).mean())
        say(f"{patient}: {(score > 0.75).mean():.1%} of {len(score):,} cells score above 0.75")
    return facts


def export_tokens(options: argparse.Namespace) -> Facts:
    """Write the tokens of each section as one sequence, to train language models on."""
    from squint import sequences

    sequences.check_ending(options.out)
    bundle = None
    if options.model is not None:
        from squint.bundle import Bundle

        bundle = Bundle.load(options.model)
    tables, facts = {}, {}
    for path in options.sections:
        adata = _with_tokens(path, bundle, options.device)
        facts[str(path)] = sequences.provenance(adata, path.name)
        tables[str(path)] = sequences.token_sequences(adata)
    models = {path: fact["model_sha256"] for path, fact in facts.items()}
    if bundle is not None:
        models[str(options.model)] = bundle.sha256
    table = sequences.join(tables, models)
    said = facts[str(options.sections[0])]
    sequences.write_sequences(table, said, options.out)
    n_cells = dict(zip(table["section_id"], table["n_cells"].tolist(), strict=True))
    say(f"{options.out}: {len(table)} sequences, {sum(n_cells.values()):,} tokens of {said['n_codes']}")
    return {"file": str(options.out), "n_cells": n_cells, **said}


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
        sub.set_defaults(command=command)
        sub.add_argument("--json", type=Path, metavar="FILE", help="also write the facts to this file")
        return sub

    sub = add(simulate)
    sub.add_argument("out_dir", type=Path, metavar="OUT_DIR")
    sub.add_argument("--seed", type=int, default=0)

    sub = add(validate)
    sub.add_argument("section", type=Path, metavar="SECTION")

    sub = add(train)
    add_sections(sub)
    sub.add_argument("--out", type=Path, required=True, metavar="BUNDLE")
    sub.add_argument("--regions", type=Path, metavar="R.json", help="cells in these regions are hidden")
    sub.add_argument(
        "--hold-out", type=float, metavar="SHARE", help="of each section's cells, hidden too: 0.1 is a tenth"
    )
    sub.add_argument("--config", type=Path, metavar="FILE", help='JSON {"model": {...}, "train": {...}}')
    sub.add_argument("--epochs", type=int)
    sub.add_argument("--codes", type=int, metavar="K")
    sub.add_argument("--heads", type=int, metavar="H")
    sub.add_argument("--seed", type=int, default=0)

    sub = add(tokenize)
    add_sections(sub)
    add_model(sub)

    sub = add(activate)
    add_sections(sub)
    add_model(sub)
    sub.add_argument("--reference", required=True, metavar="PATIENT")
    sub.add_argument("--against", metavar="PATIENT", help="rank codes by enrichment against this patient")
    sub.add_argument("--top", type=int, default=5, metavar="N", help="codes that count (5)")

    sub = add(export_tokens)
    add_sections(sub)
    sub.add_argument("--model", type=Path, metavar="BUNDLE", help="tokenises the sections without tokens")
    sub.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FILE",
        help=".parquet, or .jsonl with one section a line; what made them is in the schema's metadata, or in "
        "each line, under 'squint'",
    )

    about = "Measure models, and what they cost."
    benchmarks = commands.add_parser("benchmark", help=about, description=about)
    kinds = benchmarks.add_subparsers(required=True, metavar="KIND")
    add_inpainting(add, kinds)
    add_ablations(add, kinds)
    add_speed(add, kinds)
    return parser


def _use(epoch: Any) -> str:
    if not epoch.codes_used:
        return "codebook not started"
    return f"{epoch.codes_used} codes used, perplexity {epoch.perplexity:.1f}"


def _tokenised(path: Path, bundle: Any, device: str) -> AnnData:
    """Read and tokenise one file."""
    return _tokenise(read_section(path), bundle, device)


def _tokenise(adata: AnnData, bundle: Any, device: str) -> AnnData:
    """Tokenise sections, and pass the warnings on."""
    from squint import tl

    tl.tokenize(adata, bundle, device=device)
    for warning in adata.uns[keys.PROVENANCE]["warnings"]:
        progress(f"  warning: {warning}")
    return adata


def _with_tokens(path: Path, bundle: Any, device: str) -> AnnData:
    """Read one file, and tokenise it where it holds no tokens."""
    adata = read_section(path)
    if keys.TOKENS in adata.obsm:
        return adata
    if bundle is None:
        raise InputError(f"{path} holds no tokens. Give a model to make them: --model BUNDLE.")
    return _tokenise(adata, bundle, device)


def _targets(options: argparse.Namespace) -> list[Path]:
    """Name one output per section where OUT is a folder; none where all go into one file."""
    if options.out.suffix == ".h5ad":
        return [options.out] if len(options.sections) == 1 else []
    names = [path.name for path in options.sections]
    if len(set(names)) < len(names):
        raise InputError("Two SECTIONs have the same file name, so one would overwrite the other in OUT.")
    options.out.mkdir(parents=True, exist_ok=True)
    return [options.out / name for name in names]


def _facts(adata: AnnData) -> Facts:
    return {"n_cells": adata.n_obs, "tokens_used": _n_used(adata), **adata.uns[keys.PROVENANCE]}


def _n_used(adata: AnnData) -> int:
    return int(adata.obs[keys.TOKEN].nunique())
