"""What no reader reads, known by its name, and the way to what one does."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from squint.io import tenx
from squint.io.counts_table_files import TRANSCRIPTS, look
from squint.io.delimited import is_table

DEPTH = 4  # folders below the one given that are looked into
MAX_LOOKED_AT = 2_000  # files and folders
BESIDE = "Put a table of positions beside it: names of cells, x and y"
NO_COUNTS = "holds values that are no counts (fractions, or negative). Give the table of raw counts."
COUNTS_BESIDE = "Put a table of counts beside it"


class _Kind(NamedTuple):
    pattern: re.Pattern[str]  # of the whole name
    words: str  # after the name


def _named(pattern: str, words: str) -> _Kind:
    return _Kind(re.compile(pattern, re.IGNORECASE), words)


KINDS: Sequence[_Kind] = (  # in this order
    _named(
        r".*\.(rds|rda|rdata|qs)",
        "is an object of R, which squint does not read. Write it as .h5ad in R: zellkonverter::writeH5AD, "
        "with positions in reducedDim 'spatial'.",
    ),
    _named(
        r".*\.h5seurat",
        "is Seurat's own format, which squint does not read. Write it as .h5ad in R: "
        "SeuratDisk::Convert(FILE, 'h5ad').",
    ),
    _named(
        r".*\.(gem|gem\.gz|gef)",
        "holds spots of Stereo-seq, and no cells. Bin the spots, or assign them to cells, with Stereopy or "
        "SAW, and export the result as .h5ad.",
    ),
    _named(
        r".*\.loom",
        "is a loom file, which squint does not read. Read it with anndata.read_loom, put the positions into "
        "obsm['spatial'], and write it as .h5ad.",
    ),
    _named(r".*\.(tar|tar\.\w+|tgz|tbz|txz|7z|rar)", "is an archive. Unpack it and give its folder."),
    _Kind(
        TRANSCRIPTS,
        "holds transcripts, and there are no counts of cells. Export the instrument's tables of counts and "
        "of cells into the same folder.",
    ),
    _named(r".*\.h5", f"holds counts without positions. {BESIDE}, or give the instrument's whole folder."),
    _named(
        rf"({'|'.join(map(re.escape, tenx.MATRIX))})",
        f"holds counts without positions. {BESIDE}, or give the instrument's whole folder.",
    ),
    _named(
        r".*\.(tiff?|btf|qptiff|svs|ndpi|czi|png|jpe?g)",
        "is a picture, and there are no cells. Give the section, and add the picture to it.",
    ),
)


def why(path: Path) -> str | None:
    """Say in one line why what no reader reads is not read, and what to do.

    Parameters
    ----------
    path
        A file, or a folder in which there is nothing that a reader reads.

    Returns
    -------
    The sentence; None if nothing in it is known.
    """
    if path.is_file() and path.suffix.lower() == ".h5" and tenx.holds_another(path):
        return None  # some call an .h5ad so
    if path.is_file():
        return _why_kind([path]) or (_why_table(path) if is_table(path) else None)
    found = list(_inside(path))
    folders = [path, *(entry for entry in found if entry.is_dir())]
    return _first(_why_tables, folders) or _why_kind(found) or _first(_why_damaged, folders)


def _first(say: Callable[[Path], str | None], folders: Sequence[Path]) -> str | None:
    return next(filter(None, map(say, folders)), None)


def _inside(folder: Path) -> Iterator[Path]:
    """Go through folders level by level, and follow no links."""
    level, seen = [folder], 0
    for _ in range(DEPTH):
        deeper = []
        for above in level:
            try:
                entries = sorted(os.scandir(above), key=lambda entry: entry.name)
            except OSError:
                continue
            for entry in entries:
                seen += 1
                if seen > MAX_LOOKED_AT:
                    return
                if entry.name.startswith((".", "__MACOSX")) or entry.is_symlink():
                    continue
                yield Path(entry.path)
                if entry.is_dir(follow_symlinks=False):
                    deeper.append(Path(entry.path))
        level = deeper


def _why_kind(paths: Sequence[Path]) -> str | None:
    for kind in KINDS:
        for path in paths:
            if kind.pattern.fullmatch(path.name):
                return f"{path.name} {kind.words}"
    return None


def _why_table(path: Path) -> str:
    """Say what a single table lacks."""
    tables = look(path.parent)
    if path in tables.values:
        return f"{path.name} {NO_COUNTS}"
    if path in tables.counts:
        return f"{path.name} holds counts without positions. {BESIDE}, and give the folder."
    if path in {positions.path for positions in tables.positions}:
        return f"{path.name} holds positions without counts. {COUNTS_BESIDE}, and give the folder."
    if path in tables.unreadable:
        return f"{path.name} is empty or damaged. Copy it again."
    return f"{path.name} is no table of counts, nor one of positions. Give a folder that holds one of each."


def _why_tables(folder: Path) -> str | None:
    """Say what lacks where a folder holds some of what a table of counts and one of positions need."""
    tables = look(folder)
    damaged = [path.name for path in tables.unreadable]
    odd = f" ({', '.join(damaged)}: empty or damaged)" if damaged else ""
    if tables.others and not odd:
        odd = f" ({tables.others[0].name} holds neither)"
    counts = [path.name for path in tables.counts if is_table(path)]
    positions = [table.path.name for table in tables.positions]
    if counts and positions:
        return (
            f"Which counts ({', '.join(counts)}) belong to which positions ({', '.join(positions)}) is not "
            "clear. Give them names that begin alike: slice1.csv and slice1_positions.csv."
        )
    if tables.values and positions:
        return f"{tables.values[0].name} {NO_COUNTS}"
    if counts:
        return f"{counts[0]} holds counts without positions{odd}. {BESIDE}."
    if positions:
        return f"{positions[0]} holds positions without counts{odd}. {COUNTS_BESIDE}."
    return None


def _why_damaged(folder: Path) -> str | None:
    damaged = look(folder).unreadable
    return f"{damaged[0].name} is empty or damaged. Copy it again." if damaged else None
