"""What a zarr array says of itself, read here and held against what is harmless before zarr opens it.

zarr allocates whatever a description of 300 bytes declares, and unpickles where it is told to.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from squint.errors import InputError

MAX_JSON = 64 * 2**20  # of a summary of all descriptions; one alone has some hundred bytes
STRING_BYTES = 64  # a text in memory, of which only the number is declared
LONG_TEXT = 1_000  # bytes of a text, at most on average over a chunk
SLACK = 2**16  # bytes that packing may add to a chunk
MAX_SIZE = 2**48
COMPRESSORS = {"blosc", "zstd", "gzip", "zlib", "lz4"}
DESCRIPTIONS = ("zarr.json", ".zarray", ".zgroup")
CRC_BYTES = 4
INDEX_BYTES = 16  # for each chunk of a shard, where it begins and how long it is

_NUMBER = re.compile(r"[<>|](?:b(1)|[iuf]([1248]))")
_TEXT = re.compile(r"[<>|]([SU])(\d{1,6})")
_THIRD = {"bool": 1, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "float16": 2, "int32": 4, "uint32": 4,
          "float32": 4, "int64": 8, "uint64": 8, "float64": 8}  # fmt: skip
_TEXTS = {"string", "variable_length_utf8"}


@dataclass(frozen=True)
class ArrayNode:
    """An array, as it is described."""

    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    value_bytes: int  # of one value; of text, what is taken for one
    is_text: bool  # of any length
    compressor: str  # of :data:`COMPRESSORS`; empty where there is none
    n_after: int  # bytes of checksums after the packed values
    n_stored: int  # chunks that are there; the others are read as the fill value
    inner: "ArrayNode | None" = None  # chunks within each chunk, which is then called a shard
    index_bytes: int = 0  # of a shard's index of these
    index_first: bool = False  # it stands at the beginning, instead of the end

    @property
    def chunk_values(self) -> int:
        """Values of one chunk."""
        return math.prod(self.chunks)

    @property
    def n_bytes(self) -> int:
        """What it fills in memory: at least one chunk, which is unpacked as a whole."""
        return max(math.prod(self.shape), self.chunk_values) * self.value_bytes

    @property
    def n_chunks(self) -> int:
        """Chunks that it has."""
        return math.prod(-(-n // chunk) for n, chunk in zip(self.shape, self.chunks, strict=True))

    @property
    def most_bytes(self) -> int:
        """What one chunk may have, unpacked."""
        n_bytes = self.value_bytes if not self.is_text else LONG_TEXT
        return self.chunk_values * n_bytes + (SLACK if self.is_text else CRC_BYTES)


def read_json(path: Path, where: str) -> dict[str, Any]:
    """Read a description.

    Parameters
    ----------
    path
        The file, which is there.
    where
        For messages.

    Raises
    ------
    InputError
        If it is too long, damaged or no description.
    """
    try:
        if path.stat().st_size > MAX_JSON:
            raise InputError(f"{where} is too long for a description.")
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError, OSError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{where} is damaged. Copy it again.") from error
    if not isinstance(found, dict):
        raise InputError(f"{where} is no description of zarr. Copy it again.")
    return found


def array_node(about: Mapping[str, Any], version: int, n_stored: int, where: str) -> ArrayNode:
    """Take what is needed of an array's description, and refuse what could be harmful.

    Parameters
    ----------
    about
        Contents of ``.zarray`` or ``zarr.json``.
    version
        Of zarr, 2 or 3.
    n_stored
        Chunks that are there.
    where
        For messages.

    Raises
    ------
    InputError
        If it is damaged, or names a type or codec that is not on the list.
    """
    try:
        node = (_second if version == 2 else _third)(about, n_stored, where)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{where} is damaged: its description cannot be read. Copy it again.") from error
    return node


def _second(about: Mapping[str, Any], n_stored: int, where: str) -> ArrayNode:
    filters = [str(one["id"]) for one in about.get("filters") or []]
    packing = about.get("compressor")
    compressor = "" if packing is None else str(packing["id"])
    dtype = about["dtype"]
    is_text = dtype == "|O" and filters == ["vlen-utf8"]
    if dtype == "|O" and not is_text:
        raise _refused(where, "objects of Python")
    unknown = [kind for kind in filters if not is_text] + [compressor] * (
        compressor not in {"", *COMPRESSORS}
    )
    if unknown:
        raise _refused(where, f"the codec {unknown[0][:30]!r}")
    n_bytes = STRING_BYTES if is_text else _second_bytes(dtype, where)
    shape, chunks = _sizes(about["shape"], about["chunks"], where)
    return ArrayNode(shape, chunks, n_bytes, is_text, compressor, 0, n_stored)


def _second_bytes(dtype: Any, where: str) -> int:
    if isinstance(dtype, str):
        if number := _NUMBER.fullmatch(dtype):
            return int(number[1] or number[2])
        if text := _TEXT.fullmatch(dtype):
            return max(1, int(text[2])) * (4 if text[1] == "U" else 1)
    raise _refused(where, f"values of the type {str(dtype)[:30]!r}")


def _third(about: Mapping[str, Any], n_stored: int, where: str) -> ArrayNode:
    if about["chunk_grid"]["name"] != "regular" or about.get("storage_transformers"):
        raise _refused(where, "chunks of an unusual kind")
    dtype = about["data_type"]
    is_text = dtype in _TEXTS if isinstance(dtype, str) else False
    if isinstance(dtype, str) and (is_text or dtype in _THIRD):
        n_bytes = STRING_BYTES if is_text else _THIRD[dtype]
    elif isinstance(dtype, dict) and dtype.get("name") == "fixed_length_utf32":
        n_bytes = _whole(dtype["configuration"]["length_bytes"])
    else:
        raise _refused(where, f"values of the type {str(dtype)[:60]!r}")
    grid = about["chunk_grid"]["configuration"]["chunk_shape"]
    shape, chunks = _sizes(about["shape"], grid, where)
    codecs = list(about["codecs"])
    if len(codecs) == 1 and _kind(codecs[0]) == "sharding_indexed":
        shard = codecs[0]["configuration"]
        _, small = _sizes(list(chunks), shard["chunk_shape"], where)
        if any(big % part for big, part in zip(chunks, small, strict=True)):
            raise InputError(f"{where} is damaged: its shards are no whole number of chunks. Copy it again.")
        compressor, n_after = _packing(shard["codecs"], where, is_text=is_text)
        inner = ArrayNode(chunks, small, n_bytes, is_text, compressor, n_after, 0)
        kinds = [_kind(one) for one in shard["index_codecs"]]
        if kinds not in (["bytes"], ["bytes", "crc32c"]):
            raise _refused(where, f"an index of shards with the codecs {str(kinds)[:60]}")
        index_bytes = inner.n_chunks * INDEX_BYTES + CRC_BYTES * (len(kinds) - 1)
        at_start = shard.get("index_location", "end") == "start"
        return ArrayNode(shape, chunks, n_bytes, is_text, "", 0, n_stored, inner, index_bytes, at_start)
    compressor, n_after = _packing(codecs, where, is_text=is_text)
    return ArrayNode(shape, chunks, n_bytes, is_text, compressor, n_after, n_stored)


def _kind(codec: Any) -> str:
    return str(codec if isinstance(codec, str) else codec["name"])


def _packing(about: Any, where: str, *, is_text: bool) -> tuple[str, int]:
    """Give the compression, and the bytes of checksums behind it."""
    codecs = [_kind(one) for one in about]
    packed = [kind for kind in codecs if kind in COMPRESSORS]
    known = {"transpose", "vlen-utf8" if is_text else "bytes", "crc32c", "blosc", "zstd", "gzip"}
    if unknown := [kind for kind in codecs if kind not in known]:
        raise _refused(where, f"the codec {unknown[0][:30]!r}")
    if len(packed) > 1:
        raise _refused(where, "several compressions")
    behind = codecs[codecs.index(packed[0]) :] if packed else []
    return (packed[0] if packed else ""), CRC_BYTES * behind.count("crc32c")


def _sizes(shape: Any, chunks: Any, where: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    if not isinstance(shape, list) or not isinstance(chunks, list) or len(shape) != len(chunks):
        raise InputError(f"{where} is damaged: its shape and its chunks do not fit. Copy it again.")
    if 0 in chunks:
        raise InputError(f"{where} is damaged: it has chunks of no size. Copy it again.")
    return tuple(map(_whole, shape)), tuple(map(_whole, chunks))


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= MAX_SIZE:
        raise ValueError
    return value


def _refused(where: str, what: str) -> InputError:
    return InputError(f"{where} is refused: it holds {what}. Write it again with anndata.")
