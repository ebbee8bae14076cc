"""The command ``perturb``."""

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray

from squint import keys
from squint.cli.terminal import (
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
from squint.errors import InputError
from squint.geometry import regions

if TYPE_CHECKING:
    from squint.tl._perturb import Step
    from squint.tl._perturbation import Perturbation
    from squint.tl._replacements import How

TOLD_EVERY = 100  # shams


def perturb(options: argparse.Namespace) -> Facts:
    """Change some cells' expression, and say which tokens the cells beside them take: a computed what-if."""
    from squint import io, tl
    from squint.model.bundle import Bundle

    if options.out.suffix != ".h5ad":
        raise InputError(f"OUT must be an .h5ad file, not {options.out}.")
    if options.cells is None and not options.type:
        raise InputError("Say which cells change: --cells R.json, --type TYPE, or both.")
    bundle = Bundle.load(options.model)
    adata = joined([read_section(path, answers_of(options)) for path in options.sections])
    found = _follow(tl.perturb_steps(adata, bundle, _what(adata, options), **_how(options)))
    io.write(adata, options.out)
    for warning in found["warnings"]:
        progress(f"  warning: {warning}")
    for line in _lines(found):
        say(line)
    return {"file": str(options.out), **_facts(found)}


def _what(adata: AnnData, options: argparse.Namespace) -> "Perturbation":
    """Say who changes by what, and what is watched."""
    from squint import tl

    everyone = np.ones(adata.n_obs, dtype=bool)
    roi = everyone if options.cells is None else _inside(adata, options.cells)
    return tl.Perturbation(
        cells=roi & (_of_types(adata, options.type, options.labels) if options.type else everyone),
        by=_way(adata, options),
        programme=_programme(options),
        responders=_of_types(adata, options.respond, options.labels) if options.respond else None,
        roi=roi,
        hold_programme=not options.free_programme,
    )


def _how(options: argparse.Namespace) -> dict[str, Any]:
    return {"n_shams": options.shams, "seed": options.seed, "device": options.device}


def _follow(steps: "Iterable[Step]") -> dict[str, Any]:
    """Say how far it is, and give the result."""
    found: dict[str, Any] = {}
    for step in steps:
        if step.result is not None:
            found = step.result
        elif step.n_shams % TOLD_EVERY == 0:
            progress(f"  {step.n_shams:,} of {step.n_wanted:,} shams ...")
    return found


def _facts(found: dict[str, Any]) -> Facts:
    """Give all as JSON holds it."""
    tables = {name: value for name, value in found.items() if isinstance(value, pd.DataFrame)}
    facts: Facts = {name: value for name, value in found.items() if name not in tables}
    facts["tokens"] = tables["tokens"].reset_index().to_dict("records")
    for name in ("transitions", "unaffected_transitions"):
        facts[name] = tables[name].to_dict("split")
    facts["shams"] = tables["shams"].to_dict("list")
    return facts


def _lines(found: Facts) -> list[str]:
    """Say what was found, the effect first."""
    low, high = found["interval"]
    lines = [
        "A computed what-if of the model, not a prediction of treatment.",
        f"{found['n_perturbed']:,} cells changed; of {found['n_affected']:,} responders beside them "
        f"{found['n_moved']:,} took another token ({found['n_moved_still']:,} by the replacement alone)",
        f"response {found['response']:+.4f}, above shams {found['above_sham']:+.4f} "
        f"(95 % of shams: {low:+.4f} to {high:+.4f}), p = {found['p']:.3g} for a rise, "
        f"{found['n_shams']:,} shams",
        f"{found['n_unaffected_moved']:,} of {found['n_unaffected']:,} unaffected responders did so",
    ]
    if found["n_unscored"]:
        lines.append(f"{found['n_unscored']:,} affected cells are left out: a token of theirs has no score")
    if found["genes_missing"]:
        lines.append(f"not measured of the programme: {', '.join(found['genes_missing'][:10])}")
    return lines


def add_perturb(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command to the program's."""
    sub = add(perturb)
    add_sections(sub)
    add_device(sub)
    add_model(sub)
    sub.add_argument("--cells", type=Path, metavar="R.json", help="region of interest; all if not said")
    sub.add_argument(
        "--type", action="append", default=[], metavar="TYPE", help="of the cells in it that change"
    )
    sub.add_argument("--by", required=True, choices=("mean", "profile", "scale"))
    sub.add_argument(
        "--from",
        dest="source",
        metavar="SOURCE",
        help="mean: the cells it is of, as R.json or COLUMN=LABEL of the cells. profile: a CSV of gene and "
        "expression",
    )
    sub.add_argument(
        "--gene", action="append", default=[], metavar="GENE=FACTOR", help="scale: once for each gene"
    )
    sub.add_argument(
        "--respond",
        action="append",
        default=[],
        metavar="TYPE",
        help="cells that may answer; all if not said",
    )
    sub.add_argument(
        "--programme",
        type=Path,
        required=True,
        metavar="FILE",
        help="genes of the answer, as GMT, CSV or text",
    )
    sub.add_argument("--set", metavar="NAME", help="of several gene sets in that file")
    sub.add_argument(
        "--free-programme", action="store_true", help="change the programme's genes too; they are left if not"
    )
    sub.add_argument("--labels", metavar="OBS", default=keys.CELL_TYPE, help="column of the types")
    sub.add_argument("--shams", type=int, default=499, metavar="N")
    sub.add_argument("--seed", type=int, default=0)


def _programme(options: argparse.Namespace) -> tuple[str, ...]:
    from squint.formats import gene_sets

    sets = gene_sets.read(options.programme)
    if options.set is None and len(sets) > 1:
        raise InputError(
            f"{options.programme} holds {len(sets)} sets ({', '.join(list(sets)[:5])}). Say which: --set."
        )
    name = options.set or next(iter(sets))
    if name not in sets:
        raise InputError(f"{options.programme} holds no set {name!r}, but {', '.join(list(sets)[:5])}.")
    return sets[name]


def _inside(adata: AnnData, path: Path) -> NDArray[np.bool_]:
    return regions.hidden_cells(adata, regions.load(path))


def _of_types(adata: AnnData, types: list[str], column: str) -> NDArray[np.bool_]:
    if column not in adata.obs:
        raise InputError(
            f"The cells have no column {column!r}. Name one with --labels or --column cell_type=."
        )
    known = adata.obs[column].astype(str)
    if missing := [name for name in types if not (known == name).any()]:
        some = ", ".join(sorted(known.unique())[:8])
        raise InputError(f"No cell is of type {missing[0]!r}. There are {some}.")
    return np.asarray(known.isin(types))


def _way(adata: AnnData, options: argparse.Namespace) -> "How":
    """Take the options of the way that was chosen."""
    from squint import tl

    if options.by == "scale":
        if not options.gene:
            raise InputError("--by scale needs genes: --gene GENE=FACTOR, once for each.")
        return tl.ScaleGenes(dict(_factor(text) for text in options.gene))
    if options.source is None:
        what = "R.json or COLUMN=LABEL" if options.by == "mean" else "a CSV of gene and expression"
        raise InputError(f"--by {options.by} needs {what}: say it with --from.")
    if options.by == "profile":
        return tl.ReplaceByProfile(_profile(Path(options.source)))
    column, given, label = options.source.partition("=")
    if given and not Path(options.source).exists():
        return tl.ReplaceByMean(_of_types(adata, [label], column))
    return tl.ReplaceByMean(_inside(adata, Path(options.source)))


def _factor(text: str) -> tuple[str, float]:
    gene, _, factor = text.rpartition("=")
    try:
        return gene, float(factor)
    except ValueError:
        raise InputError(f"--gene {text}: write GENE=FACTOR, such as --gene GZMB=4.") from None


def _profile(path: Path) -> dict[str, float]:
    from squint.formats.profiles import read

    return read(path)
