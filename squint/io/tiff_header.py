"""Size and pixel size of a TIFF file, from its first page's tags alone: no pixel is read, no XML unfolded."""

import re
import struct
from pathlib import Path
from typing import BinaryIO, NamedTuple

from squint.errors import InputError
from squint.io import packed

WIDTH, LENGTH, DESCRIPTION = 256, 257, 270
MAX_TAGS = 1_000
MAX_TEXT = 2**20  # of the description; what is looked for stands at its beginning
ACROSS = {3: "H", 4: "I", 16: "Q"}  # types of numbers
UM = {"km": 1e9, "m": 1e6, "cm": 1e4, "mm": 1e3, "um": 1.0, "nm": 1e-3, "pm": 1e-6}
BELIEVABLE = (0.01, 200.0)  # um that pixels of microscopes have


class Header(NamedTuple):
    """What the first page says."""

    width: int
    height: int
    um: tuple[float, float] | None  # of a pixel, across and down, by OME-XML


def read_header(path: Path) -> Header:
    """Read the tags of the first page.

    Raises
    ------
    InputError
        If it is missing, a link, empty, or no TIFF.
    """
    packed.check_file(path)
    try:
        with path.open("rb") as file:
            tags = _tags(file)
        width, height = int(tags[WIDTH]), int(tags[LENGTH])
    except (OSError, LookupError, ValueError, struct.error, OverflowError) as error:
        raise InputError(f"{path.name} is damaged, or no TIFF. Copy it again.") from error
    return Header(width, height, _pixel_size(str(tags.get(DESCRIPTION, ""))))


def _tags(file: BinaryIO) -> dict[int, int | str]:
    start = file.read(16)
    order = {b"II": "<", b"MM": ">"}[start[:2]]
    big = {42: False, 43: True}[struct.unpack(f"{order}H", start[2:4])[0]]
    count, pointer, entry = ("Q", "Q", 20) if big else ("H", "I", 12)
    inline = struct.calcsize(pointer)
    (at,) = struct.unpack(order + pointer, start[8:16] if big else start[4:8])
    file.seek(at)
    (n_tags,) = struct.unpack(order + count, file.read(struct.calcsize(count)))
    raw = file.read(min(n_tags, MAX_TAGS) * entry)
    found: dict[int, int | str] = {}
    for i in range(0, len(raw) - entry + 1, entry):
        tag, kind, n, value = struct.unpack(f"{order}HH{pointer}{inline}s", raw[i : i + entry])
        if tag in {WIDTH, LENGTH} and n == 1:
            size = struct.calcsize(ACROSS[kind])
            (found[tag],) = struct.unpack(order + ACROSS[kind], value[:size])
        elif tag == DESCRIPTION and kind == 2:
            found[tag] = _text(file, value, n, order + pointer)
    return found


def _text(file: BinaryIO, value: bytes, n: int, pointer: str) -> str:
    if n > len(value):
        file.seek(struct.unpack(pointer, value)[0])
        value = file.read(min(n, MAX_TEXT))
    if len(value) < min(n, MAX_TEXT):
        raise ValueError("the file ends within its description")
    return value[:n].decode(errors="replace")


def _pixel_size(text: str) -> tuple[float, float] | None:
    """Find the size in the first description of pixels."""
    pixels = re.search(r"<(?:\w{1,20}:)?Pixels\s[^>]{0,4000}>", text)
    if pixels is None:
        return None
    sizes = []
    for axis in "XY":
        size = re.search(rf'\bPhysicalSize{axis}\s*=\s*"([^"]{{1,40}})"', pixels[0])
        unit = re.search(rf'\bPhysicalSize{axis}Unit\s*=\s*"([^"]{{1,10}})"', pixels[0])
        named = (unit[1] if unit else "um").replace("\u00b5", "u").replace("\u03bc", "u")
        try:
            sizes.append(float(size[1]) * UM[named] if size else 0.0)
        except (ValueError, KeyError):
            return None
    across, down = sizes
    low, high = BELIEVABLE
    return (across, down) if low <= across <= high and low <= down <= high else None
