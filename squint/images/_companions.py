"""Small files beside a picture that say where it lies: of Visium, and of Xenium Explorer."""

import csv
import re
from pathlib import Path
from typing import Any

import numpy as np

from squint.errors import InputError
from squint.images.placing import Affine, check_affine, compose, scaling
from squint.parsing import parse_json, read_lines

XENIUM_UM = 0.2125  # of a pixel of the morphology pictures, where experiment.xenium names no other
_XENIUM = re.compile(r"(morphology(_focus|_mip)?(_\d{4})?|ch\d{4}[\w-]*)\.ome\.tiff?", re.IGNORECASE)
_MAX_BYTES = 2**20


def is_xenium(name: str) -> bool:
    """Say whether a file is named as a morphology picture of Xenium, which begins where its cells do."""
    return bool(_XENIUM.fullmatch(name))


def find_companion(path: Path) -> Path | None:
    """Find the file beside a picture that says where it lies, by the names that 10x gives."""
    if re.fullmatch(r"tissue_(hires|lowres)_image\.(png|jpe?g)", path.name):
        names = ["scalefactors_json.json"]
    else:
        stem = re.sub(r"(\.ome)?\.(tiff?|png|jpe?g)$", "", path.name, flags=re.IGNORECASE)
        names = [f"{stem}alignment.csv", f"{stem}_alignment.csv"]
    return next((path.with_name(name) for name in names if path.with_name(name).is_file()), None)


def read_companion(companion: Path, picture: str, morphology_um: float = XENIUM_UM) -> Affine:
    """Read where a picture lies.

    Parameters
    ----------
    companion
        ``scalefactors_json.json`` of Visium, or the matrix that Xenium Explorer exports as CSV.
    picture
        Name of the picture's file.
    morphology_um
        Pixel size of the Xenium's morphology picture.

    Returns
    -------
    From pixels to um (Xenium), or to pixels of the slide scan, which are the coordinates of Visium (Visium).
    """
    if companion.stat().st_size > _MAX_BYTES:
        raise InputError(f"{companion.name} is too long to be the placement of a picture.")
    content = companion.read_bytes()
    if companion.suffix.lower() == ".json":
        return _of_visium(content, companion.name, "lowres" if "lowres" in picture else "hires")
    return _of_xenium_explorer(content, companion.name, morphology_um)


def _of_visium(content: bytes, name: str, which: str) -> Affine:
    try:
        factors = parse_json(content, name, "Give Visium's scalefactors_json.json.", most=1_000)
        factor = factors[f"tissue_{which}_scalef"]
    except (KeyError, TypeError) as error:
        raise InputError(
            f"{name} names no tissue_{which}_scalef. Give Visium's scalefactors_json.json."
        ) from error
    return of_scale_factor(factor, name)


def of_scale_factor(factor: Any, name: str) -> Affine:
    """Undo Visium's reduction of the slide scan."""
    try:
        number = float(factor)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name}: the scale factor of the picture is no number.") from error
    if not 1e-6 < number < 1e6:
        raise InputError(f"{name}: {number:g} is no usable scale factor.")
    return scaling(1 / number, 1 / number)


def _of_xenium_explorer(content: bytes, name: str, um: float) -> Affine:
    """Read a 3 x 3 matrix from pixels of the picture to those of the morphology picture."""
    try:
        lines = [line for _, line in read_lines(content, name, most=100)]
        matrix = np.array([[float(cell) for cell in row] for row in csv.reader(lines) if row])
    except InputError:
        raise
    except (ValueError, csv.Error) as error:
        raise InputError(
            f"{name} is no matrix. Give what Xenium Explorer exports as *_imagealignment.csv."
        ) from error
    if matrix.shape != (3, 3) or not np.allclose(matrix[2], [0, 0, 1]):
        raise InputError(
            f"{name} is no 3 x 3 matrix with the last row 0, 0, 1, as Xenium Explorer exports it."
        )
    return check_affine(compose(scaling(um, um), matrix[:2]))
