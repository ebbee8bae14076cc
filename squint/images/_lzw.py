"""LZW as TIFF has it, undone by libtiff: imagecodecs' own decoder crashes the process on damaged data."""

import struct
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def decode_lzw(page: Any, data: bytes, rows: int, columns: int) -> NDArray[Any]:
    """Decode a tile or strip (rows, columns, samples) of a page, with or without differences along rows."""
    samples = page.samplesperpixel if page.planarconfig == 1 else 1
    dtype = np.dtype(page.parent.byteorder + page.dtype.char)
    raw = _unpack(data, rows, columns * samples * dtype.itemsize, int(page.fillorder))
    pixels = np.frombuffer(raw, dtype).astype(page.dtype).reshape(rows, columns, samples)
    return pixels if page.predictor == 1 else np.cumsum(pixels, axis=1, dtype=page.dtype)


def is_readable(page: Any) -> bool:
    """Say whether values fill whole bytes, and are stored as such or as differences of integers."""
    whole = page.bitspersample == 8 * page.dtype.itemsize
    return whole and (page.predictor == 1 or (page.predictor == 2 and page.dtype.kind in "ui"))


def _unpack(data: bytes, rows: int, row_bytes: int, fill_order: int) -> bytes:
    """Wrap the data as a TIFF of bytes, which Pillow reads with libtiff."""
    tags = [
        (256, 4, row_bytes),  # width
        (257, 4, rows),
        (258, 3, 8),  # bits
        (259, 3, 5),  # LZW
        (262, 3, 1),  # grey
        (266, 3, fill_order),
        (273, 4, 8 + 2 + 10 * 12 + 4),  # where the data begin
        (277, 3, 1),  # samples
        (278, 4, rows),  # in one strip
        (279, 4, len(data)),
    ]
    head = struct.pack("<2sHIH", b"II", 42, 8, len(tags))
    head += b"".join(struct.pack("<HHII", number, kind, 1, value) for number, kind, value in tags)
    with Image.open(BytesIO(head + b"\0\0\0\0" + data), formats=("TIFF",)) as file:
        return file.tobytes()
