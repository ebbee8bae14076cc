"""An open zarr group as a container of AnnData's slots."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from squint.errors import InputError
from squint.io.findings import Findings
from squint.io.hdf5 import read_slot
from squint.io.slots import listed
from squint.io.zarr_nodes import ArrayNode

SPARSE = ("data", "indices", "indptr")
_ENCODED = "encoding-type"  # attribute in which anndata says what an array or group is


class Group:
    """An open group, whose slots are named by path, as :class:`squint.io.annotated.Slots` has them.

    Attributes
    ----------
    name
        Of the store.
    names
        Of all groups and arrays in it.
    damaged
        Summaries of the store that cannot be read, and are not needed.
    """

    def __init__(
        self,
        path: Path,
        attributes: Callable[[str], dict[str, Any]],
        top: str,
        opened: zarr.Group,
        arrays: dict[str, ArrayNode],
        groups: list[str],
        damaged: list[str],
    ) -> None:
        self.name = path.name
        self.filename = os.fspath(path)  # as h5py names it, for what reads both
        self.names = [name for name in [*groups, *arrays] if name]
        self.damaged = damaged
        self._attributes, self._top, self._opened, self._arrays = attributes, top, opened, arrays
        self._groups = set(groups)
        self._filled: dict[str, int] = {}

    def attributes(self, slot: str = "") -> dict[str, Any]:
        """Read the attributes of a slot, or of the group itself."""
        return self._attributes(self._full(slot))

    def node(self, slot: str) -> ArrayNode:
        """Give the description of an array."""
        return self._arrays[slot]

    def __contains__(self, slot: str) -> bool:
        there = slot in self._arrays or slot in self._groups
        return (
            there and self.attributes(slot).get(_ENCODED) != "null"
        )  # how anndata writes that there is none

    def __getitem__(self, slot: str) -> Any:
        for name in self._inside(slot):
            if name in self._arrays:
                self._check_stored(name, self._arrays[name])
            elif (kind := self.attributes(name).get(_ENCODED)) in {"csr_matrix", "csc_matrix"}:
                self._check_lines(name, "csr" if kind == "csr_matrix" else "csc")
        return self._opened[slot]

    def _check_lines(self, slot: str, kind: str) -> None:
        """Refuse a matrix that declares other lines than are stored, before memory is taken for them."""
        shape: Any = self.attributes(slot).get("shape")
        starts = self._arrays.get(f"{slot}/indptr")
        sound = isinstance(shape, list) and len(shape) == 2 and all(type(n) is int for n in shape)
        declared = shape[kind == "csc"] if sound else None
        if starts is None or declared is None or starts.shape != (declared + 1,):
            raise InputError(
                f"{self.name}: `{self._full(slot)}` is damaged: its shape and its `indptr` do not fit. "
                "Copy it again."
            )

    def _check_stored(self, slot: str, array: ArrayNode) -> None:
        """Refuse lost chunks that cannot be the fill value; keep of others that they were filled in."""
        missing = array.n_chunks - array.n_stored
        if missing <= 0:
            return
        group, _, part = slot.rpartition("/")
        is_sparse = part in SPARSE and self.attributes(group).get(_ENCODED) in {"csr_matrix", "csc_matrix"}
        is_index = array.is_text and part == self.attributes(group).get("_index")
        if is_sparse or is_index:
            raise InputError(
                f"{self.name} is incomplete: {missing:,} of {array.n_chunks:,} chunks of "
                f"`{self._full(slot)}` are not there. Copy it again."
            )
        self._filled[slot] = missing

    def keys(self, group: str) -> list[str]:
        """Names inside a group; none where it is missing."""
        prefix = f"{group}/" if group else ""
        inside = {name[len(prefix) :].split("/")[0] for name in self.names if name.startswith(prefix)}
        return sorted(key for key in inside if key and f"{prefix}{key}" in self)

    def read(self, slot: str) -> Any:
        """Read one slot with anndata.

        Raises
        ------
        InputError
            If it is damaged, or of a kind that anndata does not read.
        """
        if _ENCODED in self.attributes():  # written by anndata since 0.8, which says it of each
            for name in self._inside(slot):
                if _ENCODED not in self.attributes(name) and name.rpartition("/")[2] not in SPARSE:
                    raise InputError(
                        f"{self.name} is incomplete: `{self._full(name)}` does not say what it is (its "
                        ".zattrs). Copy it again."
                    )
        return read_slot(self, slot)

    def _inside(self, slot: str) -> list[str]:
        return [name for name in self.names if name == slot or name.startswith(f"{slot}/")]

    def _full(self, slot: str) -> str:
        return f"{self._top}/{slot}".strip("/")

    def is_array(self, slot: str) -> bool:
        """Say whether a slot is there, and is an array of numbers."""
        stored: Any = self._opened[slot] if slot in self._arrays else None
        return stored is not None and np.dtype(stored.dtype).kind in "buif"

    def report(self, findings: Findings) -> None:
        """Add what of the slots that were read is not stored, and is the fill value by zarr's rule."""
        if self._filled:
            n = sum(self._filled.values())
            findings.assume(
                "chunks that are not stored",
                "zarr leaves out chunks of one value only, so they were read as that value",
                listed(sorted(self._filled)),
                n,
            )
        for file in self.damaged:
            findings.leave_out(file, None, "it is damaged, and the descriptions themselves were read", file)
