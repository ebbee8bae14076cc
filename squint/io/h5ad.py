"""Take from a checked ``.h5ad`` file what squint uses, and refuse what contradicts itself."""

from pathlib import Path
from typing import Any

import h5py
import pandas as pd
from scipy import sparse

from squint.errors import InputError
from squint.io import annotated
from squint.io.content import Asked, Content, Reader
from squint.io.counts import declared_bytes, read_counts
from squint.io.findings import Findings
from squint.io.hdf5 import open_checked, read_slot
from squint.io.mapped import Scratch


def reads(path: Path) -> bool:
    """Say whether a file is called ``.h5ad``; what it is then is checked on reading."""
    return path.suffix.lower() == ".h5ad" and path.is_file()


def read(path: Path, asked: Asked) -> Content:
    """Read counts, tables, coordinates, graphs and squint's own results.

    Parameters
    ----------
    path
        The file; it is opened once its links, storage and sizes were found harmless.
    asked
        What the user says.

    Returns
    -------
    The content, each slot consistent with the others.

    Raises
    ------
    InputError
        If the file cannot be opened, or a slot is missing, damaged or contradicts the others.
    """
    with open_checked(path, streamed=asked.scratch is not None) as (file, names):
        for slot in ("obs", "var"):
            _check_table(file, slot)
        return annotated.take(_File(file, asked.scratch), names, asked.answers, Findings())


class _File:
    """The slots of an open file."""

    def __init__(self, file: h5py.File, scratch: Scratch | None) -> None:
        self._file = file
        self._scratch = scratch
        self.name = Path(file.filename).name

    def keys(self, group: str) -> list[str]:
        inside = self._file.get(group) if group else self._file
        return list(inside) if isinstance(inside, h5py.Group) else []

    def read(self, slot: str) -> Any:
        return read_slot(self._file, slot)

    def is_array(self, slot: str) -> bool:
        stored = self._file.get(slot)
        return isinstance(stored, h5py.Dataset) and stored.dtype.kind in "buif"

    def counts(self, cells: pd.Index, n_genes: int, notes: list[str]) -> tuple[sparse.csr_matrix, str]:
        return read_counts(self._file, cells, n_genes, notes, self._scratch)


def obs_columns(path: Path) -> list[str]:
    """List the columns of ``obs`` without reading them; see :func:`squint.io.sections.obs_columns`."""
    with open_checked(path) as (file, names):
        inside = {name.split("/")[1] for name in names if name.startswith("obs/")}
        index = str(file["obs"].attrs.get("_index", "_index")) if "obs" in file else ""
    return sorted(inside - {index, "__categories"})  # anndata 0.7 kept categories beside the columns


def counts_bytes(path: Path) -> int:
    """Say how much memory the counts fill, as the file declares; 0 if they cannot be read in parts."""
    with open_checked(path, streamed=True) as (file, _):
        return declared_bytes(file)


def _check_table(file: h5py.File, slot: str) -> None:
    name = Path(file.filename).name
    if slot not in file:
        raise InputError(f"{name} has no `{slot}`: it was not written by anndata. Convert it to .h5ad.")
    if not isinstance(file[slot], h5py.Group):
        raise InputError(
            f"{name} was written by anndata before 0.7. Open it with anndata and write it again."
        )


READER = Reader("AnnData's .h5ad", reads, read, obs_columns, counts_bytes)
