"""The command ``benchmark speed``."""

import argparse
from collections.abc import Callable
from typing import Any

from scipy.sparse import csr_matrix

from squint.cli.terminal import Facts, add_device, choices, progress, say
from squint.errors import InputError


def benchmark_speed(options: argparse.Namespace) -> Facts:
    """Train on and tokenise simulated counts, and say what each stage costs."""
    from squint import datasets
    from squint.benchmarks import speed
    from squint.benchmarks.meter import Meter
    from squint.device import pick_device

    if options.cells < 1 or options.genes < 1:
        raise InputError("At least 1 cell and 1 gene are needed.")
    model, train = choices(
        None,
        model={"n_codes": options.codes, "n_genes": options.genes},
        train={
            "n_epochs": options.epochs,
            "seed": options.seed,
            "context_steps": 0 if options.tokens_only else None,
        },
    )
    progress(f"Simulating {options.cells:,} cells x {options.genes:,} genes ...")
    adata = datasets.bulk(options.cells, options.genes, seed=options.seed)
    nonzero = csr_matrix(adata.X).nnz / (adata.n_obs * adata.n_vars)
    what = (
        f"{options.cells:,} cells x {options.genes:,} genes, simulated, {nonzero:.1%} of counts not zero; "
        f"K {model.n_codes}"
    )
    meter = Meter(pick_device(options.device))
    for row in speed.benchmark(adata, model, train, meter):
        progress(f"{row['stage']}: {row['seconds']:.2f} s")
    for line in [what, "", *meter.lines()]:
        say(line)
    return {"data": what, "machine": meter.machine._asdict(), "rows": meter.rows}


def add_speed(add: Callable[..., argparse.ArgumentParser], kinds: Any) -> None:
    """Add the command to the benchmarks."""
    sub = add(benchmark_speed, "speed", kinds)
    sub.add_argument("--cells", type=int, default=100_000, metavar="N")
    sub.add_argument("--genes", type=int, default=1_000, metavar="G")
    add_device(sub)
    sub.add_argument("--epochs", type=int, default=5)
    sub.add_argument("--codes", type=int, default=5_000, metavar="K")
    sub.add_argument("--tokens-only", action="store_true", help="leave out learning to in-paint")
    sub.add_argument("--seed", type=int, default=0)
