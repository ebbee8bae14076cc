"""Where the cells of a CosMx run lie: fields of view put together, which way y points, and what a pixel is.

Flat files give positions in pixels of each field, in pixels or millimetres of the slide, or both. Pixels of a
field count the rows of its picture downwards. The slide's own y points the same way in some versions and the
other way in others, so it is read off the cells that have both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from squint import keys
from squint.errors import InputError
from squint.io.content import Answers
from squint.io.findings import AskedError, Findings, Question

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NAMES: Mapping[str, tuple[tuple[str, str], ...]] = {  # in small letters; the first pair that is there counts
    "mm": (
        ("x_slide_mm", "y_slide_mm"),
        ("centerx_global_mm", "centery_global_mm"),
        ("x_global_mm", "y_global_mm"),
        ("x_mm", "y_mm"),
    ),
    "px": (
        ("centerx_global_px", "centery_global_px"),
        ("x_global_px", "y_global_px"),
        ("x_slide_px", "y_slide_px"),
    ),
    "local": (
        ("centerx_local_px", "centery_local_px"),
        ("x_local_px", "y_local_px"),
        ("x_fov_px", "y_fov_px"),
    ),
}
PIXELS = 2.0  # a cell's two positions may be rounded, and disagree by so much
AGREE = 0.01  # relative difference up to which two measures of one scale are the same
HINT = (
    "Positions count pixels: .12028 um on instruments from 2022, .18 before: see the run's summary. Or add "
    "the positions of fields in px and mm."
)


@dataclass(frozen=True)
class Fields:
    """Takes pixels of a field to positions: ``slope * pixel + offset of the field``, for x and y."""

    slope: tuple[float, float]
    names: Ints  # (fields,) ascending
    offsets: Floats  # (fields, 2)

    def place(self, fov: Ints, local: Floats) -> Floats:
        """Give positions (n, 2) of pixels (n, 2); NaN in fields that are not known."""
        at = np.minimum(np.searchsorted(self.names, fov), len(self.names) - 1)
        placed = local * self.slope + self.offsets[at]
        placed[self.names[at] != fov] = np.nan
        return placed


class Places(NamedTuple):
    """Positions of cells."""

    xy: Floats  # (n, 2), x right and y down
    um_per_unit: float | None
    um_per_pixel: float | None  # of a field's pixel
    fields: Fields | None  # to place what is given in pixels of a field
    y_sign: float  # that positions as stored were multiplied by
    in_pixels: bool  # of the slide


def columns_of(table: pd.DataFrame, kind: str) -> list[str] | None:
    """Give the columns of x and y; see ``NAMES`` for the kinds."""
    by_name = {str(column).lower(): str(column) for column in table.columns}
    pair = next((pair for pair in NAMES[kind] if pair[0] in by_name and pair[1] in by_name), None)
    return None if pair is None else [by_name[name] for name in pair]


def show_fields(cells: pd.DataFrame) -> bool:
    """Say whether cells have positions both in their fields and on the slide."""
    found = {kind: columns_of(cells, kind) is not None for kind in NAMES}
    return found["local"] and (found["mm"] or found["px"])


def numbers(table: pd.DataFrame, columns: list[str], file: str) -> Floats:
    """Give columns as float64 (n, 2).

    Raises
    ------
    InputError
        If they hold anything but numbers.
    """
    for column in columns:
        if not pd.api.types.is_numeric_dtype(table[column].dtype):
            raise InputError(
                f"{file}: column {column!r} holds text where positions are expected. Correct it."
            )
    return table[columns].to_numpy(np.float64)


def fit_fields(fov: Ints, local: Floats, placed: Floats) -> Fields | None:
    """Find what takes pixels of fields to positions, from cells that have both.

    Parameters
    ----------
    fov
        (n,) field of each cell.
    local, placed
        (n, 2) its pixel in the field, and its position.

    Returns
    -------
    The placing; None if there is none with one slope for all fields that hits every cell within rounding.
    """
    finite = np.isfinite(local).all(axis=1) & np.isfinite(placed).all(axis=1)
    fov, local, placed = fov[finite], local[finite], placed[finite]
    if not len(fov):
        return None
    names, codes = np.unique(fov, return_inverse=True)
    counts = np.bincount(codes)
    means = [
        np.column_stack([np.bincount(codes, values[:, axis]) / counts for axis in (0, 1)])
        for values in (local, placed)
    ]
    from_mean, to_mean = local - means[0][codes], placed - means[1][codes]
    spread = (from_mean**2).sum(axis=0)
    if not (spread > 0).all():
        return None
    slope = (from_mean * to_mean).sum(axis=0) / spread
    if not slope.all() or (np.abs(to_mean - slope * from_mean) > PIXELS * np.abs(slope)).any():
        return None
    if abs(abs(slope[1] / slope[0]) - 1) > AGREE:
        return None
    return Fields((float(slope[0]), float(slope[1])), names, means[1] - slope * means[0])


def scale_of(fields: pd.DataFrame | None, cells: pd.DataFrame) -> tuple[float, str] | None:
    """Find how many micrometres a pixel has, where it can be proved.

    Parameters
    ----------
    fields
        Positions of fields, perhaps in both pixels and millimetres.
    cells
        Table of cells, perhaps with areas in both pixels and square micrometres.

    Returns
    -------
    Micrometres, and what shows them; None if nothing does.
    """
    if fields is not None and (scale := _scale_of_fields(fields)) is not None:
        return scale, "positions of fields in px and mm"
    if {"Area", "Area.um2"} <= set(cells.columns):
        pixels, um2 = (pd.to_numeric(cells[name], errors="coerce") for name in ("Area", "Area.um2"))
        ratios = np.sqrt(um2[pixels > 0] / pixels[pixels > 0])
        scale = float(np.median(ratios)) if len(ratios) else 0.0
        if scale > 0 and (np.abs(ratios / scale - 1) < AGREE).mean() > 1 - AGREE:
            return scale, "areas of cells in px and um2"
    return None


def _scale_of_fields(fields: pd.DataFrame) -> float | None:
    """Compare distances in pixels and millimetres: of fields from each other, or of one from the origin."""
    px, mm = columns_of(fields, "px"), columns_of(fields, "mm")
    if px is None or mm is None:
        return None
    values = [
        fields[columns].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64) for columns in (px, mm)
    ]
    in_px, in_mm = (v - (v.mean(axis=0) if len(fields) > 1 else 0) for v in values)
    spread = (in_px**2).sum(axis=0)
    used = spread > 0
    if (
        used.sum() < (1 if len(fields) > 1 else 2)
        or not np.isfinite(spread).all()
        or not np.isfinite(in_mm).all()
    ):
        return None
    slopes = (in_px * in_mm).sum(axis=0)[used] / spread[used]
    residual = np.abs(in_mm[:, used] - slopes * in_px[:, used]).max()
    scale = float(np.sqrt((in_mm**2).sum() / (in_px**2).sum()))
    agree = (np.abs(np.abs(slopes) / scale - 1) < AGREE).all() if scale > 0 else False
    return 1000 * scale if agree and residual <= AGREE * np.abs(in_mm).max() else None


def place(
    cells: pd.DataFrame,
    fields: pd.DataFrame | None,
    from_outlines: Fields | None,
    answers: Answers,
    findings: Findings,
    file: str,
) -> Places:
    """Give positions of cells.

    Parameters
    ----------
    cells
        The table of cells, with ``fov``.
    fields
        The table of field positions.
    from_outlines
        What corners of outlines show of where fields lie.
    answers
        What the user says.
    findings
        Added to.
    file
        The table's name.

    Returns
    -------
    The positions.

    Raises
    ------
    InputError
        If there are none.
    AskedError
        If cells have pixels of their fields alone, and it is not known where the fields lie.
    """
    mm, px, local = (columns_of(cells, kind) for kind in ("mm", "px", "local"))
    fov = cells["fov"].to_numpy(np.int64)
    in_field = None if local is None else numbers(cells, local, file)
    if mm is None and px is None:
        if in_field is None:
            raise InputError(
                f"{file} has no positions (CenterX_global_px, x_slide_mm or CenterX_local_px). Export it "
                "again."
            )
        xy, found = _from_fields(fov, in_field, from_outlines, answers, file)
        placing: Fields | None = found
    else:
        xy = numbers(cells, mm or px or [], file)
        placing = None if in_field is None else fit_fields(fov, in_field, xy)
        if in_field is not None and placing is None:
            findings.note(
                f"{file}: positions on the slide and in fields do not agree: the slide's alone are used."
            )
    _check_finite(xy, cells, file)
    sign = -1.0 if placing is not None and placing.slope[1] < 0 else 1.0
    _say_direction(sign, known=placing is not None, findings=findings, file=file)
    if sign < 0 and placing is not None:
        xy = xy * (1, sign)
        placing = Fields((placing.slope[0], -placing.slope[1]), placing.names, placing.offsets * (1, sign))
    if mm is not None:
        per_pixel = None if placing is None else 1000 * abs(placing.slope[0])
        return Places(xy, 1000.0, per_pixel, placing, sign, in_pixels=False)
    scale = scale_of(fields, cells)
    if scale is not None:
        findings.find(f"{scale[0]:.5g} um per pixel", None, file, f"shown by {scale[1]}")
    stated = None if scale is None else scale[0]
    return Places(xy, stated, stated, placing, sign, in_pixels=True)


def _check_finite(xy: Floats, cells: pd.DataFrame, file: str) -> None:
    if len(bad := np.flatnonzero(~np.isfinite(xy).all(axis=1))):
        raise InputError(
            f"{file}: {len(bad):,} cells have no position, the first is {cells.index[bad[0]]}. Export it "
            "again, or remove them from both tables."
        )


def _say_direction(sign: float, *, known: bool, findings: Findings, file: str) -> None:
    if sign < 0:
        why = "on the slide it points against the rows of the fields' pictures: turned round"
    elif known:
        why = "on the slide it points along the rows of the fields' pixels: as stored"
    else:
        why = "nothing shows it: as stored"
    findings.assume("y points down", why, file)


def _from_fields(
    fov: Ints, local: Floats, from_outlines: Fields | None, answers: Answers, file: str
) -> tuple[Floats, Fields]:
    """Place cells that have only pixels of their fields."""
    names = np.unique(fov)
    if from_outlines is not None and set(names) <= set(from_outlines.names):
        return from_outlines.place(fov, local), from_outlines
    if len(names) > 1 and answers.columns.get(keys.SECTION) != "fov":
        words = (
            f"Cells of {len(names):,} fields have positions within their fields alone, and nothing shows "
            "how the fields lie. Export the table with global positions, or read each field as a section."
        )
        raise AskedError(Question(f"column {keys.SECTION}", words, ("fov",), file))
    return local, Fields((1.0, 1.0), names.astype(np.int64), np.zeros((len(names), 2)))


def areas(cells: pd.DataFrame, um_per_pixel: float | None) -> Any:
    """Give areas of cells in square micrometres, if they are stated or a pixel's size is known; else None."""
    if "Area.um2" in cells:
        return pd.to_numeric(cells["Area.um2"], errors="coerce")
    if "Area" in cells and um_per_pixel is not None:
        return pd.to_numeric(cells["Area"], errors="coerce") * um_per_pixel**2
    return None
