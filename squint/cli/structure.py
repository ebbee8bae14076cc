"""The command ``benchmark structure``."""

import argparse
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray

from squint.cli.terminal import (
    Facts,
    add_device,
    add_sections,
    answers_of,
    choices,
    joined,
    progress,
    read_section,
    say,
)
from squint.errors import InputError

_OF_SEED = re.compile(r" \(seed [0-9]+\)$")


def benchmark_structure(options: argparse.Namespace) -> Facts:
    """Train, and score tokens and domains against labels, beside k-means and the groups of other programs."""
    from squint.benchmarks.structure import Structure

    adata = joined([read_section(path, answers_of(options)) for path in options.sections])
    model, train = choices(
        options.config,
        model={"n_codes": options.codes},
        train={"n_epochs": options.epochs, "context_steps": 0},
    )
    others: dict[str, list[NDArray[np.int64]]] = {}
    for path in options.beside:
        for name, groups in _groups(path, adata):
            others.setdefault(name, []).append(groups)
    run = Structure(
        adata,
        options.labels,
        options.out,
        model=model,
        choices=train,
        device=options.device,
        without=options.without,
        others=others,
    )
    for line in run.run(options.seeds):
        progress(line)
    for line in run.text.splitlines():
        say(line)
    return {"folder": str(options.out), "rows": run.table.to_dict("records")}


def add_structure(add: Callable[..., argparse.ArgumentParser], kinds: Any) -> None:
    """Add the command to the benchmarks."""
    sub = add(benchmark_structure, "structure", kinds)
    add_sections(sub)
    add_device(sub)
    sub.add_argument(
        "--labels", required=True, metavar="COLUMN", help="of the cells; read by the scorer alone"
    )
    sub.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="LABEL",
        help="one that says nothing, such as Excluded: trained on, not scored; once for each",
    )
    sub.add_argument("--out", type=Path, required=True, metavar="DIR")
    sub.add_argument(
        "--beside",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="CSV of other groups: names of cells, then columns such as BANKSY, or BANKSY (seed 0), "
        "BANKSY (seed 1); once for each",
    )
    sub.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], metavar="SEED")
    sub.add_argument("--epochs", type=int)
    sub.add_argument("--codes", type=int, metavar="K")
    sub.add_argument("--config", type=Path, metavar="FILE", help='JSON {"model": {...}, "train": {...}}')


def _groups(path: Path, adata: AnnData) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Read groups of cells by the names of the programs that found them; -1 where a cell is not named."""
    try:
        table = pd.read_csv(path, index_col=0, dtype=str)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is no CSV of groups: {error}") from None
    table.index = table.index.astype(str)
    if table.index.has_duplicates:
        raise InputError(f"{path} names cell {table.index[table.index.duplicated()][0]} more than once.")
    known = table.index.isin(adata.obs_names)
    if not known.any() or table.columns.empty:
        raise InputError(f"{path} names no cell of the sections, or no groups. Its first column are names.")
    for column in table:
        groups = pd.factorize(table[column].reindex(adata.obs_names))[0].astype(np.int64)
        yield _OF_SEED.sub("", str(column)), groups
