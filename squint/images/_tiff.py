"""TIFF and OME-TIFF, tile by tile."""

import os
import re
import struct
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tifffile
from numpy.typing import NDArray

from squint.errors import InputError
from squint.images._lzw import decode_lzw, is_readable
from squint.images._ome import ASIDE, Ome, believable, read_ome, refuse_entities
from squint.images._picture import (
    MAX_BLOCK,
    MAX_LEVELS,
    Box,
    Level,
    Picture,
    check_block,
    check_samples,
    check_size,
    check_stored,
    reading,
)
from squint.images._turned import UPRIGHT, LevelOnWhite, TurnedLevel

MAX_PAGES = 20_000
# none, LZW, JPEG, deflate (two numbers), PackBits, JPEG 2000 (three numbers), zstd
COMPRESSIONS = {1, 5, 7, 8, 32946, 32773, 33004, 33005, 34712, 50000}
_LZW, _JPEG, _JPEG_2000 = 5, {7}, {33004, 33005, 34712}
_PHOTOMETRIC = {0: "white is zero", 1: "black is zero", 2: "RGB", 6: "YCbCr"}
# Kinds of TIFF of which tifffile looks into other files, or builds lists as long as the file says.
_NOT_AS = ("ome", "ndtiff", "mmstack", "scanimage", "lsm", "stk", "eer", "ndpi", "fluoview", "mdgel")
_STRIP_ROWS = 512  # rows of an uncompressed picture, which can be read from any row on


class _Piece(NamedTuple):
    """A tile or strip."""

    data: bytes | None  # None if the file leaves it out
    number: int
    row: int
    column: int


@dataclass(frozen=True)
class TiffLevel:
    """One resolution of a TIFF: a page per plane, and one or several samples per page."""

    pages: tuple[Any, ...]  # tifffile.TiffPage, of one shape
    name: str
    pool: ThreadPoolExecutor

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.pages[0].imagewidth)

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pages[0].imagelength)

    @property
    def block(self) -> tuple[int, int]:
        """Rows and columns of a tile or strip."""
        page = self.pages[0]
        if page.is_tiled:
            return int(page.tilelength), int(page.tilewidth)
        return int(min(page.rowsperstrip, self.height)), self.width

    @property
    def samples(self) -> int:
        """Channels per page."""
        return int(self.pages[0].samplesperpixel)

    def read(self, box: Box, channels: Sequence[int]) -> NDArray[Any]:
        """Read a region."""
        page = self.pages[0]
        out = np.zeros((box.bottom - box.top, box.right - box.left, len(channels)), dtype=page.dtype)
        with reading(self.name):
            for plane in sorted({channel // self.samples for channel in channels}):
                wanted = [(k, c % self.samples) for k, c in enumerate(channels) if c // self.samples == plane]
                self._read_plane(self.pages[plane], box, wanted, out)
        return np.iinfo(out.dtype).max - out if page.photometric == 0 and out.dtype.kind == "u" else out

    def _read_plane(self, page: Any, box: Box, wanted: list[tuple[int, int]], out: NDArray[Any]) -> None:
        separate = page.planarconfig == 2 and self.samples > 1
        if page.is_memmappable and not page.is_tiled and not separate:
            rows = _rows(page, box)
            for k, sample in wanted:
                out[..., k] = rows[:, box.left : box.right, sample]
            return
        for sample in range(self.samples) if separate else (0,):
            mine = [(k, 0 if separate else s) for k, s in wanted if not separate or s == sample]
            if mine:
                self._read_pieces(page, box, sample, mine, out)

    def _read_pieces(
        self, page: Any, box: Box, sample: int, wanted: list[tuple[int, int]], out: NDArray[Any]
    ) -> None:
        rows, columns = self.block
        across, down = -(-self.width // columns), -(-self.height // rows)
        places = [
            ((sample * down + i) * across + j, i * rows, j * columns)
            for i in range(box.top // rows, -(-box.bottom // rows))
            for j in range(box.left // columns, -(-box.right // columns))
        ]
        page.init_decode()
        for piece, pixels in self._decoded(page, places):
            top, left = max(box.top, piece.row), max(box.left, piece.column)
            bottom, right = min(box.bottom, piece.row + rows), min(box.right, piece.column + columns)
            target = out[top - box.top : bottom - box.top, left - box.left : right - box.left]
            for k, s in wanted:
                if pixels is None:  # left out: no tissue
                    target[..., k] = 255 if self.samples > 1 else 0
                    continue
                part = pixels[
                    top - piece.row : bottom - piece.row, left - piece.column : right - piece.column, s
                ]
                target[..., k] = part

    def _decoded(
        self, page: Any, places: Sequence[tuple[int, int, int]]
    ) -> Iterator[tuple[_Piece, NDArray[Any] | None]]:
        """Decode pieces, as many at once as fit into the memory that one may take."""
        together = max(1, MAX_BLOCK // _piece_bytes(page))
        for start in range(0, len(places), together):
            pieces = [self._load(page, *place) for place in places[start : start + together]]
            yield from zip(pieces, self.pool.map(lambda piece: _decode(page, piece), pieces), strict=True)

    def _load(self, page: Any, index: int, row: int, column: int) -> _Piece:
        if index >= min(len(page.dataoffsets), len(page.databytecounts)):
            raise InputError(f"{self.name} is incomplete: tiles are missing.")
        offset, count = int(page.dataoffsets[index]), int(page.databytecounts[index])
        if not count:
            return _Piece(None, index, row, column)
        file = page.parent.filehandle
        if offset + count > file.size:
            raise InputError(f"{self.name} is incomplete: the copy or upload broke off. Copy it again.")
        check_block(self.name, count)
        file.seek(offset)
        return _Piece(file.read(count), index, row, column)


def _decode(page: Any, piece: _Piece) -> NDArray[Any] | None:
    if piece.data is None:
        return None
    if page.compression in _JPEG | _JPEG_2000:
        _check_header(piece.data, page)
    if page.compression == _LZW:
        rows = page.tilelength if page.is_tiled else min(page.rowsperstrip, page.imagelength - piece.row)
        return decode_lzw(page, piece.data, rows, page.tilewidth if page.is_tiled else page.imagewidth)
    decoded = page.decode(piece.data, piece.number, jpegtables=page.jpegtables)[0]
    return None if decoded is None else np.asarray(decoded[0])


def _check_header(data: bytes, page: Any) -> None:
    """Refuse a JPEG that would decode to more than its tile: its own header says how large it is."""
    if page.compression in _JPEG_2000:
        at = data.find(b"\xff\x4f\xff\x51")
        width, height = struct.unpack(">II", data[at + 8 : at + 16]) if at >= 0 else (0, 0)
    else:
        frame = re.search(rb"\xff[\xc0-\xc3]\x00.[\x08\x0c]", data[:65_536], re.DOTALL)
        height, width = struct.unpack(">HH", data[frame.end() : frame.end() + 4]) if frame else (0, 0)
    rows, columns = (
        (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, page.imagewidth)
    )
    if width * height > 4 * rows * columns:
        raise InputError("A tile of the picture is larger than the file declares: it is damaged.")


def _rows(page: Any, box: Box) -> NDArray[Any]:
    """Read whole rows of a picture that is stored without compression, in one piece."""
    samples = page.samplesperpixel
    dtype = np.dtype(page.parent.byteorder + page.dtype.char)
    per_row = page.imagewidth * samples
    file = page.parent.filehandle
    start = page.dataoffsets[0] + box.top * per_row * dtype.itemsize
    n_bytes = (box.bottom - box.top) * per_row * dtype.itemsize
    if start + n_bytes > file.size:
        raise InputError(f"{file.name} is incomplete: the copy or upload broke off. Copy it again.")
    file.seek(start)
    values = np.frombuffer(file.read(n_bytes), dtype)
    return values.reshape(-1, page.imagewidth, samples).astype(dtype.newbyteorder("="), copy=False)


def open_tiff(path: Path) -> Picture:
    """Open a TIFF; what a slide scanner adds, such as the label, is never read."""
    with reading(path.name):
        _check_chain(path)
        file = tifffile.TiffFile(path, **{f"is_{kind}": False for kind in _NOT_AS})  # type: ignore[arg-type]
        try:
            return _open(file, path.name)
        except BaseException:
            file.close()
            raise


def _open(file: Any, name: str) -> Picture:
    first = file.pages[0]
    described = str(first.description)
    ome = read_ome(described, name) if described.rstrip().endswith("OME>") else None
    stacks = _from_ome(file, ome, name) if ome else _from_series(file, name)
    _check_page(stacks[0][0], name)
    full = stacks[0][0]
    n_channels = len(stacks[0]) * full.samplesperpixel
    check_size(name, full.imagewidth, full.imagelength, n_channels)
    check_stored(name, full.imagewidth, full.imagelength, file.filehandle.size)
    pool = ThreadPoolExecutor(min(4, os.cpu_count() or 1))
    levels: list[Level] = [TiffLevel(tuple(stacks[0]), name, pool)]
    for pages in stacks[1 : MAX_LEVELS + 1]:
        if _is_level(pages, stacks[0], levels[-1]):
            _check_page(pages[0], name)
            levels.append(TiffLevel(tuple(pages), name, pool))
    is_rgb = full.photometric in {2, 6} and full.samplesperpixel >= 3
    opacity = full.extrasamples[0] if full.extrasamples else 0  # 1: weighted by it, 2: not, 0: something else
    if is_rgb and full.samplesperpixel == 4 and opacity in {1, 2}:
        levels, n_channels = [LevelOnWhite(level, weighted=opacity == 1) for level in levels], 3
    turned = full.tags.valueof(274, UPRIGHT)
    if turned in range(2, 9):
        levels = [TurnedLevel(level, int(turned)) for level in levels]
    named = ome.channels if ome and len(ome.channels) == n_channels else ()
    channels = named or tuple(f"channel {i + 1}" for i in range(n_channels))
    if is_rgb and n_channels in {3, full.samplesperpixel}:
        channels = ("red", "green", "blue", *channels[3:])

    def close() -> None:
        pool.shutdown(cancel_futures=True)
        file.close()

    um = ome.um_per_pixel if ome else _pixel_size(file, described)
    if um and turned in range(5, 9):
        um = um[::-1]
    return Picture(tuple(levels), channels, is_rgb, None, um, ome.notes if ome else (), close)


def _from_ome(file: Any, ome: Ome, name: str) -> list[list[Any]]:
    """Give the pages of each level, by what OME-XML says of planes; those in other files are left out."""
    pages = [file.pages[i] for i in ome.planes if i is not None and i < len(file.pages)]
    if not pages or {(p.imagewidth, p.imagelength) for p in pages} != {(ome.width, ome.height)}:
        raise InputError(f"{name}: its OME-XML describes another picture than it holds. Save it again.")
    below = [list(page.pages or []) for page in pages]
    if max(map(len, below)) > MAX_LEVELS:
        raise InputError(f"{name} declares more than {MAX_LEVELS} resolutions, which no picture needs.")
    return [pages, *map(list, zip(*below, strict=False))]


def _from_series(file: Any, name: str) -> list[list[Any]]:
    """Give the pages of each level of the largest picture that is no label or overview."""
    for page in file.pages:
        if page.imagewidth * page.imagelength == 0:
            raise InputError(f"{name} holds no pixels.")
        for number in (270, 700):  # the description and XMP, of which tifffile reads XML of some vendors
            refuse_entities(_text(page.tags.valueof(number, "")), name)
    series = [s for s in file.series if not ASIDE.search(s.name) and s.keyframe.imagedepth == 1]
    if not series:
        raise InputError(f"{name} holds no picture of tissue.")
    largest = max(series, key=lambda s: s.keyframe.imagewidth * s.keyframe.imagelength)
    if len(largest.levels) > MAX_LEVELS:
        raise InputError(f"{name} declares more than {MAX_LEVELS} resolutions, which no picture needs.")
    stacks = []
    for level in largest.levels:
        pages = [p for p in level.pages if p is not None and not getattr(p, "is_virtual", False)]
        stacks.append([page.aspage() for page in (pages or [level.keyframe])])
    if stacks[0][0].samplesperpixel >= 3:  # several colour pictures are heights or times: the first is taken
        stacks = [pages[:1] for pages in stacks]
    return stacks


def _is_level(pages: list[Any], full: list[Any], above: Level) -> bool:
    """Say whether pages are a smaller version of the picture, and not something else that lies beside it."""
    first, reference = pages[0], full[0]
    across, down = reference.imagewidth / first.imagewidth, reference.imagelength / first.imagelength
    alike = first.samplesperpixel == reference.samplesperpixel and first.dtype == reference.dtype
    coarse = 2 / min(first.imagewidth, first.imagelength)  # sizes are rounded
    return (
        alike
        and len(pages) == len(full)
        and first.imagewidth < above.width
        and abs(across / down - 1) < 0.02 + coarse
        and first.is_tiled >= reference.is_tiled
    )


def _check_page(page: Any, name: str) -> None:
    if page.compression not in COMPRESSIONS:
        kind = getattr(page.compression, "name", page.compression)
        raise InputError(
            f"{name} is compressed with {kind}, which is not read. Save it with JPEG, deflate or LZW."
        )
    if page.photometric not in _PHOTOMETRIC:
        kind = getattr(page.photometric, "name", page.photometric)
        raise InputError(f"{name} stores colours as {kind}, which is not read. Save it as RGB or grey.")
    if page.dtype is None or page.dtype.kind not in "uifb" or page.imagedepth != 1:
        raise InputError(f"{name} holds {page.dtype} values, which is not read. Save it with 8 or 16 bit.")
    if page.compression == _LZW and not is_readable(page):
        raise InputError(f"{name} is compressed in an unusual way. Save it with JPEG, deflate or LZW.")
    check_samples(name, page.samplesperpixel if page.planarconfig == 1 else 1)
    check_block(name, _piece_bytes(page))


def _piece_bytes(page: Any) -> int:
    """Give the bytes of a tile or strip, decoded."""
    samples = page.samplesperpixel if page.planarconfig == 1 else 1
    rows, columns = (
        (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, page.imagewidth)
    )
    if page.is_memmappable and not page.is_tiled:
        rows = min(rows, _STRIP_ROWS)
    rows = min(rows, page.imagelength) if not page.is_tiled else rows
    return int(rows * columns * samples * page.dtype.itemsize)


def _pixel_size(file: Any, described: str) -> tuple[float, float] | None:
    """Read the pixel size of an Aperio slide, of ImageJ, or from the resolution in cm."""
    if found := re.search(r"\bMPP\s*=\s*([\d.]{1,20})", described):
        size = float(found[1]) if found[1].count(".") <= 1 else float("nan")
        return believable(size, size)
    page = file.pages[0]
    per_x, per_y = page.resolution
    if not per_x or not per_y:
        return None
    if page.resolutionunit == 3:
        return believable(1e4 / per_x, 1e4 / per_y)
    if file.is_imagej and str((file.imagej_metadata or {}).get("unit")) in {
        "micron",
        "um",
        "\u00b5m",
        "\\u00B5m",
    }:
        return believable(1 / per_x, 1 / per_y)
    return None


def _check_chain(path: Path) -> None:
    """Refuse a chain of pages that is endless, which tifffile would follow."""
    with path.open("rb") as file:
        start = file.read(16)
        order = {b"II": "<", b"MM": ">"}[start[:2]]
        big = struct.unpack(order + "H", start[2:4])[0] == 43
        pointer, size, entry = ("Q", 8, 20) if big else ("I", 4, 12)
        n_format, n_size = ("Q", 8) if big else ("H", 2)
        at = 8 if big else 4
        seen: set[int] = set()
        while True:
            file.seek(at)
            raw = file.read(size)
            if len(raw) < size:
                raise InputError(f"{path.name} is incomplete: the copy or upload broke off. Copy it again.")
            (page,) = struct.unpack(order + pointer, raw)
            if not page:
                break
            if page in seen or len(seen) > MAX_PAGES:
                raise InputError(f"{path.name} is refused: its pages form a circle, or are too many.")
            seen.add(page)
            file.seek(page)
            raw = file.read(n_size)
            if len(raw) < n_size:
                raise InputError(f"{path.name} is incomplete: the copy or upload broke off. Copy it again.")
            at = page + n_size + struct.unpack(order + n_format, raw)[0] * entry
    if not seen:
        raise InputError(f"{path.name} holds no picture.")


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
