"""Read raw counts from a checked ``.h5ad`` or zarr group: whole, or in blocks of rows into scratch files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import h5py
import numpy as np
import pandas as pd
from anndata.io import sparse_dataset
from scipy import sparse

from squint import keys
from squint.errors import InputError
from squint.io import checks, mapped, unpacking
from squint.io.checks import BadValues
from squint.io.hdf5 import memory_budget, read_slot, reading
from squint.io.mapped import Scratch

COUNTS_SLOT = f"layers/{keys.COUNTS}"
SLOTS = ("X", COUNTS_SLOT)
DENSE = 8  # times as many values of a dense matrix as stored ones are in memory at once
NUMBERS = "buif"  # kinds of numpy's types
BYTES_AT_ONCE = 50  # that unpacking takes for each stored value of a block


class File(Protocol):
    """An open :class:`h5py.File`, or a zarr group that behaves alike."""

    @property
    def filename(self) -> str:
        """Its path."""

    def __contains__(self, slot: str) -> bool: ...

    def __getitem__(self, slot: str) -> Any: ...


def read_counts(
    file: File, cells: pd.Index, n_genes: int, notes: list[str], scratch: Scratch | None = None
) -> tuple[sparse.csr_matrix, str]:
    """Read raw counts from ``X``, or from the counts layer where ``X`` holds no counts; name the slot.

    Parameters
    ----------
    file
        An open file or group that was checked.
    cells
        Names of the cells, for messages.
    n_genes
        Number of genes.
    notes
        Sentences; added to.
    scratch
        Where to make files that the counts then lie in; by default they lie in memory.

    Returns
    -------
    CSR float32 (n, g), without stored zeros, and the slot.

    Raises
    ------
    InputError
        If there are none, or values that are no counts, or the disk is too small.
    """
    name = Path(file.filename).name
    reason = f"{name} has no `X` and no `{COUNTS_SLOT}`. Store raw counts in one of them."
    shape = (len(cells), n_genes)
    for slot in SLOTS:
        if slot not in file:
            continue
        found = _read(file, slot, shape) if scratch is None else _unpack(file, slot, shape, scratch)
        if found is None:
            continue
        counts, bad = found
        if not bad.n_values:
            if slot == COUNTS_SLOT:
                notes.append('Counts were taken from layers["counts"], because `X` does not hold counts.')
            counts.eliminate_zeros()
            return sparse.csr_matrix(counts, dtype=np.float32), slot
        n_worse = bad.n_values - bad.n_fractions
        if n_worse:
            reason = (
                f"{name}: `{slot}` holds negative, NaN or infinite values ({n_worse:,}); the first cell "
                f'with one is {cells[bad.first_cell]!r}. Store raw counts in `X` or layers["counts"].'
            )
        else:
            reason = (
                f"{name}: `{slot}` holds values that are no whole numbers ({bad.n_values:,}; normalised?), "
                f'the first in cell {cells[bad.first_cell]!r}. Store raw counts in layers["counts"].'
            )
    raise InputError(reason)


def read_intensities(
    file: File, n_cells: int, n_genes: int, scratch: Scratch | None = None
) -> sparse.csr_matrix | None:
    """Read ``X`` for viewing, where it holds numbers that are no counts, and none is negative or missing.

    Parameters
    ----------
    file
        An open file or group that was checked.
    n_cells, n_genes
        Its shape.
    scratch
        As for :func:`read_counts`.

    Returns
    -------
    CSR float32 (n, g); None if ``X`` is missing, or holds other numbers.

    Raises
    ------
    InputError
        If it is damaged.
    """
    if "X" not in file:
        return None
    shape = (n_cells, n_genes)
    found = _read(file, "X", shape) if scratch is None else _unpack(file, "X", shape, scratch, fractions=True)
    if found is None or found[1].n_values > found[1].n_fractions:
        return None
    found[0].eliminate_zeros()
    return sparse.csr_matrix(found[0], dtype=np.float32)


def declared_bytes(file: File) -> int:
    """Give the bytes that the larger of the slots of counts declares; 0 if one cannot be read in blocks."""
    declared = [_declared(file, slot) for slot in SLOTS if slot in file]
    return max((n_bytes or 0 for n_bytes in declared), default=0) if None not in declared else 0


def _declared(file: File, slot: str) -> int | None:
    stored = file[slot]
    if _is_array(stored):
        return int(stored.nbytes)
    with reading(file, slot):
        is_csr = _format(stored) == "csr"
        return int(stored["data"].nbytes) + int(stored["indices"].nbytes) if is_csr else None


def _is_array(stored: Any) -> bool:
    return hasattr(stored, "dtype")  # of h5py and of zarr alike


def _format(stored: Any) -> str | None:
    """Say how anndata wrote a sparse matrix: ``"csr"`` or ``"csc"``; None for anything else."""
    try:
        return sparse_dataset(stored).format
    except (KeyError, ValueError):
        return None


def _read(file: File, slot: str, shape: tuple[int, int]) -> tuple[sparse.csr_matrix, BadValues] | None:
    """Read a matrix of any storage and number type as CSR, without making it dense."""
    where = f"{Path(file.filename).name}: `{slot}`"
    stored = file[slot]
    if _is_array(stored):
        if stored.shape is None:  # how anndata writes that there is none
            return None
        matrix = sparse.vstack(list(_dense_blocks(stored, shape, where, mapped.BLOCK)), format="csr")
    else:
        matrix = read_slot(file, slot)
        if (
            not sparse.issparse(matrix)
            or matrix.format not in {"csr", "csc"}
            or matrix.data.dtype.kind not in NUMBERS
        ):
            raise _no_numbers(where)
        checks.check_structure(matrix, where)
        matrix = matrix.tocsr()
        _check_shape(matrix.shape, shape, where)
    matrix.sum_duplicates()
    return matrix, checks.bad_values(matrix)


def _unpack(
    file: File, slot: str, shape: tuple[int, int], scratch: Scratch, *, fractions: bool = False
) -> tuple[sparse.csr_matrix, BadValues] | None:
    """Do as `_read`, a block of rows at a time, and leave the rows in scratch files as float32."""
    where = f"{Path(file.filename).name}: `{slot}`"
    stored = file[slot]
    if _is_array(stored):
        if stored.shape is None:
            return None
        rows = mapped.Rows(scratch.folder, max_values=shape[0] * shape[1])
        blocks = _dense_blocks(stored, shape, where, scratch.block)
    else:
        if (kind := _format(stored)) == "csc":
            raise InputError(
                f"{where} is stored by columns (CSC), which cannot be read in parts. "
                "Store it as CSR (`.tocsr()`)."
            )
        with reading(file, slot):
            if kind is None or stored["data"].dtype.kind not in NUMBERS:
                raise _no_numbers(where)
            n_values = stored["data"].shape[0]
        rows = mapped.Rows(scratch.folder, n_values)
        mapped.reserve(scratch.folder, n_values * rows.bytes_per_value)
        _refuse_weight(stored, n_values * unpacking.NUMBER_BYTES)
        blocks = _sparse_blocks(stored, shape, where, scratch.block)
    bad = BadValues(0, -1, 0)
    n_rows = 0
    with reading(file, slot):
        for block in blocks:
            block.sum_duplicates()
            bad = _add(bad, checks.bad_values(block), n_rows)
            n_rows += block.shape[0]
            if not bad.n_values - bad.n_fractions * fractions:  # else the rest is only counted
                block.eliminate_zeros()
                rows.append(block)
    if bad.n_values - bad.n_fractions * fractions:
        rows.discard()
        return sparse.csr_matrix(shape, dtype=np.float32), bad
    return rows.finish(), bad


def _refuse_weight(stored: Any, n_bytes: int) -> None:
    """Refuse what is too large beside its file; a store of zarr was weighed when it was opened."""
    if not isinstance(stored, h5py.Group | h5py.Dataset):
        return
    file = stored.file
    unpacking.refuse_weight(n_bytes, int(file.id.get_filesize()), Path(file.filename).name)


def _add(bad: BadValues, of_block: BadValues, start: int) -> BadValues:
    """Add what is wrong in a block of rows, the first of which is row ``start``."""
    first = start + of_block.first_cell if of_block.n_values else -1
    return BadValues(
        bad.n_values + of_block.n_values,
        bad.first_cell if bad.n_values else first,
        bad.n_fractions + of_block.n_fractions,
    )


def _dense_blocks(stored: Any, shape: tuple[int, int], where: str, block: int) -> Iterator[sparse.csr_matrix]:
    """Read a dense matrix some rows at a time."""
    if stored.dtype.kind not in NUMBERS or stored.ndim != 2:
        raise InputError(f"{where} is not a table of numbers. Store raw counts there, cells by genes.")
    _check_shape(stored.shape, shape, where)
    n_rows = max(1, DENSE * block // max(1, stored.shape[1]))
    n_bytes, n_values, n_unpacked = stored.dtype.itemsize, 0, 0
    for start in range(0, stored.shape[0], n_rows):
        rows = sparse.csr_matrix(stored[start : start + n_rows])
        n_values, n_unpacked = n_values + rows.nnz, n_unpacked + rows.shape[0] * rows.shape[1] * n_bytes
        _refuse_weight(stored, unpacking.weight_of_dense(n_unpacked, n_values))
        yield rows


def _sparse_blocks(
    stored: Any, shape: tuple[int, int], where: str, block: int
) -> Iterator[sparse.csr_matrix]:
    """Read a CSR matrix some rows at a time, and refuse index arrays that contradict its shape."""
    values, columns = stored["data"], stored["indices"]
    own_shape = sparse_dataset(stored).shape
    pointers = stored["indptr"][...].astype(np.int64, casting="same_kind")
    checks.check_pointers(pointers, own_shape[0], columns.shape[0], values.shape[0], where)
    longest, most = int(np.diff(pointers).max(initial=0)), memory_budget() // BYTES_AT_ONCE
    if longest > most:
        raise InputError(f"{where} stores {longest:,} values in one cell. Write the file again with anndata.")
    # What lies within one chunk of the file is unpacked together, however little of it is asked for.
    n_values = max(block, min(most, max((part.chunks or (0,))[0] for part in (values, columns))))
    index = np.int32 if own_shape[1] <= mapped.INT32_MAX else np.int64
    for start, stop in mapped.row_blocks(pointers, n_values):
        inside = slice(int(pointers[start]), int(pointers[stop]))
        indices = columns[inside]
        checks.check_indices(indices, own_shape[1], where, start=inside.start)
        # A block of a matrix of another size: that is said once all of its indices are found sound.
        yield sparse.csr_matrix(
            (
                values[inside],
                indices.astype(index, casting="same_kind"),
                pointers[start : stop + 1] - inside.start,
            ),
            shape=(stop - start, own_shape[1]),
        )
    _check_shape(own_shape, shape, where)


def _check_shape(found: tuple[int, int], shape: tuple[int, int], where: str) -> None:
    if found != shape:
        raise InputError(
            f"{where} is {found[0]} x {found[1]}, but `obs` has {shape[0]} cells and `var` "
            f"{shape[1]} genes. Write the file again with anndata."
        )


def _no_numbers(where: str) -> InputError:
    return InputError(f"{where} is not a matrix of numbers. Store raw counts there as CSR.")
