"""What every kind of file becomes: a picture with levels that are read region by region."""

import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from squint.errors import DAMAGED, InputError

MAX_PIXELS = 10**10  # of one plane at full resolution
MAX_SIDE = 300_000  # a thin picture has few pixels, and still a band of it must fit into memory
MAX_WHOLE = 10**8  # pixels of a picture that can only be read as a whole, such as a PNG
MAX_LEVELS = 40
MAX_CHANNELS = 1_000
MAX_SAMPLES = 64  # channels that lie side by side in each pixel, and so are decoded together
PIXELS_PER_BYTE = 2_000  # of a file, above MAX_WHOLE: more than slides of bare glass have
MAX_BLOCK = 256 * 2**20  # bytes of one tile, strip or chunk, decoded

_DAMAGED = (
    *DAMAGED,
    SyntaxError,  # of Pillow on a broken PNG, and of the XML parser
    EOFError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
    Image.DecompressionBombError,
)


class Box(NamedTuple):
    """Pixels of a level; those at ``right`` and ``bottom`` are no longer part of it."""

    left: int
    top: int
    right: int
    bottom: int


class Level(Protocol):
    """One resolution of a picture."""

    @property
    def width(self) -> int:
        """Columns."""

    @property
    def height(self) -> int:
        """Rows."""

    @property
    def block(self) -> tuple[int, int]:
        """Rows and columns that the file stores together, and that are best read together."""

    def read(self, box: Box, channels: Sequence[int]) -> NDArray[Any]:
        """Read a region (rows, columns, channels) as it is stored; the box lies within the level."""


@dataclass(frozen=True)
class Picture:
    """A picture in a file, to be closed after use."""

    levels: tuple[Level, ...]  # full resolution first
    channels: tuple[str, ...]
    is_rgb: bool  # the first three channels are red, green and blue
    affine: NDArray[np.float64] | None = None  # (2, 3), see the package; None where the file names no place
    um_per_pixel: tuple[float, float] | None = None  # across and down, where the file names them
    notes: tuple[str, ...] = ()
    close: Callable[[], None] = field(default=lambda: None, repr=False)

    @property
    def width(self) -> int:
        """Columns at full resolution."""
        return self.levels[0].width

    @property
    def height(self) -> int:
        """Rows at full resolution."""
        return self.levels[0].height

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, columns and channels at full resolution."""
        return self.height, self.width, self.n_channels

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return len(self.channels)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True)
class ArrayLevel:
    """A level that is in memory."""

    pixels: NDArray[Any]  # (rows, columns, channels)

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])

    @property
    def block(self) -> tuple[int, int]:
        """All that it takes, as any region costs the same."""
        return 512, self.width

    def read(self, box: Box, channels: Sequence[int]) -> NDArray[Any]:
        """Read a region."""
        return self.pixels[box.top : box.bottom, box.left : box.right][:, :, list(channels)]


def check_size(name: str, width: int, height: int, n_channels: int, *, whole: bool = False) -> None:
    """Refuse, from what a file declares, a picture that is too large or empty."""
    if width < 1 or height < 1 or n_channels < 1:
        raise InputError(f"{name} holds no pixels.")
    most = MAX_WHOLE if whole else MAX_PIXELS
    if width * height > most or max(width, height) > MAX_SIDE:
        advice = "Save it as a tiled TIFF." if whole else "Cut out the tissue, or save a lower resolution."
        raise InputError(
            f"{name} declares {width:,} x {height:,} pixels; at most {most:,}, and {MAX_SIDE:,} to a side, "
            f"are read. {advice}"
        )
    check_channels(name, n_channels)


def check_channels(name: str, n_channels: int) -> None:
    """Refuse more channels than any instrument has."""
    if n_channels > MAX_CHANNELS:
        raise InputError(f"{name} declares {n_channels:,} channels; at most {MAX_CHANNELS:,} are read.")


def check_samples(name: str, n_samples: int) -> None:
    """Refuse more channels in each pixel than are decoded together."""
    if not 1 <= n_samples <= MAX_SAMPLES:
        raise InputError(
            f"{name} declares {n_samples:,} samples per pixel; 1 to {MAX_SAMPLES} are read. "
            "Save each channel as a plane of its own."
        )


def check_stored(name: str, width: int, height: int, n_bytes: int) -> None:
    """Refuse a picture that declares far more pixels than the bytes of its file can hold."""
    if width * height > max(MAX_WHOLE, PIXELS_PER_BYTE * n_bytes):
        raise InputError(
            f"{name} declares {width:,} x {height:,} pixels, but holds {n_bytes:,} bytes: it is empty or "
            "incomplete. Copy it again, or cut out the tissue."
        )


def check_block(name: str, n_bytes: int) -> None:
    """Refuse a tile or strip that is too large to be decoded."""
    if n_bytes > MAX_BLOCK:
        raise InputError(
            f"{name} stores {n_bytes / 2**20:,.0f} MiB in one piece; at most {MAX_BLOCK // 2**20} are read. "
            "Save it as a tiled TIFF."
        )


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Say of whatever is raised inside on a damaged file that it is damaged.

    Raises
    ------
    InputError
        In place of the error.
    """
    try:
        yield
    except InputError:
        raise
    except _DAMAGED as error:
        raise InputError(
            f"{name} is damaged, incomplete, or of a kind that is not read. Copy it again, or save it as "
            "OME-TIFF."
        ) from error
