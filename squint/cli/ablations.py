"""The command ``benchmark ablations``."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from squint.cli.terminal import (
    Facts,
    add_device,
    add_sections,
    answers_of,
    find_regions,
    progress,
    read_section,
    say,
)


def benchmark_ablations(options: argparse.Namespace) -> Facts:
    """Repeat the paper's experiments of task A and appendix C, one choice changed at a time."""
    from squint.benchmarks.ablations import Ablations

    sections = [read_section(path, answers_of(options)) for path in options.sections]
    inside = find_regions(sections, options.regions)
    experiments = Ablations(sections, inside, options.out, device=options.device)
    for line in experiments.run(options.seeds, options.only):
        progress(line)
    for line in experiments.text.splitlines():
        say(line)
    return {"folder": str(options.out), "rows": experiments.table.to_dict("records")}


def add_ablations(add: Callable[..., argparse.ArgumentParser], kinds: Any) -> None:
    """Add the command to the benchmarks."""
    sub = add(benchmark_ablations, "ablations", kinds)
    add_sections(sub)
    add_device(sub)
    sub.add_argument(
        "--regions", type=Path, required=True, metavar="R.json", help="cells to hide and predict"
    )
    sub.add_argument("--out", type=Path, required=True, metavar="DIR")
    sub.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], metavar="SEED")
    sub.add_argument(
        "--only",
        nargs="+",
        default=[],
        metavar="NAME",
        help="of sites, backbone, mlp, gnn, mask, codes, heads; all if left out",
    )
