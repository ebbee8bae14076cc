"""What a chunk of a zarr array unpacks to, counted before zarr unpacks it, whatever it holds."""

import gzip
import io
import struct
import zlib
from collections.abc import Iterator

from squint.errors import InputError
from squint.io.zarr_nodes import ArrayNode

PIECE = 2**20
NOT_STORED = 2**64 - 1


def check_chunk(packed: bytes, node: ArrayNode, where: str) -> int:
    """Count what a chunk unpacks to before zarr unpacks it.

    Parameters
    ----------
    packed
        As it is stored.
    node
        Its array.
    where
        For messages.

    Returns
    -------
    Bytes that it unpacks to.

    Raises
    ------
    InputError
        If it is longer than the array's description allows, or damaged.
    """
    body = packed[: len(packed) - node.n_after]
    try:
        n_bytes, first = _unpacked(body, node)
    except InputError:
        raise
    except (OSError, EOFError, ValueError, RuntimeError, zlib.error, struct.error) as error:
        raise InputError(f"{where} is damaged. Copy the store again.") from error
    if n_bytes > node.most_bytes:
        raise InputError(f"{where} is refused: a chunk of it is longer than it declares.")
    if node.is_text and (len(first) < 4 or struct.unpack("<I", first)[0] != node.chunk_values):
        raise InputError(f"{where} is refused: a chunk of it holds another number of texts than it declares.")
    return n_bytes


def chunks_of(shard: bytes, node: ArrayNode, where: str) -> Iterator[bytes]:
    """Give the chunks of a shard, as they are stored.

    Parameters
    ----------
    shard
        As it is stored.
    node
        Its array.
    where
        For messages.

    Raises
    ------
    InputError
        If its index leads out of it.
    """
    count = node.inner.n_chunks if node.inner else 0
    start = 0 if node.index_first else len(shard) - node.index_bytes
    if start < 0 or len(shard) < node.index_bytes:
        raise InputError(f"{where} is damaged. Copy the store again.")
    places = struct.unpack_from(f"<{2 * count}Q", shard, start)
    for offset, n_bytes in zip(places[::2], places[1::2], strict=True):
        if offset == n_bytes == NOT_STORED:
            continue
        if offset + n_bytes > len(shard):
            raise InputError(f"{where} is damaged. Copy the store again.")
        yield shard[offset : offset + n_bytes]


def _unpacked(body: bytes, node: ArrayNode) -> tuple[int, bytes]:
    """Give the unpacked length, or one above what is allowed, and the first four bytes."""
    if node.compressor in {"blosc", "lz4"}:
        n_bytes = struct.unpack_from("<I", body, 4 if node.compressor == "blosc" else 0)[0]
        if node.compressor == "blosc" and struct.unpack_from("<I", body, 12)[0] != len(body):
            raise ValueError
        if not node.is_text or n_bytes > node.most_bytes:
            return n_bytes, b""
        import imagecodecs  # noqa: PLC0415 - where chunks of this kind are read

        if node.compressor == "blosc":
            return n_bytes, bytes(imagecodecs.blosc_decode(body)[:4])
        return n_bytes, bytes(imagecodecs.lz4_decode(body, header=True)[:4])
    n_bytes, first = 0, b""
    for piece in _pieces(body, node.compressor):
        first = first or bytes(piece[:4])
        n_bytes += len(piece)
        if n_bytes > node.most_bytes:
            break
    return n_bytes, first


def _pieces(body: bytes, compressor: str) -> Iterator[bytes]:
    if not compressor:
        yield body
    elif compressor == "zlib":
        unpacking = zlib.decompressobj()
        while body and not unpacking.eof:
            yield unpacking.decompress(body, PIECE)
            body = unpacking.unconsumed_tail
    else:
        import pyarrow as pa  # noqa: PLC0415 - where chunks of this kind are read

        stream = (
            gzip.GzipFile(fileobj=io.BytesIO(body))
            if compressor == "gzip"
            else pa.CompressedInputStream(pa.BufferReader(body), "zstd")
        )
        while piece := stream.read(PIECE):
            yield piece
