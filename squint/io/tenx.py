"""Matrices of counts as 10x Genomics writes them: HDF5, zarr, or a folder of Matrix Market and two lists."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from squint.errors import DAMAGED, InputError
from squint.io import checks, packed
from squint.io.features import GENES
from squint.io.findings import Findings
from squint.io.forms import existing, first_sound
from squint.io.hdf5 import memory_budget, open_checked, reading
from squint.io.packed import damaged, lines, opened
from squint.io.tenx_zarr import read_parts

GROUP = "matrix"
HEADER = re.compile(r"%%MatrixMarket\s+matrix\s+coordinate\s+(integer|real)\s+general\s*", re.IGNORECASE)
OF_WHOLE, OF_REAL = b"0123456789-. \t\r\n", b"+eEnNaAiIfFtTyY"  # of a body of Matrix Market
FRACTION = re.compile(rb"\.0*[^0\s]")  # what is not a whole number, as 2.0 still is
BLOCK = 1 << 20
MAX_COMMENTS = 1_000  # lines before the sizes
ASCII = 127
MAX_LINE = 10_000  # bytes of one of them
BYTES_PER_VALUE = 40  # that a value of Matrix Market takes while it is read
MATRIX = ("matrix.mtx.gz", "matrix.mtx")
BARCODES = ("barcodes.tsv.gz", "barcodes.tsv")
FEATURES = ("features.tsv.gz", "features.tsv", "genes.tsv.gz", "genes.tsv")


class Matrix(NamedTuple):
    """Counts of features in cells (or spots, or bins)."""

    counts: sparse.csr_matrix  # (cells, features) float32, sorted, without stored zeros
    barcodes: NDArray[np.object_]  # (cells,) text, as stored
    var: pd.DataFrame  # (features,) by name; "gene_ids", "feature_types" and "genome" where stated


def sources(folder: Path, stem: str) -> list[Path]:
    """List the forms in which a folder holds a matrix, the quickest to read first.

    Parameters
    ----------
    folder
        The instrument's folder.
    stem
        ``"cell_feature_matrix"`` or ``"filtered_feature_bc_matrix"``.
    """
    return existing(folder, f"{stem}.h5", f"{stem}.zarr.zip", f"{stem}.zarr", stem)


def holds_another(path: Path) -> bool:
    """Say whether an HDF5 file is sound, and holds something else than a matrix of 10x Genomics."""
    try:
        with open_checked(path) as (file, _):
            return GROUP not in file
    except InputError:
        return False


def read_first(found: Sequence[Path], findings: Findings) -> tuple[Matrix, Path]:
    """Read the first form of a matrix that is not damaged; see :func:`squint.io.forms.first_sound`."""
    return first_sound(found, read_matrix, findings)


def read_matrix(path: Path) -> Matrix:
    """Read a matrix of counts.

    Parameters
    ----------
    path
        ``*_matrix.h5``; Xenium's ``cell_feature_matrix.zarr.zip`` or ``.zarr``; or a folder with
        ``matrix.mtx``, ``barcodes.tsv`` and ``features.tsv`` or ``genes.tsv``, each gzipped or not.

    Returns
    -------
    The matrix. Its arrays agree with each other; values of genes are whole and not negative.

    Raises
    ------
    InputError
        If something is missing, damaged, too large, or contradicts the rest.
    """
    if path.is_symlink():
        raise InputError(f"{path.name} is refused: it is a link. Copy the files themselves into the folder.")
    if path.name.lower().endswith((".zarr", ".zarr.zip")):
        found = read_parts(path)
        counts = found.counts
        return gather(
            counts.shape, counts.data, counts.indices, counts.indptr, found.barcodes, found.stored, path.name
        )
    return _read_folder(path) if path.is_dir() else _read_h5(path)


def _read_h5(path: Path) -> Matrix:
    with open_checked(path) as (file, names):
        group = file.get(GROUP)
        missing = [
            name
            for name in ("barcodes", "data", "indices", "indptr", "shape", "features")
            if f"{GROUP}/{name}" not in names
        ]
        if not isinstance(group, h5py.Group) or missing:
            raise InputError(
                f"{path.name}: `{GROUP}` lacks {', '.join(missing)}. Give the matrix as 10x writes it."
            )
        with reading(file, GROUP):
            n_features, n_cells = (int(size) for size in _whole(group["shape"][...], f"{path.name}: `shape`"))
            barcodes = texts(group["barcodes"][...])
            stored = {
                key: texts(group["features"][name][...])
                for key, name in (
                    ("names", "name"),
                    ("gene_ids", "id"),
                    ("feature_types", "feature_type"),
                    ("genome", "genome"),
                )
                if name in group["features"]
            }
            indptr = _integers(group["indptr"], path.name)
            indices = _integers(group["indices"], path.name)
            values = _numbers(group["data"], path.name)
    return gather((n_cells, n_features), values, indices, indptr, barcodes, stored, path.name)


def _numbers(stored: h5py.Dataset, name: str) -> NDArray[np.float32]:
    """Read values as float32, converted while they are unpacked."""
    if stored.dtype.kind not in "buif" or stored.ndim != 1:
        raise InputError(f"{name}: `data` holds no numbers.")
    return np.asarray(stored.astype(np.float32)[...])


def _integers(stored: h5py.Dataset, name: str) -> NDArray[np.integer]:
    """Read positions in the narrowest type that holds them; R writes them as fractions."""
    if stored.dtype.kind not in "uif" or stored.ndim != 1:
        raise InputError(f"{name}: `{stored.name}` holds no positions.")
    if stored.dtype.kind == "f":
        return _whole(stored[...], f"{name}: `{stored.name}`")
    narrow = stored.name.endswith(
        "indices"
    )  # HDF5 keeps those beyond int32 at its end, where they are refused
    return np.asarray(stored.astype(np.int32)[...] if narrow else stored.astype(np.int64)[...])


def _whole(values: NDArray[Any], where: str) -> NDArray[np.int64]:
    if values.dtype.kind not in "uif" or values.ndim != 1:
        raise InputError(f"{where} holds no whole numbers.")
    if (
        values.dtype.kind == "f"
        and not (np.isfinite(values) & (np.abs(values) < 2**53) & (values % 1 == 0)).all()
    ):
        raise InputError(f"{where} holds values that are no whole numbers.")
    return values.astype(np.int64)


def texts(values: NDArray[Any]) -> NDArray[np.object_]:
    """Turn text or bytes (n,) into text."""
    if values.dtype.kind == "S" and not (np.ascontiguousarray(values).view(np.uint8) > ASCII).any():
        return values.astype(str).astype(object)
    found = [value.decode(errors="replace") if isinstance(value, bytes) else str(value) for value in values]
    return np.array(found, dtype=object)


def gather(
    shape: tuple[int, int],
    values: NDArray[np.float32],
    indices: NDArray[np.integer],
    indptr: NDArray[np.integer],
    barcodes: NDArray[np.object_],
    stored: dict[str, NDArray[np.object_]],
    name: str,
) -> Matrix:
    """Put a matrix together from the parts of a file, after they were found to agree.

    Parameters
    ----------
    shape
        Cells and features, as the file states them.
    values, indices, indptr
        Of a CSR matrix with a row for each cell.
    barcodes
        Names of the cells.
    stored
        Columns of the features: ``"names"``, ``"gene_ids"``, ``"feature_types"``, ``"genome"``.
    name
        Of the file, for messages.

    Returns
    -------
    The matrix.

    Raises
    ------
    InputError
        If parts contradict each other, or values of genes are no counts.
    """
    where = f"{name}: `{GROUP}`"
    if len(barcodes) != shape[0]:
        raise InputError(
            f"{name} states {shape[0]:,} cells, and has {len(barcodes):,} barcodes. Copy it again."
        )
    if not ({"names", "gene_ids"} & set(stored)) or any(
        len(column) != shape[1] for column in stored.values()
    ):
        sizes = ", ".join(f"{len(column):,} {key}" for key, column in stored.items())
        raise InputError(
            f"{name} states {shape[1]:,} features, and has {sizes or 'no names of them'}. Copy it again."
        )
    checks.check_pointers(indptr, shape[0], len(indices), len(values), where)
    checks.check_indices(indices, shape[1], where)
    narrow = np.int32 if max(len(values), *shape) <= np.iinfo(np.int32).max else np.int64
    counts = sparse.csr_matrix(
        (values, indices.astype(narrow, copy=False), indptr.astype(narrow, copy=False)), shape=shape
    )
    counts.sum_duplicates()
    counts.eliminate_zeros()
    names = stored["names" if "names" in stored else "gene_ids"]
    var = pd.DataFrame(
        {key: column for key, column in stored.items() if key != "names"}, index=pd.Index(names)
    )
    _check_values(counts, var, barcodes, name)
    return Matrix(counts, barcodes, var)


def _check_values(
    counts: sparse.csr_matrix, var: pd.DataFrame, barcodes: NDArray[np.object_], name: str
) -> None:
    """Refuse values of genes that are no counts; those of proteins beside them may be fractions."""
    bad = checks.bad_values(counts)
    if bad.n_values and "feature_types" in var and not (is_gene := var["feature_types"] == GENES).all():
        bad = checks.bad_values(sparse.csr_matrix(counts[:, is_gene.to_numpy()]))
    if bad.n_values:
        raise InputError(
            f"{name} holds values that are no counts ({bad.n_values:,} negative or no whole numbers), the "
            f"first in {barcodes[bad.first_cell]!r}. Give the matrix as the instrument wrote it."
        )


def _read_folder(folder: Path) -> Matrix:
    matrix, barcodes, features = (_one_of(folder, names) for names in (MATRIX, BARCODES, FEATURES))
    cells = np.array([line.split("\t")[0] for line in lines(barcodes)], dtype=object)
    rows = [line.split("\t") for line in lines(features)]
    n_columns = min((len(row) for row in rows), default=0)
    columns = {
        key: np.array([row[i] for row in rows], dtype=object)
        for i, key in enumerate(("gene_ids", "names", "feature_types"))
        if i < n_columns
    }
    name = f"{folder.name}/{matrix.name}"
    found = _read_market(matrix, name).transpose().tocsr()
    if found.shape != (len(cells), len(rows)):
        raise InputError(
            f"{name} has {found.shape[1]:,} rows and {found.shape[0]:,} columns, but {features.name} names "
            f"{len(rows):,} features and {barcodes.name} {len(cells):,} cells: they are not of one matrix."
        )
    return gather(found.shape, found.data, found.indices, found.indptr, cells, columns, name)


def _one_of(folder: Path, names: Sequence[str]) -> Path:
    if found := existing(folder, *names):
        return found[0]
    raise InputError(f"{folder.name} has no {names[0]}. Copy the folder again, whole.")


def _read_market(path: Path, name: str) -> sparse.coo_matrix:
    """Read Matrix Market, after its header was found to be of counts and of a size that memory holds."""
    from scipy.io import mmread  # noqa: PLC0415 - a rare form

    try:
        with opened(path) as stream:
            _check_body(stream, _check_header(stream, name), name)
        with opened(path) as stream:
            found = sparse.coo_matrix(mmread(stream))
    except InputError:
        raise
    except (*DAMAGED, *packed.DAMAGED) as error:
        raise damaged(name) from error
    found.data = found.data.astype(np.float32)
    return found


def _check_header(stream: IO[bytes], name: str) -> bytes:
    """Refuse a header that is not of counts, or of too many; give the letters that may follow."""
    first = stream.readline(MAX_LINE)
    if not HEADER.fullmatch(first.decode(errors="replace")):
        raise InputError(
            f"{name} is no Matrix Market of counts: its first line does not say so. Copy it again."
        )
    for _ in range(MAX_COMMENTS):
        line = stream.readline(MAX_LINE)
        if not line.startswith(b"%") and line.strip():
            break
    sizes = line.split()
    if len(sizes) != 3 or not all(re.fullmatch(rb"\d{1,18}", size) for size in sizes):
        raise damaged(name)
    n_bytes = int(sizes[2]) * BYTES_PER_VALUE + (int(sizes[0]) + int(sizes[1])) * BYTES_PER_VALUE
    if n_bytes > memory_budget():
        raise InputError(
            f"{name} declares {int(sizes[2]):,} values, more than memory holds here. Use a machine with more."
        )
    return OF_WHOLE if b"integer" in first.lower() else OF_WHOLE + OF_REAL


def _check_body(stream: IO[bytes], letters: bytes, name: str) -> None:
    """Refuse what holds other letters: scipy's reader dies over a NUL, and reads 1.5 as a whole 1."""
    while block := stream.read(BLOCK) + stream.readline(MAX_LINE):
        if block.translate(None, letters) or (letters is OF_WHOLE and FRACTION.search(block)):
            raise damaged(name)
