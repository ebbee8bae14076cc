"""Transcripts of chosen genes, read in parts: an instrument's file of them may be larger than memory."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from squint.errors import DAMAGED, InputError
from squint.io import packed
from squint.io.arrow import column_names, is_parquet
from squint.io.transcript_files import form_of

if TYPE_CHECKING:
    import pyarrow as pa

Progress = Callable[[float], None]
_AT_ONCE = 1 << 20  # rows
_UNFOLDS = 1_100  # times, at most, that what gzip packed can be larger; nothing of it is held


@dataclass
class Spots:
    """Transcripts of one gene."""

    places: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 2), np.float32))  # (n, 2), um
    n_low: int = 0  # left out, as their quality is too low


@dataclass(frozen=True)
class Read:
    """What was found in a file."""

    genes: dict[str, Spots]
    n_other: int  # transcripts of the whole file that are of no gene of the section: controls among them


def read(path: Path, genes: Collection[str], known: Collection[str], report: Progress) -> Read:
    """Read the transcripts of some genes.

    Parameters
    ----------
    path
        The file, under the name that the instrument gave it.
    genes
        Whose transcripts.
    known
        All genes of the section.
    report
        Is told what share of the file was read.

    Returns
    -------
    The transcripts in the order of the file; those whose quality is lower than the instrument's own counts
    admit (Xenium: Q20) are counted, and left out.

    Raises
    ------
    InputError
        If the file is of no known form, is damaged, or lacks a column.
    """
    import pyarrow as pa  # noqa: PLC0415 - only where transcripts are read
    import pyarrow.compute as pc  # noqa: PLC0415

    form = form_of(path.name)
    if form is None:
        raise InputError(f"{path.name} is no file of transcripts that squint reads.")
    there = column_names(path)
    wanted = [form.gene, form.x, form.y, *([form.quality] if form.quality in there else [])]
    if missing := [name for name in wanted if name not in there]:
        raise InputError(f"{path.name} has no column {', '.join(missing)}; it has {', '.join(there[:20])}.")
    names = pa.array(sorted(known), pa.string())
    chosen = {names.index(gene).as_py(): gene for gene in genes if gene in set(known)}
    parts: dict[str, list[NDArray[np.float32]]] = {gene: [] for gene in genes}
    low = dict.fromkeys(genes, 0)
    n_other = 0
    try:
        for batch in _batches(path, wanted, report):
            codes = pc.index_in(_text(batch.column(form.gene)), value_set=names)
            n_other += codes.null_count
            found = np.asarray(codes.fill_null(-1))
            good = np.ones(len(found), bool)
            if form.quality in wanted:
                good = np.asarray(batch.column(form.quality).cast(pa.float64()).fill_null(0)) >= form.least
            for code, gene in chosen.items():
                own = np.flatnonzero(found == code)
                low[gene] += int((~good[own]).sum())
                own = own[good[own]]
                axes = [np.asarray(batch.column(key).take(pa.array(own))) for key in (form.x, form.y)]
                places = np.column_stack(axes).astype(np.float32)
                parts[gene].append(places[np.isfinite(places).all(axis=1)])
    except InputError:
        raise
    except (*DAMAGED, *packed.DAMAGED) as error:  # those of Arrow are among them
        raise packed.damaged(path.name) from error
    empty = np.empty((0, 2), np.float32)
    return Read(
        {gene: Spots(np.concatenate([empty, *places]), low[gene]) for gene, places in parts.items()}, n_other
    )


def _text(column: "pa.Array") -> "pa.Array":
    import pyarrow as pa  # noqa: PLC0415 - only where transcripts are read

    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    return column.cast(kind).cast(pa.string())  # of some versions they are bytes


def _batches(path: Path, wanted: Sequence[str], report: Progress) -> "Iterator[pa.RecordBatch]":
    import pyarrow as pa  # noqa: PLC0415 - only where transcripts are read
    import pyarrow.csv as pacsv  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    size = path.stat().st_size
    if is_parquet(path):
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            total, done = max(file.metadata.num_rows, 1), 0
            for batch in file.iter_batches(_AT_ONCE, columns=list(wanted)):
                yield batch
                done += len(batch)
                report(done / total)
        return
    with packed.opened(path, _UNFOLDS * size) as stream:
        options = pacsv.ConvertOptions(
            include_columns=list(wanted),
            column_types={wanted[0]: pa.string()} | dict.fromkeys(wanted[1:], pa.float64()),
        )
        reader = pacsv.open_csv(
            pa.PythonFile(stream, "r"),
            read_options=pacsv.ReadOptions(block_size=1 << 24),
            convert_options=options,
        )
        n_bytes = 0
        for batch in reader:
            yield batch
            n_bytes += batch.nbytes
            report(min(1.0, n_bytes / size))
