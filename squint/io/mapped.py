"""Arrays in files of a scratch folder, mapped into memory: counts of sections that are larger than it."""

import ctypes
import os
import shutil
from collections.abc import Callable, Iterator
from mmap import MADV_DONTNEED, mmap
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import numpy as np
from numpy.typing import DTypeLike, NDArray
from scipy.sparse import csr_matrix

from squint.errors import InputError
from squint.files import why_refused

BLOCK = 2_000_000  # stored values that are in memory at once; some 100 MB with all that is done to them
INT32_MAX = np.iinfo(np.int32).max
_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc alone


class Scratch(NamedTuple):
    """Where counts are unpacked to, and how many values at a time."""

    folder: Path
    block: int = BLOCK


def row_blocks(indptr: NDArray[np.integer], n_values: int = BLOCK) -> Iterator[tuple[int, int]]:
    """Cut the rows of a CSR matrix into ranges of about ``n_values`` stored values, at least a row each."""
    start, n_rows = 0, len(indptr) - 1
    while start < n_rows:
        end = int(np.searchsorted(indptr, int(indptr[start]) + n_values, side="right")) - 1
        stop = max(start + 1, end)
        yield start, stop
        start = stop


def folder_of(matrix: object) -> Path | None:
    """Give the folder of the files that a sparse matrix lies in; None where it lies in memory."""
    array = matrix.data if isinstance(matrix, csr_matrix) else None
    while isinstance(array, np.ndarray) and not isinstance(array, np.memmap):
        array = array.base
    return Path(array.filename).parent if isinstance(array, np.memmap) and array.filename else None


def mapping_of(array: object) -> mmap | None:
    """Give the mapped file that an array lies in; None where it lies in memory."""
    while isinstance(array, np.ndarray):
        array = array.base
    return array if isinstance(array, mmap) else None


def let_go(*arrays: NDArray[Any]) -> None:
    """Give the memory of mapped arrays back to the system; what they hold is in their files.

    The system would take it when it has to. Until then it counts as this process's, and looks like its need.
    So does what was freed between small arrays that are still used, which glibc keeps until it is told: after
    a million cells, a tile at a time, 0.8 GB. Where nothing is mapped, nothing is done.
    """
    mappings = [mapping for array in arrays if (mapping := mapping_of(array)) is not None]
    for mapping in mappings:
        mapping.madvise(MADV_DONTNEED)
    if mappings and _trim is not None:
        _trim(0)


def beside(matrix: object, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Make an array to be filled, in a file beside those of ``matrix``, or in memory where that lies there.

    Raises
    ------
    InputError
        If the disk is too small.
    """
    folder = folder_of(matrix)
    n_bytes = int(np.prod(shape, dtype=object)) * np.dtype(dtype).itemsize
    if folder is None or not n_bytes:
        return np.empty(shape, dtype)
    reserve(folder, n_bytes)
    path = _new_file(folder)
    try:
        with path.open("xb") as file:
            # A mapped page that finds no place on the disk ends the process, and raises nothing.
            os.posix_fallocate(file.fileno(), 0, n_bytes)
    except OSError as error:
        raise _refused(folder, error) from error
    return _mapped(path, dtype, shape)


def change_rows(
    counts: csr_matrix, change: Callable[[csr_matrix, slice], csr_matrix], *, n_values: int = BLOCK
) -> csr_matrix:
    """Apply to a matrix what works on each row alone and adds no stored value.

    Where the matrix lies in files, a block of rows is changed at a time, and the result lies beside it.
    ``change`` is given the rows, and which of all rows they are.

    Raises
    ------
    InputError
        If the disk is too small.
    """
    folder = folder_of(counts)
    if folder is None:
        return change(counts, slice(0, counts.shape[0]))
    changed = Rows(folder, counts.nnz)
    for start, stop in row_blocks(counts.indptr, n_values):
        changed.append(change(counts[start:stop], slice(start, stop)))
    return changed.finish()


def reserve(folder: Path, n_bytes: int) -> None:
    """Refuse what the disk has no room for.

    Raises
    ------
    InputError
        If fewer than ``n_bytes`` are free.
    """
    free = shutil.disk_usage(folder).free
    if n_bytes > free:
        raise InputError(
            f"The scratch folder {folder.parent} has {free / 1e9:,.1f} GB free, but {n_bytes / 1e9:,.1f} GB "
            "are needed. Free some, or name a folder on another disk."
        )


class Rows:
    """Gathers rows in two files, one of values and one of columns.

    Parameters
    ----------
    folder
        Where the files are made.
    max_values
        The most values that may come.
    """

    def __init__(self, folder: Path, max_values: int) -> None:
        self._folder = folder
        # scipy wants one type for columns and starts of rows, and would copy the columns to have it.
        self._index = np.dtype(np.int32 if max_values <= INT32_MAX else np.int64)
        self._values, self._columns = _new_file(folder), _new_file(folder)
        self._sizes: list[NDArray[np.int64]] = []
        self._n_columns = 0

    @property
    def bytes_per_value(self) -> int:
        """What a stored value takes on the disk."""
        return np.dtype(np.float32).itemsize + self._index.itemsize

    def append(self, block: csr_matrix) -> None:
        """Add rows (m, g), whose columns become sorted.

        Raises
        ------
        InputError
            If the disk is full.
        """
        block.sort_indices()
        reserve(self._folder, block.nnz * self.bytes_per_value)
        try:
            with self._values.open("ab") as values, self._columns.open("ab") as columns:
                values.write(np.ascontiguousarray(block.data, np.float32).data)
                columns.write(np.ascontiguousarray(block.indices, self._index).data)
        except OSError as error:
            raise _refused(self._folder, error) from error
        self._sizes.append(np.diff(block.indptr).astype(np.int64))
        self._n_columns = block.shape[1]

    def finish(self) -> csr_matrix:
        """Give all rows as one matrix (n, g) of float32, which lies in the files."""
        sizes = np.concatenate(self._sizes)
        indptr = np.zeros(len(sizes) + 1, self._index)
        np.cumsum(sizes, out=indptr[1:])
        n_values = int(indptr[-1])
        return csr_matrix(
            (
                _mapped(self._values, np.float32, (n_values,)),
                _mapped(self._columns, self._index, (n_values,)),
                indptr,
            ),
            shape=(len(sizes), self._n_columns),
        )

    def discard(self) -> None:
        """Delete the files."""
        for path in (self._values, self._columns):
            path.unlink(missing_ok=True)


def _new_file(folder: Path) -> Path:
    return folder / f"{uuid4().hex}.raw"


def _mapped(path: Path, dtype: DTypeLike, shape: tuple[int, ...]) -> NDArray[Any]:
    """Map a file, as a plain array: anndata chooses how to write one by its exact type."""
    if not np.prod(shape, dtype=object):
        return np.empty(shape, dtype)  # an empty file cannot be mapped
    return np.asarray(np.memmap(path, dtype, mode="r+", shape=shape))


def _refused(folder: Path, error: OSError) -> InputError:
    return InputError(
        f"The scratch folder {folder.parent} could not be written: {why_refused(error)}. "
        "Name a folder on another disk."
    )
