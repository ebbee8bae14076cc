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
from squint.io.transcript_files import Frame, Placing, form_of

if TYPE_CHECKING:
    import pyarrow as pa

Progress = Callable[[float], None]
Floats = NDArray[np.float64]
_AT_ONCE = 1 << 20  # rows
_UNFOLDS = 1_100  # times, at most, that what gzip packed can be larger; nothing of it is held
_AS_STORED = ((1.0, 0.0), (0.0, 1.0))


@dataclass
class Spots:
    """Transcripts of one gene."""

    places: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 2), np.float32))  # (n, 2), um
    n_low: int = 0  # left out, as their quality is too low
    n_nowhere: int = 0  # left out, as no place is stated: as in a field of view without cells


@dataclass(frozen=True)
class Read:
    """What was found in a file."""

    genes: dict[str, Spots]
    n_other: int  # transcripts of the whole file that are of no gene of the section: controls among them


class _Columns:
    """Which columns of a file say what, and what takes their places to positions."""

    def __init__(self, path: Path, there: Sequence[str], placing: Placing | None) -> None:
        if placing is None:
            form = form_of(path.name)
            if form is None:
                raise InputError(f"{path.name} is no file of transcripts that squint reads.")
            frame = Frame(((form.x, form.y),), _AS_STORED, {"": (0.0, 0.0)})
            placing = Placing(path.name, form.gene, (frame,), quality=form.quality, least=form.least)
        if placing.why_not:
            raise InputError(f"The transcripts of {path.name} cannot be drawn: {placing.why_not}.")
        by_name = {name.lower(): name for name in reversed(there)}
        ways = [(pair, frame) for frame in placing.frames for pair in frame.columns]
        (x, y), frame = next(
            (
                way
                for way in ways
                if {*way[0], *([placing.field] if "" not in way[1].offsets else [])} <= set(by_name)
            ),
            ways[0],
        )
        needed = [placing.gene.lower(), x, y, *([placing.field] if "" not in frame.offsets else [])]
        if missing := [name for name in needed if name not in by_name]:
            raise InputError(
                f"{path.name} has no column {', '.join(missing)}; it has {', '.join(there[:20])}."
            )
        self.gene, self.x, self.y, *fields = (by_name[name] for name in needed)
        self.field = fields[0] if fields else ""
        self.quality, self.least = by_name.get(placing.quality, ""), placing.least
        self._matrix = np.array(frame.matrix)
        names = sorted(frame.offsets, key=lambda name: int(name or 0))
        self._fields = np.array([int(name or 0) for name in names], np.float64)
        self._offsets = np.array([frame.offsets[name] for name in names], np.float64).reshape(-1, 2)

    @property
    def wanted(self) -> list[str]:
        """Their names, that of genes first."""
        return [self.gene, self.x, self.y, *(name for name in (self.field, self.quality) if name)]

    def good(self, batch: "pa.RecordBatch") -> NDArray[np.bool_]:
        """Say which transcripts (n,) are of the quality that the instrument counts."""
        if not self.quality:
            return np.ones(len(batch), bool)
        return np.nan_to_num(_numbers(batch, self.quality)) >= self.least

    def positions(self, batch: "pa.RecordBatch") -> Floats:
        """Give positions (n, 2); NaN where none is stated."""
        placed = np.column_stack([_numbers(batch, self.x), _numbers(batch, self.y)]) @ self._matrix.T
        if not self.field:
            return np.asarray(placed + self._offsets[0], np.float64)
        own = _numbers(batch, self.field)
        at = np.minimum(np.searchsorted(self._fields, own), len(self._fields) - 1)
        placed = placed + self._offsets[at]
        placed[self._fields[at] != own] = np.nan
        return np.asarray(placed, np.float64)


def read(
    path: Path,
    genes: Collection[str],
    known: Collection[str],
    report: Progress,
    placing: Placing | None = None,
) -> Read:
    """Read the transcripts of some genes.

    Parameters
    ----------
    path
        The file, under the name that the instrument gave it; or a folder of its parts.
    genes
        Whose transcripts.
    known
        All genes of the section.
    report
        Is told what share of the file was read.
    placing
        What takes its places to positions, as the reader of the cells found out; by default the file gives
        them as positions in micrometres.

    Returns
    -------
    The transcripts in the order of the file; those whose quality is lower than the instrument's own counts
    admit (Xenium: Q20), and those without a place, are counted, and left out.

    Raises
    ------
    InputError
        If the file is of no known form, is damaged, lacks a column, cannot be placed, or names none of the
        genes that the section has.
    """
    import pyarrow as pa  # noqa: PLC0415 - only where transcripts are read
    import pyarrow.compute as pc  # noqa: PLC0415

    files = _files(path)
    columns = _Columns(path, column_names(files[0]), placing)
    names = pa.array(sorted(known), pa.string())
    chosen = {names.index(gene).as_py(): gene for gene in genes if gene in set(known)}
    parts: dict[str, list[NDArray[np.float32]]] = {gene: [] for gene in genes}
    found = {gene: Spots() for gene in genes}
    n_rows = n_other = 0
    other = ""
    try:
        for batch in _batches(files, columns.wanted, report):
            of_gene = _text(batch.column(columns.gene))
            codes = pc.index_in(of_gene, value_set=names)
            n_rows, n_other = n_rows + len(batch), n_other + codes.null_count
            if not other and codes.null_count:
                other = str(of_gene[codes.is_null().index(True).as_py()].as_py())
            code_of = np.asarray(codes.fill_null(-1))
            rows = np.flatnonzero(np.isin(code_of, list(chosen)))
            own = batch.take(pa.array(rows))
            good, positions = columns.good(own), columns.positions(own).astype(np.float32)
            there = np.isfinite(positions).all(axis=1)
            for code, gene in chosen.items():
                is_own = code_of[rows] == code
                found[gene].n_low += int((is_own & ~good).sum())
                found[gene].n_nowhere += int((is_own & good & ~there).sum())
                parts[gene].append(positions[is_own & good & there])
    except InputError:
        raise
    except (*DAMAGED, *packed.DAMAGED) as error:  # those of Arrow are among them
        raise packed.damaged(path.name) from error
    if n_rows and n_other == n_rows:
        raise InputError(
            f"{path.name}: its column {columns.gene!r} names no gene of this section, but {other[:40]!r} "
            "and the like. Give the source that both are from."
        )
    for gene, places in parts.items():
        found[gene].places = np.concatenate([np.empty((0, 2), np.float32), *places])
    return Read(found, n_other)


def _files(path: Path) -> list[Path]:
    """Give the file, or the parts that lie in a folder."""
    if not path.is_dir():
        return [path]
    found = sorted(
        part for part in path.iterdir() if part.suffix == ".parquet" and not part.name.startswith((".", "_"))
    )
    if not found:
        raise InputError(f"{path.name} holds no part (part.0.parquet). Copy the folder again.")
    return found


def _text(column: "pa.Array") -> "pa.Array":
    import pyarrow as pa  # noqa: PLC0415 - only where transcripts are read

    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    return column.cast(kind).cast(pa.string())  # of some versions they are bytes


def _numbers(batch: "pa.RecordBatch", name: str) -> Floats:
    """Give a column (n,); NaN where nothing is stated."""
    import pyarrow as pa  # noqa: PLC0415 - only where transcripts are read

    column = batch.column(name).cast(pa.float64())
    return np.asarray(column.to_numpy(zero_copy_only=False), np.float64)


def _batches(files: Sequence[Path], wanted: Sequence[str], report: Progress) -> "Iterator[pa.RecordBatch]":
    sizes = np.array([file.stat().st_size for file in files], np.float64)
    ends = np.cumsum(sizes)
    for file, size, end in zip(files, sizes, ends, strict=True):
        start, share = (end - size) / ends[-1], size / ends[-1]
        packed.check_file(file)
        for batch, done in _of_parquet(file, wanted) if is_parquet(file) else _of_csv(file, wanted):
            yield batch
            report(float(start + share * done))


def _of_parquet(path: Path, wanted: Sequence[str]) -> "Iterator[tuple[pa.RecordBatch, float]]":
    """Yield what a file holds, and what share of it was read."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - only where transcripts are read

    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        if missing := [name for name in wanted if name not in file.schema_arrow.names]:
            raise InputError(f"{path.name} has no column {', '.join(missing)}, which other parts have.")
        total, done = max(file.metadata.num_rows, 1), 0
        for batch in file.iter_batches(_AT_ONCE, columns=list(wanted)):
            done += len(batch)
            yield batch, done / total


def _of_csv(path: Path, wanted: Sequence[str]) -> "Iterator[tuple[pa.RecordBatch, float]]":
    """Yield what a file holds that may be gzipped, and about what share of it was read."""
    import pyarrow as pa  # noqa: PLC0415 - only where transcripts are read
    import pyarrow.csv as pacsv  # noqa: PLC0415

    size = path.stat().st_size
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
            n_bytes += batch.nbytes
            yield batch, min(1.0, n_bytes / size)
