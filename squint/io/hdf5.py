"""Open an HDF5 file only after its links, storage and sizes were found harmless.

HDF5 follows links into other files, reads data from raw files that a data set names, loads plug-ins for
unknown filters and allocates whatever size is declared, and there is no switch for it. So the file's own
description is walked first: links and kinds of object without opening a data set, then each data set's
creation properties without reading from it.
"""

import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np
from anndata import OldFormatWarning
from anndata._io.specs.registry import IORegistryError  # public nowhere, and derived from Exception alone
from anndata.io import read_elem
from h5py import h5a, h5d, h5g, h5l, h5o, h5pl, h5r, h5t, h5z

from squint.errors import DAMAGED, InputError
from squint.io import unpacking

MAGIC = b"\x89HDF\r\n\x1a\n"
LZF = 32000  # part of h5py itself
FILTERS = {h5z.FILTER_DEFLATE, h5z.FILTER_SHUFFLE, h5z.FILTER_FLETCHER32, LZF}
MAX_OBJECTS = 20_000  # groups, data sets and attributes; a large h5ad has some hundreds
MAX_DEPTH = 32
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
STREAMED = {"X", "layers", "raw"}  # with a scratch folder read in chunks, or not at all

_DAMAGED = (*DAMAGED, IORegistryError)
_Kind = TypeVar("_Kind", h5py.Group, h5py.Dataset)
_IDS: dict[type, type] = {h5py.Group: h5g.GroupID, h5py.Dataset: h5d.DatasetID}


@contextmanager
def open_checked(path: Path, *, streamed: bool = False) -> Iterator[tuple[h5py.File, list[str]]]:
    """Open an HDF5 file for reading after checking it, and give it with the names of all its objects.

    The body of the ``with`` statement should only read: whatever h5py raises in it on a damaged file
    becomes an :class:`InputError`.

    Parameters
    ----------
    path
        The file.
    streamed
        Matrices are read chunk by chunk, see :func:`check`.

    Yields
    ------
    The open file and the full names of its groups and data sets, such as ``"obs/cell_type"``.

    Raises
    ------
    InputError
        If the file is missing, of another kind, damaged, or holds anything that :func:`check` refuses.
    """
    with open_unwalked(path) as file:
        yield file, check(file, path.name, streamed=streamed)


@contextmanager
def open_unwalked(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file of very many objects, each of which :func:`open_inside` checks when it is opened.

    Yields
    ------
    The file, of which nothing was checked.

    Raises
    ------
    InputError
        If it is missing, of another kind or damaged; in the block, for whatever h5py raises.
    """
    _check_kind(path)
    try:
        with _no_plugins(), h5py.File(path, "r") as file:
            yield file
    except InputError:
        raise
    except _DAMAGED as error:
        raise InputError(_explain(path.name, error)) from error


def open_inside(group: h5py.Group, child: str, kind: type[_Kind]) -> _Kind:
    """Open a group or data set right inside a group, if it is no link, and its data lie in this file.

    Raises
    ------
    InputError
        If it is missing, of another kind, a link, or stored as :func:`check` refuses.
    """
    key = child.encode()
    if not group.id.links.exists(key) or group.id.links.get_info(key).type != h5l.TYPE_HARD:
        raise _refused_inside(group, child, "is missing, or a link")
    located = h5o.open(group.id, key)
    if isinstance(located, h5d.DatasetID):
        _check_dataset(located, child, Path(group.file.filename).name)
    if not isinstance(located, _IDS[kind]):
        raise _refused_inside(group, child, "is of another kind")
    return kind(located)


def _refused_inside(group: h5py.Group, child: str, why: str) -> InputError:
    return InputError(f"{Path(group.file.filename).name} is refused: `{child}` in `{group.name}` {why}.")


def _explain(name: str, error: BaseException) -> str:
    text = str(error)
    if _is_out_of_memory(error):
        return f"{name} needs more memory to be read than may be used here. Split it into sections."
    if "truncated file" in text:
        return f"{name} is incomplete: the copy or upload broke off. Copy or upload it again."
    if "unable to lock file" in text:
        return f"{name} is being written by another program. Close it there and try again."
    again = ", or write it again with anndata" if name.endswith(".h5ad") else ""
    return f"{name} is damaged and cannot be read. Copy it again{again}."


def _is_out_of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or "memory alloc" in str(error)


def _check_kind(path: Path) -> None:
    """Refuse what is no HDF5 file, by what it is rather than by its name."""
    try:
        status = path.stat()
        start = _first_bytes(path) if stat.S_ISREG(status.st_mode) else b""
    except FileNotFoundError as error:
        raise InputError(f"{path.name} was not found. Check the path: {path}") from error
    except PermissionError as error:
        raise InputError(f"{path.name} may not be read by this user. Change its permissions.") from error
    except (OSError, ValueError) as error:  # a name that is too long, or holds a NUL
        raise InputError(f"{str(path)[:80]!r} is not a usable file name.") from error
    if stat.S_ISDIR(status.st_mode):
        raise InputError(f"{path.name} is a folder, and no HDF5 file.")
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"{path.name} is not a file. Give an .h5ad file.")
    if start != MAGIC:
        raise InputError(_explain_bytes(path.name, start))


def _explain_bytes(name: str, start: bytes) -> str:
    if not start:
        return f"{name}: the file is empty."
    kind = "an .h5ad" if name.endswith(".h5ad") else "an HDF5"  # instruments write others
    if start[:2] == b"PK" and kind == "an .h5ad":
        return f"{name} is a zip archive. Name it .zip, or unpack it and give the folder."
    return f"{name} is not {kind} file: its first bytes are not those of HDF5."


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(len(MAGIC))


@contextmanager
def _no_plugins() -> Iterator[None]:
    """Empty HDF5's plug-in path, so that no file can make it load a library."""
    folders = [h5pl.get(i) for i in range(h5pl.size())]
    for _ in folders:
        h5pl.remove(0)
    try:
        yield
    finally:
        for folder in folders:
            h5pl.append(folder)


def memory_budget() -> int:
    """Give the bytes that one file may declare: half of the machine's or container's memory."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = CGROUP_LIMIT.read_text().strip() if CGROUP_LIMIT.exists() else "max"
    return min(total, int(limit) if limit.isdigit() else total) // 2


def check(file: h5py.File, name: str, *, max_bytes: int | None = None, streamed: bool = False) -> list[str]:
    """Refuse links out of the file, foreign storage, cycles and sizes beyond the budget; reads no data.

    Parameters
    ----------
    file
        The open file.
    name
        Its name, for messages.
    max_bytes
        Bytes that all data sets together may declare; by default :func:`memory_budget`.
    streamed
        Matrices of cells by genes are read chunk by chunk, so that no more than a chunk of each counts.

    Returns
    -------
    The full names of all groups and data sets.

    Raises
    ------
    InputError
        At the first thing refused, with the name of the object.

    See Also
    --------
    squint.io.unpacking : the second budget, by what the file takes on the disk.
    """
    budget = memory_budget() if max_bytes is None else max_bytes
    n_stored = int(file.id.get_filesize())
    groups, datasets = _walk(file.id, name)
    addresses = {address for _, address in datasets}
    n_attributes = n_bytes = n_unpacked = 0
    most = min(budget, unpacking.allowed_bytes(n_stored))
    most_texts = unpacking.allow_texts(file, most, _data_bytes(file.id, datasets))
    for key, _ in [*groups, *datasets]:
        located = h5o.open(file.id, key)
        n_attributes += h5a.get_num_attrs(located)
        if n_attributes > MAX_OBJECTS:
            raise InputError(f"{name} holds more than {MAX_OBJECTS} attributes, which no section needs.")
        shown = key.decode(errors="replace")
        _check_attributes(located, shown, addresses, name, most_texts)
        if isinstance(located, h5d.DatasetID):
            in_chunks = streamed and shown.split("/")[0] in STREAMED
            n_bytes += _check_dataset(located, shown, name, in_chunks=in_chunks)
            n_unpacked += 0 if in_chunks else unpacking.weight(located, shown)
    if n_bytes > budget:
        raise InputError(
            f"{name} declares {n_bytes / 1e9:,.1f} GB of data; at most {budget / 1e9:,.1f} GB are read here. "
            "Split it into sections, or use a machine with more memory."
        )
    unpacking.refuse_weight(n_unpacked, n_stored, name)
    return [key.decode(errors="replace") for key, _ in [*groups, *datasets] if key != b"."]


_Object = tuple[bytes, int]  # full name, address in the file


def _walk(root: h5g.GroupID, name: str) -> tuple[list[_Object], list[_Object]]:
    """List groups and data sets by name and address, following hard links only and opening groups only."""
    groups: list[_Object] = [(b".", h5o.get_info(root).addr)]
    datasets: list[_Object] = []
    seen = {groups[0][1]}
    position = 0
    while position < len(groups):
        prefix = b"" if position == 0 else groups[position][0] + b"/"
        group = h5g.open(root, groups[position][0])
        position += 1
        if prefix.count(b"/") > MAX_DEPTH:
            raise InputError(f"{name} has groups nested deeper than {MAX_DEPTH}, which no section needs.")
        if len(groups) + len(datasets) + group.get_num_objs() > MAX_OBJECTS:
            raise InputError(f"{name} holds more than {MAX_OBJECTS} objects, which no section needs.")
        for child in group:
            key = prefix + child
            shown = key.decode(errors="replace")
            if group.links.get_info(child).type != h5l.TYPE_HARD:
                raise InputError(f"{name} is refused: `{shown}` is a link, possibly to another file.")
            info = h5o.get_info(group, child)
            if info.type == h5o.TYPE_DATASET:
                datasets.append((key, info.addr))
            elif info.type == h5o.TYPE_GROUP and info.addr not in seen:
                seen.add(info.addr)
                groups.append((key, info.addr))
            else:
                raise InputError(
                    f"{name} is refused: `{shown}` is a second link to a group, or no data at all."
                )
    return groups, datasets


def _data_bytes(root: h5g.GroupID, datasets: list[_Object]) -> int:
    """Add up what the data sets take in the file; no text of variable length lies there."""
    names = {address: key for key, address in datasets}
    return sum(int(h5o.open(root, key).get_storage_size()) for key in names.values())


def _check_attributes(
    located: h5g.GroupID | h5d.DatasetID, key: str, addresses: set[int], name: str, most_texts: int
) -> None:
    """Refuse more texts than fit, were each as long as it can be, and references out of the tables.

    anndata 0.7 wrote the categories of a column as a reference to a data set.
    """
    for i in range(h5a.get_num_attrs(located)):
        attribute = h5a.open(located, index=i)
        n_values = attribute.get_space().get_simple_extent_npoints()
        if n_values > most_texts and unpacking.has_references(attribute.get_type()):
            raise InputError(f"{name} is refused: an attribute of `{key}` holds too many texts.")
        if not attribute.get_type().detect_class(h5t.REFERENCE):
            continue
        value = np.empty((), dtype=h5py.ref_dtype)
        if attribute.shape == () and attribute.dtype == h5py.ref_dtype:
            attribute.read(value)
        target = h5r.dereference(value[()], located) if value[()] else None
        if target is None or h5o.get_info(target).addr not in addresses:
            raise InputError(
                f"{name} is refused: an attribute of `{key}` refers to something that is none of its tables."
            )


def _check_dataset(dataset: h5d.DatasetID, key: str, name: str, *, in_chunks: bool = False) -> int:
    """Give the bytes that a data set takes in memory, after refusing foreign storage and unknown filters."""
    plist = dataset.get_create_plist()
    if plist.get_layout() == h5d.VIRTUAL or plist.get_external_count():
        raise InputError(f"{name} is refused: the data of `{key}` lie in another file.")
    unknown = {plist.get_filter(i)[0] for i in range(plist.get_nfilters())} - FILTERS
    if unknown:
        raise InputError(
            f"{name} is refused: `{key}` is compressed with filter {min(unknown)}, which is no part of HDF5. "
            'Write it again with compression="gzip".'
        )
    kind = dataset.get_type()
    if kind.detect_class(h5t.REFERENCE):
        raise InputError(f"{name} is refused: `{key}` holds references instead of data.")
    whole = not in_chunks or key.endswith("/indptr")
    least = unpacking.TEXT_BYTES if unpacking.is_text(kind) else 0
    return unpacking.n_declared(dataset, whole=whole) * max(int(kind.get_size()), least)


@contextmanager
def reading(file: Any, slot: str) -> Iterator[None]:
    """Say of whatever h5py, zarr and anndata raise inside that the slot is damaged, or not read here.

    Raises
    ------
    InputError
        In place of their errors.
    """
    try:
        yield
    except InputError:
        raise
    except _DAMAGED as error:
        name = Path(file.filename).name
        if isinstance(error, IORegistryError):
            raise InputError(
                f"{name}: `{slot}` is of a kind that squint does not read. Write it as anndata does."
            ) from error
        if _is_out_of_memory(error):
            raise InputError(_explain(name, error)) from error
        raise InputError(f"{name}: `{slot}` is damaged. Copy the file again, or write it again.") from error


def read_slot(file: Any, slot: str) -> Any:
    """Read one slot, such as ``"obs"``, with anndata.

    Raises
    ------
    InputError
        If the slot is damaged, of a kind that anndata cannot read here, or fills the memory.
    """
    with reading(file, slot), warnings.catch_warnings():
        if isinstance(file, h5py.File):  # a store of zarr is weighed when it is opened
            unpacking.count_texts(file, slot, Path(file.filename).name)
        # Files of anndata 0.7 are read well; codes outside their categories are refused as damage.
        warnings.simplefilter("ignore", OldFormatWarning)
        return read_elem(file[slot])
