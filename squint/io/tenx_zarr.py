"""The matrix that Xenium Explorer reads, ``cell_feature_matrix.zarr.zip``: checked entry by entry, then read.

Its rows are features, its barcodes pairs of numbers, and beside the features lie sums of them.
"""

import json
import math
import os
import re
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from squint.errors import DAMAGED, InputError
from squint.io import checks
from squint.io.hdf5 import memory_budget

GROUP = "cell_features"
AGGREGATE = "aggregate"  # types of rows that sum others, for display
TYPES = {"gene": "Gene Expression", "protein": "Protein Expression"}
MAX_FILES = 200_000
MAX_JSON = 64 * 2**20
_COMPRESSORS = {"blosc", "gzip", "zlib", "zstd", "lz4"}
_CODECS = {"bytes", "blosc", "gzip", "zstd", "crc32c"}
_DTYPES = re.compile(r"[<>|]?[uif][1248]|u?int(8|16|32|64)|float(32|64)")
_ODD = re.compile(r"[\x00-\x1f\\:]|(^|/)\.\.?(/|$)|^/|//")
BLOSC = struct.Struct("<4xI4xI")  # bytes unpacked and packed, in the header of a part
_SLACK = 2**20  # bytes that a compressed chunk may be longer than its values


class Parts(NamedTuple):
    """What the store holds, with a row for each cell."""

    counts: sparse.csr_matrix  # (cells, features) float32
    barcodes: NDArray[np.object_]  # (cells,) text
    stored: dict[str, NDArray[np.object_]]  # columns of the features: "names", "gene_ids", "feature_types"


class _Store(NamedTuple):
    """Names and sizes of the files of a store, and how to read a small one."""

    path: Path
    prefix: str  # of the group of counts
    sizes: Mapping[str, int]
    content: Callable[[str, int], bytes]  # of a file, so many bytes

    def json(self, name: str) -> dict[str, Any]:
        if self.sizes.get(name, MAX_JSON + 1) > MAX_JSON:
            return {}
        found = json.loads(self.content(name, MAX_JSON))
        return found if isinstance(found, dict) else {}


def read_parts(path: Path) -> Parts:
    """Read the store, folder or zip, of either version of zarr.

    Parameters
    ----------
    path
        ``cell_feature_matrix.zarr.zip`` or ``.zarr``.

    Returns
    -------
    Counts, names of cells, and features without those that sum others.

    Raises
    ------
    InputError
        If it is damaged, too large, or holds anything but compressed numbers.
    """
    try:
        with _opened(path) as store:
            about = _attributes(store)
            arrays = {name: _read(store, name) for name in ("data", "indices", "indptr", "cell_id")}
            n_features, n_cells = int(about["number_features"]), int(about["number_cells"])
            keys = {"names": "feature_keys", "gene_ids": "feature_ids", "feature_types": "feature_types"}
            stored = {ours: np.array(list(map(str, about[key])), dtype=object) for ours, key in keys.items()}
            barcodes = _texts(arrays["cell_id"])
    except InputError:
        raise
    except (*DAMAGED, zipfile.BadZipFile, EOFError, RecursionError) as error:
        raise InputError(f"{path.name} is damaged or incomplete. Copy it again.") from error
    if any(len(column) != n_features for column in stored.values()) or len(barcodes) != n_cells:
        raise InputError(
            f"{path.name} states {n_features:,} features and {n_cells:,} cells, but names "
            f"{len(stored['names']):,} and {len(barcodes):,}. Copy it again."
        )
    counts = _by_cell(arrays, n_cells, n_features, path.name)
    kept = np.array([not kind.startswith(AGGREGATE) for kind in stored["feature_types"]], bool)
    kinds = [TYPES.get(kind, kind.replace("_", " ").title()) for kind in stored["feature_types"]]
    stored["feature_types"] = np.array(kinds, dtype=object)
    if not kept.all():
        counts, stored = counts[:, kept], {key: column[kept] for key, column in stored.items()}
    return Parts(counts, barcodes, stored)


def _by_cell(
    arrays: Mapping[str, NDArray[Any]], n_cells: int, n_features: int, name: str
) -> sparse.csr_matrix:
    """Give a row to each cell; the store has one for each feature."""
    data, indices, indptr = (
        arrays["data"].astype(np.float32),
        arrays["indices"],
        arrays["indptr"].astype(np.int64),
    )
    checks.check_pointers(indptr, n_features, len(indices), len(data), f"{name}: `{GROUP}`")
    checks.check_indices(indices, n_cells, f"{name}: `{GROUP}`")
    narrow = np.int32 if max(len(data), n_cells) <= np.iinfo(np.int32).max else np.int64
    by_feature = sparse.csr_matrix(
        (data, indices.astype(narrow), indptr.astype(narrow)), shape=(n_features, n_cells)
    )
    return by_feature.T.tocsr()


def _texts(cell_id: NDArray[Any]) -> NDArray[np.object_]:
    """Write numbers of cells as the instrument does: eight letters for the digits, and a number."""
    if cell_id.ndim == 1 or cell_id.shape[1] == 1:  # before Xenium 1.1
        return np.array([str(number) for number in cell_id.ravel().tolist()], dtype=object)
    numbers, data_set = cell_id[:, 0].astype(np.uint32), cell_id[:, 1]
    digits = (numbers[:, None] >> np.arange(28, -1, -4, dtype=np.uint32)) & 15
    letters = np.ascontiguousarray(digits.astype(np.uint8) + ord("a")).view("S8").ravel().astype(str)
    return np.array(
        [f"{a}-{b}" for a, b in zip(letters.tolist(), data_set.tolist(), strict=True)], dtype=object
    )


def _attributes(store: _Store) -> dict[str, Any]:
    third = store.json(f"{store.prefix}/zarr.json").get("attributes")
    return third if isinstance(third, dict) else store.json(f"{store.prefix}/.zattrs")


def _read(store: _Store, name: str) -> NDArray[Any]:
    """Read one array, after its own description was found harmless."""
    import zarr  # noqa: PLC0415 - takes half a second to import
    from zarr.storage import LocalStore, ZipStore  # noqa: PLC0415

    key = f"{store.prefix}/{name}"
    third, second = store.json(f"{key}/zarr.json"), store.json(f"{key}/.zarray")
    about = third or second
    if third:
        chunks = third["chunk_grid"]["configuration"]["chunk_shape"]
        dtype, kinds = third["data_type"], {codec["name"] for codec in third["codecs"]}
        harmless = kinds <= _CODECS and not third.get("storage_transformers")
    else:
        chunks, dtype = second["chunks"], second["dtype"]
        compressor = second.get("compressor")
        harmless = not second.get("filters") and (compressor is None or compressor["id"] in _COMPRESSORS)
        kinds = {compressor["id"]} if compressor else set()
    if not harmless or not isinstance(dtype, str) or not _DTYPES.fullmatch(dtype):
        raise InputError(f"{store.path.name} is refused: {name} holds more than compressed numbers.")
    _check_chunks(store, key, about["shape"], chunks, blosc="blosc" in kinds)
    zipped = store.path.is_file()
    opened = ZipStore(store.path, mode="r") if zipped else LocalStore(store.path, read_only=True)
    try:
        array: Any = zarr.open_array(store=opened, path=key, mode="r", zarr_format=3 if third else 2)
        return np.asarray(array[...])
    finally:
        opened.close()


def _check_chunks(store: _Store, key: str, shape: list[int], chunks: list[int], *, blosc: bool) -> None:
    """Refuse sizes beyond memory, and chunks that are missing or cut: zarr makes zeros of them, or worse."""
    name = store.path.name
    n_bytes = math.prod(chunks) * 8
    parts = {file: size for file, size in store.sizes.items() if file.startswith(f"{key}/")}
    for file in (".zarray", ".zattrs", "zarr.json"):
        parts.pop(f"{key}/{file}", None)
    if (
        max(math.prod(shape) * 8, n_bytes) > memory_budget()
        or max(parts.values(), default=0) > 2 * n_bytes + _SLACK
    ):
        raise InputError(f"{name} is refused: {key} is larger than memory, or than it declares.")
    wanted = math.prod(-(-size // chunk) for size, chunk in zip(shape, chunks, strict=True))
    cut = blosc and any(_is_cut(store.content(file, BLOSC.size), size) for file, size in parts.items())
    if len(parts) != wanted or cut:
        raise InputError(
            f"{name} is incomplete: {len(parts):,} of {wanted:,} parts of {key} are there, or one is cut."
        )


def _is_cut(header: bytes, size: int) -> bool:
    """Say whether a part packed with Blosc is shorter than it states; Blosc itself reads beyond."""
    return len(header) < BLOSC.size or BLOSC.unpack(header)[1] > size


@contextmanager
def _opened(path: Path) -> Iterator[_Store]:
    if path.is_dir():
        sizes = dict(_below(path))
        yield _Store(path, _prefix(sizes, path.name), sizes, lambda name, n: _start(path / name, n))
        return
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        if len(entries) > MAX_FILES:
            raise InputError(f"{path.name} holds more than {MAX_FILES:,} files.")
        for entry in entries:
            unusual = entry.flag_bits & 1 or entry.compress_type not in {
                zipfile.ZIP_STORED,
                zipfile.ZIP_DEFLATED,
            }
            if unusual or _ODD.search(entry.orig_filename):
                raise InputError(f"{path.name} is refused: an entry is encrypted, or has a harmful name.")
        sizes = {entry.filename: entry.file_size for entry in entries if not entry.is_dir()}
        yield _Store(path, _prefix(sizes, path.name), sizes, lambda name, n: archive.open(name).read(n))


def _start(path: Path, n: int) -> bytes:
    with path.open("rb") as file:
        return file.read(n)


def _below(path: Path) -> Iterator[tuple[str, int]]:
    """List the files of a folder; links are refused."""
    n_files = 0
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            inside = Path(folder) / name
            if inside.is_symlink():
                raise InputError(f"{path.name} is refused: {name!r} is a link.")
        for name in files:
            n_files += 1
            if n_files > MAX_FILES:
                raise InputError(f"{path.name} holds more than {MAX_FILES:,} files.")
            inside = Path(folder) / name
            yield inside.relative_to(path).as_posix(), inside.stat().st_size


def _prefix(sizes: Mapping[str, int], name: str) -> str:
    """Find the group of counts: at the root, or in the one folder that was zipped."""
    ends = tuple(f"{GROUP}/{file}" for file in (".zattrs", "zarr.json"))
    found = sorted((file for file in sizes if file.endswith(ends) and file.count("/") <= 2), key=len)
    if not found:
        raise InputError(f"{name} holds no {GROUP}: it is no matrix of Xenium. Copy it again.")
    return found[0].rpartition("/")[0]
