"""How much a file may unpack to, beside what it takes on the disk.

Compression and repetition make a small file large in memory: deflate up to 1,032 times, and a text that is
stored once can stand in a million cells. What is declared is weighed before anything is unpacked; what cannot
be known beforehand (texts, and how much of a dense matrix is not zero) is counted while it is.

Sections that are no attack, 36 real and simulated ones, take 2 to 10 times their file in memory, as it is
weighed here; sparse counts compress 3 to 5 times, columns of equal labels far more, but are few beside the
counts. ``RATIO`` leaves a tenfold margin above the largest, and below ``FLOOR`` no ratio counts at all: so
much is there on every machine that can hold a model, and no small file is refused for being regular.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import h5py
import numpy as np
from h5py import h5d, h5t

from squint.errors import InputError

FLOOR = 500_000_000  # bytes
RATIO = 100  # bytes in memory for each byte of the file
TEXT_BYTES = 64  # of a text in memory; labels and names of cells and genes become texts, whatever they were
NUMBER_BYTES = 8  # of a stored value while it is checked, however few bytes the file gives it
ZEROS = 4  # dropped once they are unpacked; that takes time: as many bytes of them weigh one
MATRICES = {"X", "layers", "raw"}
TABLES = {"obs", "var"}


def allowed_bytes(n_stored: int) -> int:
    """Give the bytes that a file of ``n_stored`` bytes may take in memory."""
    return max(FLOOR, RATIO * n_stored)


def weight(dataset: h5d.DatasetID, key: str) -> int:
    """Give the bytes that a data set will take in memory, by what it declares.

    Of a dense matrix it is as if it were all zeros: what is not is counted once it is unpacked.
    """
    top = key.split("/", maxsplit=1)[0]
    n_values = n_declared(dataset)
    size = int(dataset.get_type().get_size())
    if top in MATRICES and dataset.rank == 2:
        return weight_of_dense(n_values * size, 0)
    least = NUMBER_BYTES
    if top in TABLES or is_text(dataset.get_type()):
        least = TEXT_BYTES
    elif top == "uns":  # most of it is not read
        least = 1
    return n_values * max(size, least)


def is_text(kind: h5t.TypeID) -> bool:
    """Say whether values of a type become texts, or lists."""
    return kind.get_class() in {h5t.VLEN, h5t.STRING}


def has_references(kind: h5t.TypeID) -> bool:
    """Say whether a value holds a reference to a text or list of variable length, which lies elsewhere."""
    if isinstance(kind, h5t.TypeStringID):
        return bool(kind.is_variable_str())
    return bool(kind.detect_class(h5t.VLEN) or kind.detect_class(h5t.STRING))  # of texts within records, any


def n_declared(dataset: h5d.DatasetID, *, whole: bool = True) -> int:
    """Count the values of a data set, or those of one of its chunks if they are more, or alone if not whole.

    A chunk is unpacked whole, however little of it is asked for.
    """
    n_values = int(dataset.get_space().get_simple_extent_npoints()) if whole else 0
    plist = dataset.get_create_plist()
    if plist.get_layout() != h5d.CHUNKED:
        return n_values
    return max(n_values, int(np.prod(plist.get_chunk(), dtype=object)))


def weight_of_dense(n_unpacked: int, n_stored_values: int) -> int:
    """Give the bytes that as much of a dense matrix takes, of which so many values are not zero."""
    return n_unpacked // ZEROS + n_stored_values * NUMBER_BYTES


def refuse_weight(n_bytes: int, n_stored: int, name: str) -> None:
    """Refuse what would take too much memory for the size of its file.

    Raises
    ------
    InputError
        If ``n_bytes`` are more than a file of ``n_stored`` bytes may take.
    """
    if n_bytes > allowed_bytes(n_stored):
        raise InputError(
            f"{name} is refused: its {n_stored / 1e6:,.1f} MB unpack to {n_bytes / 1e9:,.1f} GB or more, far "
            "beyond what a section does. Write it again with anndata."
        )


@dataclass
class _Texts:
    """What the texts of an open file may take, all of them together."""

    most: int  # bytes
    longest: int  # bytes that one of them can have
    counted: int = 0  # bytes, of those that were read
    feared: int = 0  # bytes, of those too few to be worth it, were each as long as it can be


_texts: "WeakKeyDictionary[h5py.File, _Texts]" = WeakKeyDictionary()


def allow_texts(file: h5py.File, n_bytes: int, n_in_datasets: int) -> int:
    """Say how much the texts of a file may take while it is open.

    Parameters
    ----------
    file
        The open file.
    n_bytes
        How many bytes.
    n_in_datasets
        Bytes of the file that its data sets take themselves: no text of variable length lies there.

    Returns
    -------
    How many texts fit, were each as long as the rest of the file.
    """
    n_stored = int(file.id.get_filesize())
    longest = n_stored - n_in_datasets if n_in_datasets < n_stored else n_stored
    _texts[file] = _Texts(n_bytes, longest)
    return max(1, n_bytes // longest)


def count_texts(file: h5py.File, slot: str, name: str) -> None:
    """Count the bytes of all texts of variable length in a slot, before they are read together.

    A file holds for each a reference, and many can lead to one text. So they are read and dropped, so few at
    a time that they fit, were each as long as it can be.

    Raises
    ------
    InputError
        If the texts of the file take more than they may.
    """
    texts = _texts[file]
    for dataset in _of_variable_length(file[slot]):
        worst = dataset.size * texts.longest
        if texts.feared + worst <= texts.most:
            texts.feared += worst
            continue
        where = f"`{dataset.name.lstrip('/')}`"
        if dataset.ndim > 1:
            raise InputError(f"{name} is refused: {where} is a table of long texts.")
        for part in _parts(dataset, max(1, texts.most // 4 // texts.longest)):
            texts.counted += _n_bytes(part)
            if texts.counted > texts.most:
                raise InputError(
                    f"{name} is refused: the texts of {where} repeat so often that they would fill the "
                    "memory. Store them as categories."
                )


def _parts(dataset: h5py.Dataset, step: int) -> Iterator[Any]:
    if dataset.ndim == 0:
        yield np.array([dataset[()]], dtype=dataset.dtype)
        return
    for start in range(0, len(dataset), step):
        yield dataset[start : start + step]


def _of_variable_length(found: Any) -> Iterator[h5py.Dataset]:
    """Give data sets by every name that they have, for each name is read."""
    if isinstance(found, h5py.Dataset):
        if found.shape is not None and found.dtype.hasobject:
            yield found
    else:
        for child in found.values():
            yield from _of_variable_length(child)


def _n_bytes(values: Any) -> int:
    """Count what texts, or lists of numbers, take in memory."""
    if values.dtype.names:
        return sum(_n_bytes(values[name]) for name in values.dtype.names)
    if not values.dtype.hasobject:
        return int(values.nbytes)
    return sum(TEXT_BYTES + (v.nbytes if isinstance(v, np.ndarray) else len(v)) for v in values.ravel())
