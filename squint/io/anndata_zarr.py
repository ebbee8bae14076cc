"""Read AnnData that was written as a ``.zarr`` folder: what is in it, and not how it lies there, counts."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from scipy import sparse

from squint.errors import InputError
from squint.io import annotated
from squint.io.content import Asked, Content, Reader
from squint.io.counts import declared_bytes, read_counts, read_intensities
from squint.io.findings import Findings
from squint.io.mapped import Scratch

if TYPE_CHECKING:
    from squint.io.zarr_group import Group

DESCRIBED = ("zarr.json", ".zgroup", ".zattrs", ".zarray")
TABLES = ("obs", "var")


def is_described(folder: Path) -> bool:
    """Say whether zarr's description of a group or array lies in a folder."""
    with suppress(OSError):
        return any((folder / file).is_file() for file in DESCRIBED)
    return False


def reads(path: Path) -> bool:
    """Say whether a folder is a zarr group with a table of cells or genes, or was meant to be one."""
    tables = sum(is_described(path / slot) for slot in TABLES)
    return tables > 1 or (tables == 1 and (is_described(path) or is_described(path / "X")))


def read(path: Path, asked: Asked) -> Content:
    """Read counts, tables, coordinates, graphs and squint's own results.

    Parameters
    ----------
    path
        The folder.
    asked
        What the user says.

    Returns
    -------
    The content, as of an ``.h5ad`` with the same slots.

    Raises
    ------
    InputError
        If it is damaged or harmful, or a slot is missing or contradicts the others.
    """
    from squint.io.zarr_store import Store  # noqa: PLC0415 - only where there is zarr

    with Store(path).open(streamed=asked.scratch is not None) as group:
        check_tables(group)
        findings = Findings()
        content = annotated.take(Slots(group, asked.scratch), group.names, asked.answers, findings)
        group.report(findings)
        return content


def check_tables(group: "Group", where: str = "") -> None:
    """Refuse a group without tables of cells and genes.

    Parameters
    ----------
    group
        The group.
    where
        Its name in the store.

    Raises
    ------
    InputError
        With the table that is missing.
    """
    for slot in TABLES:
        if slot not in group:
            raise InputError(
                f"{group.name} is incomplete: `{f'{where}/{slot}'.strip('/')}` is missing. Copy it again, or "
                "write it again with anndata."
            )


class Slots:
    """The slots of an open group.

    Parameters
    ----------
    group
        The group.
    scratch
        Where to make files that counts lie in; None: in memory.
    intensities
        Whether fractions may be read, for viewing, where there are no counts.
    """

    def __init__(self, group: "Group", scratch: Scratch | None, *, intensities: bool = False) -> None:
        self.name = group.name
        self._group, self._scratch, self._intensities = group, scratch, intensities

    def keys(self, group: str) -> list[str]:
        """Names inside a group; none where it is missing."""
        return self._group.keys(group)

    def read(self, slot: str) -> Any:
        """Read one slot."""
        return self._group.read(slot)

    def is_array(self, slot: str) -> bool:
        """Say whether a slot is an array of numbers."""
        return self._group.is_array(slot)

    def counts(self, cells: pd.Index, n_genes: int, notes: list[str]) -> tuple[sparse.csr_matrix, str]:
        """Read raw counts."""
        try:
            return read_counts(self._group, cells, n_genes, notes, self._scratch)
        except InputError:
            values = (
                read_intensities(self._group, len(cells), n_genes, self._scratch)
                if self._intensities
                else None
            )
            if values is None:
                raise
            notes.append("Values are no whole numbers: read as intensities, for viewing only.")
            return values, "X"


def obs_columns(path: Path, group: str = "") -> list[str]:
    """List the columns of ``obs`` of a group without reading them."""
    from squint.io.zarr_store import Store  # noqa: PLC0415 - only where there is zarr

    store = Store(path)
    index = str(store.attributes(f"{group}/obs".lstrip("/")).get("_index", "_index"))
    return sorted(set(store.children(f"{group}/obs".lstrip("/"))) - {index, "__categories"})


def counts_bytes(path: Path) -> int:
    """Say how much memory the counts fill, as the folder declares; 0 if they cannot be read in parts."""
    from squint.io.zarr_store import Store  # noqa: PLC0415 - only where there is zarr

    with Store(path).open(streamed=True) as group:
        return declared_bytes(group)


READER = Reader("AnnData's .zarr", reads, read, obs_columns, counts_bytes)
