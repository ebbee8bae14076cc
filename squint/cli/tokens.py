"""The commands ``tokenize``, ``activate`` and ``export-tokens``."""

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
from anndata import AnnData

from squint import io, keys
from squint.cli.models import choose
from squint.cli.project import add_project
from squint.cli.quality import add_filter, filter_of, leave_out
from squint.cli.terminal import (
    AUTO,
    Facts,
    add_device,
    add_model,
    add_sections,
    answers_of,
    joined,
    progress,
    read_section,
    say,
)
from squint.columns import labels
from squint.errors import InputError, extra
from squint.files import why_refused


def tokenize(options: argparse.Namespace) -> Facts:
    """Write the tokens of each section."""
    if options.devices < 1:
        raise InputError("--devices: at least 1.")
    on_engine = options.engine is not None or options.devices > 1
    if on_engine and options.scratch is not None:
        raise InputError("--scratch is of this process, and says nothing to other workers.")
    options.choice = None
    if options.project is not None and options.model != AUTO:
        raise InputError(
            f"--project says whose models --model {AUTO} knows. Leave it out, or ask for {AUTO}."
        )
    if options.model == AUTO:
        chosen = choose((_opened(path, options) for path in options.sections), options)
        options.model, options.choice = chosen.folder, chosen.facts
    if on_engine:
        return _on_engine(options)
    from squint.model.bundle import Bundle

    bundle = Bundle.load(options.model)
    targets = _targets(options)
    groups = [[path] for path in options.sections] if targets else [options.sections]
    files = [
        _tokenise_into(target, paths, bundle, options)
        for paths, target in zip(groups, targets or [options.out], strict=True)
    ]
    return {"model_sha256": bundle.sha256, "files": files}


def activate(options: argparse.Namespace) -> Facts:
    """Write activation scores."""
    from squint import tl
    from squint.io import write
    from squint.model.bundle import Bundle

    bundle = Bundle.load(options.model)
    adata = joined([_tokenised(path, bundle, options) for path in options.sections])
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
        known = score.dropna()
        if len(known):
            facts["share_above_0.75"][str(patient)] = float((known > 0.75).mean())
            say(f"{patient}: {(known > 0.75).mean():.1%} of {len(known):,} cells score above 0.75")
    return facts


def export_tokens(options: argparse.Namespace) -> Facts:
    """Write the tokens of each section as one sequence, to train language models on."""
    from squint.formats import sequences

    sequences.check_ending(options.out)
    bundle = None
    if options.model is not None:
        from squint.model.bundle import Bundle

        bundle = Bundle.load(options.model)
    tables, facts = {}, {}
    for path in options.sections:
        adata = _with_tokens(path, bundle, options)
        facts[str(path)] = sequences.provenance(adata, path.name)
        tables[str(path)] = sequences.token_sequences(adata)
    models = {path: fact["model_sha256"] for path, fact in facts.items()}
    if bundle is not None:
        models[str(options.model)] = bundle.sha256
    table = sequences.join_sequences(tables, models)
    said = facts[str(options.sections[0])]
    sequences.write_sequences(table, said, options.out)
    n_cells = dict(zip(table["section_id"], table["n_cells"].tolist(), strict=True))
    n_left_out = int(table["n_without_token"].sum())
    left_out = f"; {n_left_out:,} cells without a token are left out" if n_left_out else ""
    n_tokens = sum(n_cells.values())
    say(f"{options.out}: {len(table)} sequences, {n_tokens:,} tokens of {said['n_codes']}{left_out}")
    return {"file": str(options.out), "n_cells": n_cells, **said}


def add_tokens(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the three commands to the program's."""
    sub = add(tokenize)
    add_sections(sub)
    add_device(sub)
    add_filter(sub)
    add_model(sub, may_choose=True)
    add_project(sub)
    sub.add_argument(
        "--domains",
        type=int,
        metavar="N",
        help="also tell N kinds of wider surroundings apart, such as layers; tokens stay as they are",
    )
    sub.add_argument(
        "--engine",
        metavar="ADDRESS",
        help="of a Dask scheduler, such as tcp://127.0.0.1:8786: its workers do one SECTION each and write "
        "into the folder OUT. Scheduler and workers must run the same squint and see all files by the same "
        "paths. A result that is in OUT already, of the same SECTION and BUNDLE, is not done again (without "
        "--engine everything is)",
    )
    sub.add_argument(
        "--devices",
        type=int,
        default=1,
        metavar="N",
        help="in N processes of this machine, one for each GPU, as by --engine",
    )
    sub.add_argument(
        "--scratch",
        type=Path,
        metavar="FOLDER",
        help="read counts in parts, into files in this folder that are deleted at the end; without it, only "
        "counts of more than a quarter of the memory are, into files beside OUT",
    )

    sub = add(activate)
    add_sections(sub)
    add_device(sub)
    add_filter(sub)
    add_model(sub)
    sub.add_argument("--reference", required=True, metavar="PATIENT")
    sub.add_argument("--against", metavar="PATIENT", help="rank codes by enrichment against this patient")
    sub.add_argument("--top", type=int, default=5, metavar="N", help="codes that count (5)")

    sub = add(export_tokens)
    add_sections(sub)
    add_device(sub)
    sub.add_argument("--model", type=Path, metavar="BUNDLE", help="tokenises the sections without tokens")
    sub.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FILE",
        help=".parquet, or .jsonl with one section a line; what made them is in the schema's metadata, or in "
        "each line, under 'squint'",
    )


def _tokenise_into(target: Path, paths: Sequence[Path], bundle: Any, options: argparse.Namespace) -> Facts:
    """Tokenise files into one, and give the facts on it."""
    from squint.io import write

    with ExitStack() as stack:
        scratch = [stack.enter_context(_scratch(path, options)) for path in paths]
        adata = joined(
            [_tokenised(path, bundle, options, folder) for path, folder in zip(paths, scratch, strict=True)]
        )
        if options.choice is not None:
            adata.uns[keys.PROVENANCE]["model_choice"] = options.choice
        write(adata, target)
    facts = _facts(adata)
    used = f"{facts['tokens_used']} tokens in use"
    if options.domains is not None:
        used += f", {adata.obs[keys.DOMAIN].nunique()} of {options.domains} domains"
    say(f"{target}: {adata.n_obs:,} cells, {used}{_without(facts)}")
    return {"file": str(target), **facts}


@contextmanager
def _scratch(path: Path, options: argparse.Namespace) -> Iterator[Path | None]:
    """Make a folder for the counts of a file that is large, or of any if asked for; it goes at the end."""
    from squint.io import is_large

    if options.scratch is None and not is_large(path):
        yield None
        return
    where = options.scratch or (options.out.parent if options.out.suffix == ".h5ad" else options.out)
    try:
        folder = TemporaryDirectory(prefix=".squint-", dir=where)
    except OSError as error:
        raise InputError(f"The scratch folder {where} cannot be used: {why_refused(error)}.") from None
    with folder as name:
        progress(f"{path}: counts are read in parts, into scratch files in {name}")
        yield Path(name)


@contextmanager
def _opened(path: Path, options: argparse.Namespace) -> Iterator[AnnData]:
    """Read one source to choose a model for it; what it tells is said when it is tokenised."""
    progress(f"{path}: reading, to choose a model")
    with _scratch(path, options) as scratch:
        adata = io.read(path, answers=answers_of(options), scratch=scratch)
        yield leave_out(adata, filter_of(options), path.name)


def _tokenised(path: Path, bundle: Any, options: argparse.Namespace, scratch: Path | None = None) -> AnnData:
    """Read and tokenise one source."""
    adata = read_section(path, answers_of(options), scratch, filter_of(options))
    # activation scores take no domains, and have no such option
    return _tokenise(adata, bundle, options.device, getattr(options, "domains", None))


def _tokenise(adata: AnnData, bundle: Any, device: str, domains: int | None = None) -> AnnData:
    """Tokenise sections, and pass the warnings on."""
    from squint import tl

    tl.tokenize(adata, bundle, domains=domains, device=device)
    for warning in adata.uns[keys.PROVENANCE]["warnings"]:
        progress(f"  warning: {warning}")
    return adata


def _with_tokens(path: Path, bundle: Any, options: argparse.Namespace) -> AnnData:
    """Read one source, and tokenise it where it holds no tokens."""
    adata = read_section(path, answers_of(options))
    if keys.TOKENS in adata.obsm:
        return adata
    if bundle is None:
        raise InputError(f"{path} holds no tokens. Give a model to make them: --model BUNDLE.")
    return _tokenise(adata, bundle, options.device)


def _on_engine(options: argparse.Namespace) -> Facts:
    """Have the workers of a Dask scheduler write the tokens, and say of each section how it ended."""
    with extra("cluster", "--devices and --engine"):
        from squint.cli import cluster
        from squint.engine.scheduler import connect

    if options.out.suffix == ".h5ad" or options.out.is_file():
        raise InputError(f"Workers write one file per SECTION: OUT must be a folder, not {options.out}.")
    files = []
    failed = []
    try:
        workers = cluster.start(options.devices) if options.engine is None else connect(options.engine)
        with workers as client:
            progress(cluster.describe(client))
            to_do = dict(zip(options.sections, _targets(options), strict=True))
            for done in cluster.tokenize(
                client,
                to_do,
                options.model,
                answers=answers_of(options),
                criteria=filter_of(options),
                device=options.device,
                domains=options.domains,
                choice=options.choice,
            ):
                if done.facts is None:
                    failed.append(str(done.source))
                    progress(f"{done.source} failed: {done.error}")
                    continue
                files.append({"file": str(done.target), "already_done": done.already, **done.facts})
                _say_done(done)
    except KeyboardInterrupt:
        progress("Stopped: what had not begun is cancelled. The same command does what is left.")
        raise SystemExit(130) from None  # what a shell expects of Ctrl-C
    if failed:
        raise InputError(
            f"{len(failed)} of {len(options.sections)} sections failed, as said above: {', '.join(failed)}. "
            "The others are written, and the same command does only what is left."
        )
    return {"model_sha256": files[0]["model_sha256"], "files": files}


def _say_done(done: Any) -> None:
    if done.already:
        progress(f"{done.target}: already done")
        return
    for kind in ("note", "warning"):
        for line in done.facts[f"{kind}s"]:
            progress(f"  {kind}: {line}")
    facts = done.facts
    say(f"{done.target}: {facts['n_cells']:,} cells, {facts['tokens_used']} tokens in use{_without(facts)}")


def _targets(options: argparse.Namespace) -> list[Path]:
    """Name one output per section where OUT is a folder; none where all go into one file."""
    if options.out.suffix == ".h5ad":
        return [options.out] if len(options.sections) == 1 else []
    names = [_written_as(path) for path in options.sections]
    if len(set(names)) < len(names):
        raise InputError("Two SECTIONs have the same file name, so one would overwrite the other in OUT.")
    options.out.mkdir(parents=True, exist_ok=True)
    return [options.out / name for name in names]


def _written_as(path: Path) -> str:
    """Name what is written of a source: a folder, a .zarr and a .zip become a .h5ad."""
    return path.name if path.suffix == ".h5ad" else f"{path.resolve().name.removesuffix(path.suffix)}.h5ad"


def _facts(adata: AnnData) -> Facts:
    return {"n_cells": adata.n_obs, "tokens_used": _n_used(adata), **adata.uns[keys.PROVENANCE]}


def _without(facts: Facts) -> str:
    """Say how many cells have no token and why, if any."""
    n_cells = int(facts.get("n_without_token", 0))
    if not n_cells:
        return ""
    n_empty = int(facts["n_without_counts"])
    why = "no counts" if n_empty == n_cells else f"no counts in the model's genes, {n_empty:,} none at all"
    return f"; {n_cells:,} cells have no token: {why}"


def _n_used(adata: AnnData) -> int:
    return int(adata.obs[keys.TOKEN].nunique())
