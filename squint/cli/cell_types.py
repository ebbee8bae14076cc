"""The command ``cell-types``."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from squint import keys
from squint.cli.terminal import Facts, add_answers, answers_of, progress, read_section, say
from squint.errors import InputError

if TYPE_CHECKING:
    from squint.tl._cell_types import How

MOST_SHOWN = 40  # types


def cell_types(options: argparse.Namespace) -> Facts:
    """Name the cells of a section: by clusters, marker genes, another section's labels, or a file."""
    from squint import io, tl

    if options.out.suffix != ".h5ad":
        raise InputError(f"OUT must be an .h5ad file, not {options.out}.")
    how = _way(options)
    adata = read_section(options.section, answers_of(options))
    tl.cell_types(adata, by=how, name=options.name, seed=options.seed)
    io.write(adata, options.out)
    made = adata.uns[keys.PROVENANCE]
    record = made["labelings"][made["labeling"]]
    for note in record["notes"]:
        progress(f"  note: {note}")
    if "species" in record["facts"]:
        progress(f"  note: markers of {record['facts']['species']}")
    sizes = adata.obs[keys.NAMED_TYPE].value_counts()
    say(f"{options.out}: {record['n_named']:,} of {adata.n_obs:,} cells have a name, one of {len(sizes)}")
    for name, number in sizes.head(MOST_SHOWN).items():
        say(f"{name}: {number:,} cells")
    if len(sizes) > MOST_SHOWN:
        say(f"... and {len(sizes) - MOST_SHOWN} more")
    counts = {str(name): int(number) for name, number in sizes.items()}
    facts: Facts = {"file": str(options.out), "labeling": made["labeling"], "n_of_type": counts, **record}
    if keys.EVIDENCE in adata.uns:
        facts["evidence"] = adata.uns[keys.EVIDENCE].to_dict("records")
    return facts


def add_cell_types(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command to the program's."""
    sub = add(cell_types)
    sub.add_argument("section", type=Path, metavar="SECTION")
    add_answers(sub)
    sub.add_argument("--by", required=True, choices=("clusters", "markers", "transfer", "file"))
    sub.add_argument(
        "--from",
        dest="source",
        type=Path,
        metavar="SOURCE",
        help="transfer: a labelled SECTION. file: a CSV of cells and types. markers: gene sets of your own, "
        "as GMT or CSV, in place of squint's",
    )
    sub.add_argument("--out", type=Path, required=True, metavar="OUT")
    sub.add_argument("--name", help="of the labeling (the way it is made)")
    sub.add_argument("--seed", type=int, default=0)
    sub.add_argument("--resolution", type=float, default=1.0, help="of clusters: the higher, the more (1)")
    sub.add_argument("--species", choices=("human", "mouse"), help="of markers; told from the genes if clear")
    sub.add_argument(
        "--tissue", metavar="ORGAN", help="whose own lineages markers are of as well: breast, ..."
    )
    sub.add_argument(
        "--clusters", metavar="OBS", help="column of clusters that markers name (found, if not said)"
    )
    sub.add_argument(
        "--per", choices=("cluster", "cell"), default="cluster", help="what markers name (cluster)"
    )
    sub.add_argument("--labels", metavar="OBS", default=keys.CELL_TYPE, help="column of the labelled section")
    sub.add_argument(
        "--min-confidence", type=float, default=0.5, help="of a transferred name; less is unknown (0.5)"
    )
    sub.add_argument("--cells", metavar="COLUMN", help="of the CSV: ids of cells")
    sub.add_argument("--types", metavar="COLUMN", help="of the CSV: their types")


def _way(options: argparse.Namespace) -> "How":
    """Take the options of the way that was chosen."""
    from squint import tl

    if options.by in {"transfer", "file"} and options.source is None:
        what = "a labelled SECTION" if options.by == "transfer" else "a CSV of cells and types"
        raise InputError(f"--by {options.by} needs {what}: say it with --from.")
    if options.by == "clusters":
        return tl.Clusters(resolution=options.resolution)
    if options.by == "markers":
        return tl.Markers(
            sets=options.source,
            species=options.species,
            tissue=options.tissue,
            groupby=options.clusters,
            per=options.per,
            resolution=options.resolution,
        )
    if options.by == "file":
        return tl.LabelFile(options.source, cells=options.cells, types=options.types)
    from squint.io import Answers

    teacher = read_section(options.source, Answers())
    return tl.Transfer(teacher, key=options.labels, min_confidence=options.min_confidence)
