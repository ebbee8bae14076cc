"""Pictures in an output folder of Xenium, and where each lies."""

import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from squint.errors import InputError
from squint.io import packed
from squint.io.content import Placed
from squint.io.findings import Findings
from squint.io.forms import real_folder
from squint.io.tiff_header import Header, read_header

MORPHOLOGY = re.compile(r"(morphology(?:_focus|_mip)?(?:_\d{4})?|ch\d{4}[\w-]*)\.ome\.tiff?", re.IGNORECASE)
TIFF = re.compile(r"(\.ome)?\.(tiff?|btf)$", re.IGNORECASE)
FOCUS = "morphology_focus"
STACK = re.compile(r"morphology\.ome\.tiff?", re.IGNORECASE)  # all heights in one file
UM = 0.2125  # of a pixel of the morphology pictures, where nothing says otherwise
UM_BETWEEN = (0.01, 10.0)
BEYOND = 5.0  # um that centres of cells may lie beside a picture of them
OUTSIDE = 0.01  # share of the cells that may lie farther away
MAX_MATRIX = 2**16  # bytes of an alignment

Affine = tuple[tuple[float, float, float], tuple[float, float, float]]


def find_pictures(
    folder: Path, manifest: Mapping[str, Any], positions: NDArray[np.float64], findings: Findings
) -> list[Placed]:
    """Find the pictures of a run.

    Parameters
    ----------
    folder
        The output folder.
    manifest
        What ``experiment.xenium`` says; may be empty.
    positions
        (n, 2) of cells in um, against which the size of a picture is held.
    findings
        Added to: pictures that are damaged, missing, or whose place is not stated.

    Returns
    -------
    The pictures, with the affine from their pixels to um where it is stated.
    """
    files = sorted(_tiffs(folder, findings))
    morphology = [file for file in files if MORPHOLOGY.fullmatch(file.name)]
    stacks = [file for file in morphology if STACK.fullmatch(file.name)]
    if len(morphology) > len(stacks):
        for file in stacks:
            findings.leave_out("picture of all heights", None, "the ones in focus are shown", file.name)
        morphology = [file for file in morphology if file not in stacks]
    stated = _stated(manifest, findings)
    found = [_morphology(file, stated, positions, findings) for file in morphology]
    others = [file for file in files if not MORPHOLOGY.fullmatch(file.name)]
    alignments = _alignments(folder, others, stated or UM, findings)
    found += [_aligned(file, alignments.get(file), findings) for file in others]
    _note_absent(folder, manifest, findings)
    return [picture for picture in found if picture is not None]


def _tiffs(folder: Path, findings: Findings) -> Iterator[Path]:
    inner = real_folder(folder, FOCUS)
    for place in (folder, inner):
        for file in place.iterdir() if place else ():
            if TIFF.search(file.name) and not file.is_dir():
                if file.is_symlink():
                    findings.leave_out("picture", None, "it is a link", file.name)
                else:
                    yield file


def _stated(manifest: Mapping[str, Any], findings: Findings) -> float | None:
    """Give the micrometres of a pixel that the manifest names."""
    size = manifest.get("pixel_size")
    if isinstance(size, int | float) and UM_BETWEEN[0] <= size <= UM_BETWEEN[1]:
        return float(size)
    if size is not None:
        findings.note(f"experiment.xenium names a pixel size of {str(size)[:20]}, which no microscope has.")
    return None


def _header(file: Path, findings: Findings) -> Header | None:
    try:
        return read_header(file)
    except InputError as error:
        findings.leave_out("picture", None, str(error), file.name)
        return None


def _morphology(
    file: Path, stated: float | None, positions: NDArray[np.float64], findings: Findings
) -> Placed | None:
    """Place a picture whose corner is the origin of the positions, by the size of its pixels."""
    header = _header(file, findings)
    if header is None:
        return None
    inside = FOCUS if file.parent.name == FOCUS and not file.name.startswith(FOCUS) else ""
    name = " ".join(part for part in (inside, TIFF.sub("", file.name)) if part).replace("_", " ")
    sizes = [header.um, (stated, stated) if stated else None, None if header.um or stated else (UM, UM)]
    for size in filter(None, sizes):
        if _holds(header, size, positions):
            if not header.um and not stated:
                findings.assume(
                    f"pixels of {UM} um", "neither it nor experiment.xenium states another", file.name
                )
            return Placed(file, name, ((size[0], 0.0, 0.0), (0.0, size[1], 0.0)))
    findings.note(
        f"{file.name} has {header.width:,} x {header.height:,} pixels, too few for these cells at the stated "
        "size of a pixel: it is a reduced copy, and where it lies is not known."
    )
    return Placed(file, name, None)


def _holds(header: Header, size: tuple[float, float], positions: NDArray[np.float64]) -> bool:
    """Say whether the cells lie within a picture."""
    extent = np.array([header.width * size[0], header.height * size[1]])
    outside = ((positions < -BEYOND) | (positions > extent + BEYOND)).any(axis=1)
    return bool(np.mean(outside) <= OUTSIDE)


def _alignments(folder: Path, pictures: list[Path], um: float, findings: Findings) -> dict[Path, Affine]:
    """Read the matrices that Xenium Explorer exports, each beside the picture that it places."""
    found = {}
    for file in sorted(folder.glob("*alignment*.csv")):
        stem = re.sub(r"_?alignment.*$", "", file.name, flags=re.IGNORECASE)
        named = [picture for picture in pictures if TIFF.sub("", picture.name) == stem]
        if not named and len(pictures) == 1:
            named = pictures
        if not named:
            findings.leave_out("alignment of a picture", None, "its picture is not here", file.name)
            continue
        try:
            found[named[0]] = _matrix(file, um)
        except InputError as error:
            findings.leave_out("alignment of a picture", None, str(error), file.name)
    return found


def _matrix(file: Path, um: float) -> Affine:
    """Read the matrix from pixels of a picture to those of the morphology picture, and give it in um."""
    with packed.opened(file, MAX_MATRIX) as stream:
        text = stream.read().decode("utf-8-sig", errors="replace")
    try:
        rows = [[float(cell) for cell in row] for row in csv.reader(text.splitlines()) if row]
        matrix = np.array(rows, np.float64)
    except (ValueError, csv.Error) as error:
        raise InputError(f"{file.name} is no matrix as Xenium Explorer exports it.") from error
    last = matrix.shape == (3, 3) and np.allclose(matrix[2], [0, 0, 1]) and np.isfinite(matrix).all()
    if not last or abs(np.linalg.det(matrix[:2, :2])) < 1e-12:
        raise InputError(
            f"{file.name} is no 3 x 3 matrix with the last row 0, 0, 1, as Xenium Explorer exports it."
        )
    first, second = ((float(a), float(b), float(c)) for a, b, c in matrix[:2] * um)
    return first, second


def _aligned(file: Path, matrix: Affine | None, findings: Findings) -> Placed | None:
    """Place another picture, such as the H&E stain of the same section, by its alignment."""
    if _header(file, findings) is None:
        return None
    if matrix is None:
        findings.note(f"{file.name}: no alignment of Xenium Explorer says where this picture lies.")
    return Placed(file, TIFF.sub("", file.name).replace("_", " "), matrix)


def _note_absent(folder: Path, manifest: Mapping[str, Any], findings: Findings) -> None:
    """Say which pictures the manifest names, and the folder does not hold."""
    images = manifest.get("images")
    named = [str(name)[:80] for name in images.values()] if isinstance(images, dict) else []
    plain = [name for name in named if re.fullmatch(r"[\w-][\w.-]*(/[\w-][\w.-]*)?", name)]
    absent = [name for name in plain if not (folder / name).exists()]
    if absent:
        findings.note(f"experiment.xenium names pictures that are not here: {', '.join(absent[:5])}.")
