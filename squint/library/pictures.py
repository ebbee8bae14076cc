"""A picture under the cells of a section as pages know it, and the row that it is in the database."""

from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from squint.library.records import Picture

FROM_FILE, BY_LANDMARKS, BY_PIXEL_SIZE = "from the file", "landmarks", "pixel size"


@dataclass(frozen=True)
class SectionImage:
    """What the library knows of a picture."""

    id: str
    name: str
    width: int
    height: int
    levels: int
    grey: bool
    channel: str  # which one, of a picture that has several
    format: str  # of the tiles: "webp" or "jpeg"
    affine: tuple[float, ...] | None  # x = a column + b row + c, y = d column + e row + f
    placed: str  # where the affine comes from
    um_per_pixel: tuple[float, float] | None  # as the file says
    sha256: str  # of the file it came from
    added: str  # UTC
    notes: tuple[str, ...] = ()
    landmarks: tuple[tuple[float, ...], ...] = ()  # column, row, x, y
    rmse: float | None = None  # of the landmarks

    @property
    def matrix(self) -> NDArray[np.float64] | None:
        """Its affine (2, 3)."""
        return None if self.affine is None else np.array(self.affine).reshape(2, 3)

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Width and height of each level."""
        return [(-(-self.width // 2**i), -(-self.height // 2**i)) for i in range(self.levels)]


@dataclass(frozen=True)
class DamagedImage:
    """A picture that is not shown, as something of it is damaged."""

    id: str
    name: str  # its id where nothing else is sure
    why: str


_NAMES = tuple(one.name for one in fields(SectionImage))


def of_row(row: Picture) -> SectionImage:
    """Read a row that is intact."""
    known = {name: getattr(row, name) for name in _NAMES}
    for name in ("affine", "um_per_pixel"):
        known[name] = None if known[name] is None else tuple(known[name])
    landmarks = tuple(tuple(landmark) for landmark in known["landmarks"])
    return SectionImage(**{**known, "landmarks": landmarks, "notes": tuple(known["notes"])})


def fill(row: Picture, image: SectionImage) -> None:
    """Write what is known of a picture into its row."""
    for name, value in asdict(image).items():
        setattr(row, name, list(value) if isinstance(value, tuple) else value)


def unknown(image_id: str, added: str) -> SectionImage:
    """Stand for a picture of which nothing is known but that it is there."""
    return SectionImage(
        id=image_id,
        name=image_id,
        width=1,
        height=1,
        levels=1,
        grey=False,
        channel="",
        format="",
        affine=None,
        placed="",
        um_per_pixel=None,
        sha256="",
        added=added,
    )


def why_damaged(row: Picture, folder: Path) -> str:
    """Say what of a picture is damaged; nothing if it is as it was kept.

    Parameters
    ----------
    row
        What the database has of it.
    folder
        Where its tiles are.
    """
    if not row.intact:
        return "What the database says of it is damaged."
    if row.damage:
        return row.damage
    return "" if folder.is_dir() else "Its folder is missing."
