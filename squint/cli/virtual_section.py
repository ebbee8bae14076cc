"""The commands ``virtual-section`` and ``benchmark virtual-section``."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray

from squint import keys
from squint.cli.terminal import Facts, add_answers, answers_of, progress, read_section, say
from squint.errors import InputError
from squint.geometry import regions
from squint.geometry.positions import grid_within


def virtual_section(options: argparse.Namespace) -> Facts:
    """Predict a section at a depth between two measured levels of a stack."""
    from squint import tl
    from squint.io import write

    if options.out.suffix != ".h5ad":
        raise InputError(f"OUT must be an .h5ad file, not {options.out}.")
    adata = read_section(options.stack, answers_of(options))
    genes = _with_model(adata, options.model) if options.model is not None else None
    if options.align:
        progress("  laying levels onto each other ...")
        tl.align_levels(adata, apply=True)
    points = _points(adata, options)
    progress("  telling levels that were measured, to know how well ...")
    tl.virtual_section_quality(adata, genes=genes)
    out = tl.virtual_section(adata, options.z, points, genes=genes, draw=options.draw, seed=options.seed)
    write(out, options.out)
    facts: Facts = out.uns[keys.PROVENANCE]
    told = facts["virtual_section"]
    for target, how in told["how"].items():
        by = (
            "learned from the stack"
            if how["method"] == "learned"
            else f"mean of the {how['k']} nearest cells"
        )
        if options.draw and target != "token":
            by = "a real cell of the 64 nearest"
        say(f"{target}: {by}; {_how_good(how)}")
    say(
        f"{options.out}: {out.n_obs:,} positions at z = {options.z:g} um, {out.n_vars:,} genes; predicted, "
        f"not measured, from {told['below']['level']} and {told['above']['level']}"
    )
    return {"file": str(options.out), "n_positions": out.n_obs, **facts}


def benchmark_virtual_section(options: argparse.Namespace) -> Facts:
    """Leave out whole levels of a stack, and score what is told of them beside the nearest cells."""
    from squint.benchmarks.virtual_section import leave_levels_out, summarise

    adata = read_section(options.stack, answers_of(options))
    for line in leave_levels_out(adata, options.out, seeds=options.seeds).splitlines():
        say(line)
    rows = summarise(adata.uns[keys.BETWEEN_QUALITY]).to_dict("records")
    return {"folder": str(options.out), "rows": rows}


def add_virtual_section(add: Callable[..., argparse.ArgumentParser], kinds: Any) -> None:
    """Add the commands: one to the program's, one to the benchmarks."""
    sub = add(virtual_section)
    sub.add_argument("stack", type=Path, metavar="STACK")
    add_answers(sub)
    sub.add_argument("--model", type=Path, metavar="BUNDLE", help="predict its genes, and its tokens too")
    sub.add_argument("--z", type=float, required=True, metavar="UM", help="depth, between measured levels")
    sub.add_argument("--out", type=Path, required=True, metavar="OUT.h5ad")
    where = sub.add_mutually_exclusive_group()
    where.add_argument(
        "--positions", type=Path, metavar="FILE", help="CSV with columns x and y, or R.json with points"
    )
    where.add_argument("--like", metavar="LEVEL", help="where this level has cells; if left out, the nearest")
    where.add_argument("--grid", type=float, metavar="STEP", help="a grid over the tissue, in um")
    sub.add_argument("--align", action="store_true", help="first lay levels onto each other, where reliable")
    sub.add_argument("--draw", action="store_true", help="a real cell nearby instead of the expected profile")
    sub.add_argument("--seed", type=int, default=0, help="of the draw")

    sub = add(benchmark_virtual_section, "virtual-section", kinds)
    sub.add_argument("stack", type=Path, metavar="STACK")
    add_answers(sub)
    sub.add_argument("--out", type=Path, required=True, metavar="DIR")
    sub.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], metavar="SEED", help="of the draws")


def _with_model(adata: AnnData, folder: Path) -> list[str]:
    """Give the levels their tokens, and the model's genes that they measure."""
    from squint import tl
    from squint.model.bundle import Bundle

    bundle = Bundle.load(folder)
    tl.tokenize(adata, bundle)
    return [gene for gene in bundle.genes if gene in adata.var_names]


def _points(adata: AnnData, options: argparse.Namespace) -> NDArray[np.float64]:
    """Find where to predict (m, 2)."""
    from squint import tl
    from squint.model.between import find_between

    if options.positions is not None:
        return _read(options.positions)
    levels = tl.level_by_level(adata).cell
    between = find_between(levels, options.z)
    if options.grid is not None:
        return grid_within([between.below.points, between.above.points], options.grid)
    if options.like is None:
        return (between.above if between.share > 0.5 else between.below).points
    by_name = {level.name: level for level in levels}
    if options.like not in by_name:
        raise InputError(f"--like {options.like}: there is no such level, but {', '.join(by_name)}.")
    return by_name[options.like].points


def _read(path: Path) -> NDArray[np.float64]:
    """Read positions of a table, or those that R.json lists."""
    if path.suffix == ".json":
        lists = [region.points for region in regions.load(path) if isinstance(region, regions.Points)]
        if not lists:
            raise InputError(f'{path} lists no points. Write {{"section": "id", "points": [[x, y], ...]}}.')
        return np.array([point[:2] for points in lists for point in points], dtype=np.float64)
    try:
        table = pd.read_csv(path)
        return table[["x", "y"]].to_numpy(dtype=np.float64)
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{path} is no CSV with numbers in columns x and y: {error}") from None


def _how_good(how: Facts) -> str:
    if "agreement" in how:
        return f"{how['agreement']:.0%} told right in levels left out"
    if "pg" not in how:
        return str(how.get("quality", "not measured"))
    of_gene = how["pg"]
    score = of_gene["score"] if how["method"] == "learned" else of_gene["nearest"]
    return f"PG {score:.3f} in {of_gene['n_levels']} levels left out; learned is {how['quality']}"
