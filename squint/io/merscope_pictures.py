"""Where MERSCOPE's mosaics lie: DAPI and PolyT in one plane, placed by what stands beside them."""

import json
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from squint.errors import DAMAGED, InputError
from squint.io.content import Placed
from squint.io.findings import Findings

FOLDER, MANIFEST, TRANSFORM = "images", "manifest.json", "micron_to_mosaic_pixel_transform.csv"
MOSAIC = re.compile(r"mosaic_(.+)_z(\d+)\.tiff?")
STAINS = ("DAPI", "PolyT")
MAX_TEXT = 1 << 24  # bytes of the manifest, which lists its tiles
AGREE = 0.01  # by which pixel sizes may differ

Floats = NDArray[np.float64]


class _Mosaic(NamedTuple):
    path: Path
    stain: str
    plane: int


class _Places(NamedTuple):
    """What the files beside the mosaics say."""

    to_um: Floats | None  # (2, 3), from pixels to micrometres
    box: Floats | None  # left, top, right and bottom of all mosaics, in um


def find_pictures(path: Path, prefix: str, findings: Findings) -> list[Placed]:
    """Find the mosaics of DAPI and PolyT in the middle plane.

    Parameters
    ----------
    path
        The folder of a run.
    prefix
        What names in it begin with.
    findings
        Added to.

    Returns
    -------
    Pictures, placed in micrometres where the files say it.
    """
    folders = [path / f"{start}{FOLDER}" for start in dict.fromkeys([prefix, ""])]
    folder = next((folder for folder in folders if folder.is_dir() and not folder.is_symlink()), None)
    mosaics = _mosaics(folder) if folder is not None else []
    if folder is None or not mosaics:
        findings.note("There are no pictures of the tissue in this folder.")
        return []
    planes = sorted({mosaic.plane for mosaic in mosaics})
    middle = planes[len(planes) // 2]
    nearest = sorted(mosaics, key=lambda mosaic: (abs(mosaic.plane - middle), mosaic.plane))
    taken = [next((m for m in nearest if m.stain.lower() == stain.lower()), None) for stain in STAINS]
    to_um = _read(folder / TRANSFORM, _transform, findings)
    places = _Places(to_um, _read(folder / MANIFEST, _box, findings))
    placed = [_place(mosaic, places, findings) for mosaic in taken if mosaic is not None]
    if n_others := len(mosaics) - sum(mosaic is not None for mosaic in taken):
        why = "of DAPI and PolyT one plane is used, of other stains none"
        findings.leave_out("pictures", n_others, why, folder.name)
    return [picture for picture in placed if picture is not None]


def _mosaics(folder: Path) -> list[_Mosaic]:
    found = ((path, MOSAIC.fullmatch(path.name)) for path in sorted(folder.iterdir()))
    return [_Mosaic(path, name[1], int(name[2])) for path, name in found if name and not path.is_symlink()]


def _place(mosaic: _Mosaic, places: _Places, findings: Findings) -> Placed | None:
    file = f"{mosaic.path.parent.name}/{mosaic.path.name}"
    try:
        width, height = _size(mosaic.path)
    except InputError as error:
        findings.leave_out("picture", None, str(error), file)
        return None
    name = f"{mosaic.stain}, plane {mosaic.plane}"
    findings.find(f"picture {name}", None, file)
    to_um = places.to_um
    if places.box is not None:
        left, top, right, bottom = places.box
        across, down = (right - left) / width, (bottom - top) / height
        if to_um is None or abs(to_um[0, 0] / across - 1) > AGREE:  # also where a picture was made smaller
            to_um = np.array([[across, 0, left + across / 2], [0, down, top + down / 2]])
    if to_um is None:
        findings.note(f"{file} is not placed: neither {MANIFEST} nor {TRANSFORM} says where it lies.")
        return Placed(mosaic.path, name, None)
    first, second = ((float(a), float(b), float(c)) for a, b, c in to_um)
    return Placed(mosaic.path, name, (first, second))


def _size(path: Path) -> tuple[int, int]:
    """Give width and height of a TIFF by its first page; an InputError if it is damaged or cut."""
    import tifffile  # noqa: PLC0415 - only where there are pictures

    try:
        with tifffile.TiffFile(path, is_ome=False) as file:
            page = file.pages.first
            end = max(a + b for a, b in zip(page.dataoffsets, page.databytecounts, strict=True))
            size = int(page.imagewidth), int(page.imagelength)
    except (tifffile.TiffFileError, struct.error, *DAMAGED) as error:
        raise InputError("it is damaged, or no TIFF") from error
    if end > path.stat().st_size:
        raise InputError("it is incomplete: the copy or upload broke off")
    if not all(size):
        raise InputError("it has no pixels")
    return size


def _read(path: Path, parse: Callable[[str], Floats], findings: Findings) -> Floats | None:
    """Read numbers from a small file; None where it is missing or damaged."""
    if not path.is_file() or path.is_symlink():
        return None
    try:
        with path.open("rb") as file:
            return parse(file.read(MAX_TEXT).decode())
    except (OSError, ValueError, TypeError, LookupError, RecursionError, np.linalg.LinAlgError):
        findings.leave_out("place of the pictures", None, "the file is damaged", f"{FOLDER}/{path.name}")
        return None


def _transform(text: str) -> Floats:
    """Turn round the matrix that takes micrometres to pixels: (2, 3)."""
    matrix = np.array([line.replace(",", " ").split() for line in text.splitlines() if line], float)
    if matrix.shape != (3, 3) or not (matrix[2] == (0, 0, 1)).all():
        raise ValueError("no affine matrix")
    inverse: Floats = np.linalg.inv(matrix)[:2]
    if not np.isfinite(inverse).all() or inverse[0, 0] <= 0:
        raise ValueError("no finite scale")
    return inverse


def _box(text: str) -> Floats:
    """Give left, top, right and bottom of the mosaics."""
    box = np.array(json.loads(text)["bbox_microns"], float)
    if box.shape != (4,) or not np.isfinite(box).all() or not (box[2:] > box[:2]).all():
        raise ValueError("no box")
    return box
