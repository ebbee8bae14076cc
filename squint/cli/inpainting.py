"""The commands ``inpaint``, ``learn-to-inpaint`` and ``benchmark inpainting``."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from squint import keys
from squint.cli.quality import add_filter, filter_of
from squint.cli.terminal import (
    Facts,
    add_device,
    add_model,
    add_sections,
    answers_of,
    choices,
    find_regions,
    hide,
    progress,
    read_section,
    say,
)
from squint.errors import InputError


def inpaint(options: argparse.Namespace) -> Facts:
    """Write the imputed expression of hidden cells, and of positions where there are none."""
    from squint.io import write
    from squint.model.bundle import Bundle
    from squint.model.card import TRAINED_ON
    from squint.tl._inpaint_regions import inpaint_regions, join_painted

    if options.out.suffix != ".h5ad":
        raise InputError(f"OUT must be an .h5ad file, not {options.out}.")
    bundle = Bundle.load(options.model)
    sections = [read_section(path, answers_of(options)) for path in options.sections]
    parts = [
        inpaint_regions(adata, bundle, inside, n_draws=options.draws, seed=options.seed)
        for adata, inside in zip(sections, find_regions(sections, options.regions), strict=True)
        if inside
    ]
    out = join_painted(parts)
    write(out, options.out)
    facts: Facts = out.uns[keys.PROVENANCE]
    for warning in facts["inpainting"]["warnings"]:
        progress(f"  warning: {warning}")
    for name, protocol in facts["inpainting"]["protocol"].items():
        cells = out.obs[keys.SECTION] == name
        say(f"{name}: {int(cells.sum()):,} cells in-painted; {protocol}")
        if protocol == TRAINED_ON:
            progress(f"  warning: section {name!r} was seen in training, so this says nothing of the model.")
    say(f"{options.out}: {out.n_obs:,} cells, {out.n_vars:,} genes")
    return {"file": str(options.out), "n_cells": out.n_obs, **facts}


def learn_to_inpaint(options: argparse.Namespace) -> Facts:
    """Teach a model to in-paint that was trained without it, on the SECTIONs of its training."""
    from squint.model.bundle import Bundle
    from squint.training.inpainting import learn_to_inpaint as learn

    given = Bundle.load(options.model)
    sections = [
        read_section(path, answers_of(options), criteria=filter_of(options)) for path in options.sections
    ]
    bundle = learn(given, sections, n_steps=options.steps)
    bundle.save(options.out)
    say(f"{options.out}: tokens as before, and it in-paints; sha256 {bundle.sha256[:12]}")
    return {"bundle": str(options.out), "sha256": bundle.sha256, "tokens_of": given.sha256, **bundle.card}


def benchmark_inpainting(options: argparse.Namespace) -> Facts:
    """Train, in-paint, and score the model beside every baseline on the same hidden cells."""
    from squint.benchmarks import inpainting as benchmark

    sections = [read_section(path, answers_of(options)) for path in options.sections]
    hidden = hide(sections, options.regions, seed=0)
    model, train = choices(options.config, model={}, train={"n_epochs": options.epochs})
    run = benchmark.Inpainting(sections, hidden, options.out, model, train, options.device)
    for line in run.run(options.seeds):
        progress(line)
    for line in run.text.splitlines():
        say(line)
    return {"folder": str(options.out), "rows": run.table.to_dict("records")}


def add_inpainting(add: Callable[..., argparse.ArgumentParser], kinds: Any) -> None:
    """Add the commands: two to the program's, one to the benchmarks."""
    sub = add(inpaint)
    add_sections(sub)
    add_model(sub)
    sub.add_argument("--regions", type=Path, required=True, metavar="R.json", help="what to in-paint")
    sub.add_argument(
        "--draws", type=int, default=0, metavar="N", help="sampled profiles; the expected one if left out"
    )
    sub.add_argument("--seed", type=int, default=0)

    sub = add(learn_to_inpaint)
    add_sections(sub)
    add_filter(sub)
    add_model(sub)
    sub.add_argument(
        "--steps", type=int, metavar="N", help="of each network; as a training takes if left out"
    )

    sub = add(benchmark_inpainting, "inpainting", kinds)
    add_sections(sub)
    add_device(sub)
    sub.add_argument(
        "--regions", type=Path, required=True, metavar="R.json", help="cells to hide and predict"
    )
    sub.add_argument("--out", type=Path, required=True, metavar="DIR")
    sub.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], metavar="SEED")
    sub.add_argument("--epochs", type=int)
    sub.add_argument("--config", type=Path, metavar="FILE", help='JSON {"model": {...}, "train": {...}}')
