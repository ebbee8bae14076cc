"""Open a zarr folder, of version 2 or 3, only after its entries and descriptions were found harmless."""

import json
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import zarr
from anndata import OldFormatWarning
from zarr.abc.store import ByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.errors import ZarrUserWarning
from zarr.storage import LocalStore

from squint.errors import DAMAGED, InputError
from squint.io import folders
from squint.io.hdf5 import MAX_DEPTH, MAX_OBJECTS, STREAMED, memory_budget
from squint.io.zarr_chunks import check_chunk, chunks_of
from squint.io.zarr_group import Group
from squint.io.zarr_nodes import DESCRIPTIONS, ArrayNode, array_node, read_json

SUMMARIES = (".zmetadata", "zmetadata")  # of all descriptions, in version 2; SpatialData's has no dot
_CHUNK = re.compile(r"c?[\d.]*")  # the last part of its name: "0", "0.1", "c" of a single value


class Store:
    """A zarr folder whose entries are all plain files and folders.

    Parameters
    ----------
    path
        The folder.

    Raises
    ------
    InputError
        If it holds a link, or anything else that :func:`squint.io.folders.check` refuses.
    """

    def __init__(self, path: Path) -> None:
        folders.check(path)
        self.path = path
        self.name = path.name

    def children(self, group: str) -> list[str]:
        """Give the names of the folders in a folder, by name; none where it is missing."""
        folder = self.path / group
        if not folder.is_dir():
            return []
        return sorted(e.name for e in os.scandir(folder) if e.is_dir() and not e.name.startswith("."))

    def is_node(self, node: str) -> bool:
        """Say whether there is a group or array of this name, by its description."""
        return any((self.path / node / file).is_file() for file in (*DESCRIPTIONS, ".zattrs"))

    def attributes(self, node: str) -> dict[str, Any]:
        """Read the attributes of a group or array; empty where there are none.

        Raises
        ------
        InputError
            If they are damaged.
        """
        for file in ("zarr.json", ".zattrs"):
            path = self.path / node / file
            if path.is_file():
                found = read_json(path, self._where(f"{node}/{file}".lstrip("/")))
                found = found.get("attributes", {}) if file == "zarr.json" else found
                return found if isinstance(found, dict) else {}
        return {}

    @contextmanager
    def open(self, group: str = "", *, streamed: bool = False) -> Iterator[Group]:
        """Open a group after checking all of it, and nothing else of the store.

        Parameters
        ----------
        group
            Its name in the store, such as ``"tables/table"``; the store itself by default.
        streamed
            Matrices of cells by genes are read in parts, so that they do not count.

        Yields
        ------
        The group. The body of the ``with`` statement should only read: whatever zarr raises on damage becomes
        an :class:`InputError`.

        Raises
        ------
        InputError
            If it is missing or damaged, declares more than the memory holds, or anything that is not read.
        """
        version, arrays, groups = self._walk(group)
        inside = {_below(group, node): about for node, about in arrays.items()}
        n_bytes = sum(
            node.n_bytes for slot, node in inside.items() if not (streamed and slot.split("/")[0] in STREAMED)
        )
        largest = max((node.chunk_values * node.value_bytes for node in inside.values()), default=0)
        if max(n_bytes, largest) > (budget := memory_budget()):
            raise InputError(
                f"{self.name} declares {max(n_bytes, largest) / 1e9:,.1f} GB of data; at most "
                f"{budget / 1e9:,.1f} GB are read here. Split it into sections, or use a machine with more "
                "memory."
            )
        damaged = self._check_summaries(group, {*arrays, *groups})
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ZarrUserWarning)  # of files in the store that are not zarr's
                warnings.simplefilter("ignore", OldFormatWarning)
                store = _Counting(self.path, arrays, self.name)
                opened = zarr.open_group(
                    store, mode="r", path=group or None, zarr_format=version, use_consolidated=False
                )
                yield Group(
                    self.path,
                    self.attributes,
                    group,
                    opened,
                    inside,
                    [_below(group, node) for node in groups],
                    damaged,
                )
        except InputError:
            raise
        except DAMAGED as error:
            what = f"`{group}` of {self.name}" if group else self.name
            raise InputError(f"{what} is damaged and cannot be read. Copy it again.") from error

    def _where(self, node: str) -> str:
        return f"{self.name}: `{node or '.'}`"

    def _walk(self, top: str) -> tuple[Any, dict[str, ArrayNode], list[str]]:
        """Read all descriptions below a group, which are of one version of zarr."""
        arrays: dict[str, ArrayNode] = {}
        groups: list[str] = []
        versions: set[int] = set()
        waiting = [top]
        while waiting:
            node = waiting.pop()
            version, about = self._describe(node)
            versions.add(version)
            if len(versions) > 1:
                raise InputError(f"{self.name} is refused: `{top or '.'}` mixes two versions of zarr.")
            if len(arrays) + len(groups) > MAX_OBJECTS or node.count("/") > MAX_DEPTH:
                raise InputError(f"{self.name} holds more groups and arrays than any section needs.")
            if about is not None:
                n_stored = sum(1 for _ in _chunks(self.path / node))
                arrays[node] = array_node(about, version, n_stored, self._where(node))
            else:
                groups.append(node)
                waiting += [f"{node}/{child}".lstrip("/") for child in self.children(node)]
        return versions.pop(), arrays, groups

    def _describe(self, node: str) -> tuple[int, dict[str, Any] | None]:
        """Give the version of zarr, and the description if it is one of an array."""
        for file in DESCRIPTIONS:
            path = self.path / node / file
            if not path.is_file():
                continue
            about = read_json(path, self._where(f"{node}/{file}".lstrip("/")))
            third = file == "zarr.json"
            if about.get("zarr_format") != (3 if third else 2):
                raise InputError(
                    f"{self._where(f'{node}/{file}'.lstrip('/'))} is of an unknown version of zarr."
                )
            is_array = about.get("node_type") == "array" if third else file == ".zarray"
            return (3 if third else 2), (about if is_array else None)
        raise InputError(
            f"{self.name} is incomplete: `{node or '.'}` has no .zgroup, .zarray or zarr.json. Copy it again."
        )

    def _check_summaries(self, top: str, nodes: set[str]) -> list[str]:
        """Refuse a store whose summary of all descriptions says something else of a group than the disk.

        The summaries are used for nothing else; gives the names of those that are damaged.
        """
        said, damaged = self._summaries(top)
        for file, one in said.items():
            node, _, kind = file.rpartition("/")
            if kind not in {*DESCRIPTIONS, ".zattrs"} or not f"{node}/".startswith(f"{top}/" if top else ""):
                continue
            if node not in nodes or not (self.path / file).is_file():
                raise InputError(
                    f"{self.name} is incomplete: its summary lists `{file}`, which is not there."
                )
            own = read_json(self.path / file, self._where(file))
            shared = (one.keys() if isinstance(one, dict) else set()) & own.keys() - {"consolidated_metadata"}
            if any(not _same(one[key], own[key]) for key in shared):
                raise InputError(
                    f"{self.name} is refused: its consolidated metadata disagrees with `{file}`."
                )
        return damaged

    def _summaries(self, top: str) -> tuple[dict[str, Any], list[str]]:
        """Give what summaries say, by file, and the names of the damaged ones."""
        said: dict[str, Any] = {}
        damaged = []
        for file in (*SUMMARIES, *(f"{group}/zarr.json".lstrip("/") for group in _above(top))):
            if not (self.path / file).is_file():
                continue
            try:
                about = read_json(self.path / file, file)
                if file.endswith("zarr.json"):
                    prefix = file.removesuffix("zarr.json")
                    of_nodes = (about.get("consolidated_metadata") or {}).get("metadata") or {}
                    said |= {f"{prefix}{node}/zarr.json": one for node, one in of_nodes.items()}
                else:
                    said |= about["metadata"]
            except (InputError, AttributeError, TypeError, KeyError):
                damaged.append(file)
        return said, damaged


def _same(one: Any, other: Any) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)  # NaN is NaN


def _chunks(array: Path) -> Iterator[str]:
    """Name the files of an array's chunks."""
    for _, _, files in os.walk(array):
        yield from (file for file in files if _CHUNK.fullmatch(file))


def _above(group: str) -> list[str]:
    parts = group.split("/") if group else []
    return ["/".join(parts[:n]) for n in range(len(parts) + 1)]


def _below(top: str, node: str) -> str:
    return node.removeprefix(top).lstrip("/")


class _Counting(LocalStore):
    """A store that counts what a chunk unpacks to before it hands it out."""

    def __init__(self, path: Path, arrays: dict[str, ArrayNode], name: str) -> None:
        super().__init__(path, read_only=True)
        self._arrays = arrays
        self._name = name
        self._text = 0

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        value = await super().get(key, prototype, byte_range)
        if value is None or key.endswith((*DESCRIPTIONS, ".zattrs")):
            return value
        node = key
        while node and node not in self._arrays:
            node = node.rpartition("/")[0]
        if node in self._arrays:
            self._check(value.to_bytes(), self._arrays[node], byte_range, f"{self._name}: `{node}`")
        return value

    def _check(self, stored: bytes, node: ArrayNode, part: ByteRequest | None, where: str) -> None:
        """Check a chunk, the chunks of a shard, or one of them; what is asked of a shard may be its index."""
        if node.inner is None:
            chunks = [stored]
        elif part is None:
            chunks = list(chunks_of(stored, node, where))
        elif isinstance(part, SuffixByteRequest) or part == RangeByteRequest(0, node.index_bytes):
            return
        else:
            chunks = [stored]
        for chunk in chunks:
            n_bytes = check_chunk(chunk, node.inner or node, where)
            if node.is_text:  # of numbers the size is declared, and was counted before
                self._text += n_bytes
        if self._text > memory_budget():
            raise InputError(f"{self._name} is refused: it holds more text than the memory.")
