"""Where a picture lies under the cells: said by its pixel size, or by landmarks."""

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app import session
from app.text import sentence
from squint.errors import InputError
from squint.images import Fit, fit_affine
from squint.images.placing import scaling
from squint.library.images import BY_LANDMARKS, BY_PIXEL_SIZE, Images, SectionImage
from squint.library.store import Section

_COLUMNS = ("pixel x", "pixel y", "section x", "section y")


def place_image(images: Images, section: Section, image: SectionImage) -> None:
    """Let the user say where a picture lies under the cells of a section."""
    _by_size(images, section, image)
    _by_landmarks(images, section, image)


def set_landmark(
    section_id: str,
    image_id: str,
    number: int,
    *,
    pixel: tuple[float, float] | None = None,
    place: tuple[float, float] | None = None,
) -> None:
    """Set one end of a landmark, or both, as from a click on the map; a number beyond the last adds one."""
    state = session.landmarks(section_id, image_id)
    rows = [list(row) for row in state.rows]
    while len(rows) <= number:
        rows.append([None] * 4)
    rows[number] = [*(pixel or rows[number][:2]), *(place or rows[number][2:])]
    state.rows, state.given, state.table = rows, rows, state.table + 1


def _by_size(images: Images, section: Section, image: SectionImage) -> None:
    unit = unit_of(section)
    st.markdown("**By its pixel size.** The picture is upright, and its upper left corner lies at:")
    before = image.matrix if image.placed == BY_PIXEL_SIZE else None
    start = [0.0, 0.0] if before is None else before[:, 2].tolist()
    size = (
        image.um_per_pixel[0]
        if before is None and image.um_per_pixel
        else 0.5
        if before is None
        else before[0, 0]
    )
    with st.form(f"image-size-{image.id}"):
        columns = st.columns(3)
        x = columns[0].number_input(
            f"x ({unit})", value=float(start[0]), format="%g", key=f"image-x-{image.id}"
        )
        y = columns[1].number_input(
            f"y ({unit})", value=float(start[1]), format="%g", key=f"image-y-{image.id}"
        )
        per_pixel = columns[2].number_input(
            f"{unit} per pixel", value=float(size), min_value=1e-4, format="%g", key=f"image-um-{image.id}"
        )
        if st.form_submit_button("Place by pixel size"):
            down = per_pixel
            if image.um_per_pixel and per_pixel == image.um_per_pixel[0]:
                down = image.um_per_pixel[1]
            _place(images, section, image, scaling(per_pixel, down, x, y), BY_PIXEL_SIZE)


def _by_landmarks(images: Images, section: Section, image: SectionImage) -> None:
    st.markdown(
        "**By landmarks.** Points seen both in the picture (column and row of the full resolution) and "
        f"among the cells ({unit_of(section)}): three or more, far apart and not on one line."
    )
    state = session.landmarks(section.id, image.id)
    if not state.table:
        state.given = [list(row) for row in image.landmarks]
        state.rows, state.table = state.given, 1
    table = st.data_editor(
        pd.DataFrame(state.given, columns=list(_COLUMNS), dtype="float64"),
        num_rows="dynamic",
        key=f"landmarks-{section.id}-{image.id}-{state.table}",
        column_config={name: st.column_config.NumberColumn(name, format="%.2f") for name in _COLUMNS},
    )
    state.rows = [[None if pd.isna(value) else float(value) for value in row] for row in table.to_numpy()]
    even = st.checkbox(
        "Only turn, scale evenly and shift",
        key=f"image-even-{image.id}",
        help="Two landmarks are enough then, and their errors cannot shear the picture.",
    )
    if st.button("Place by these landmarks", key=f"image-landmarks-{image.id}"):
        _fit(images, section, image, state.rows, even=even)


def _fit(
    images: Images, section: Section, image: SectionImage, rows: list[list[float | None]], *, even: bool
) -> None:
    """Place a picture by landmarks, or say why they do not."""
    whole = [row for row in rows if any(value is not None for value in row)]
    points = np.array([[np.nan if value is None else value for value in row] for row in whole]).reshape(-1, 4)
    try:
        fit = fit_affine(points[:, :2], points[:, 2:], similarity=even)
    except InputError as error:
        st.error(sentence(str(error)))
        return
    _place(images, section, image, fit.affine, BY_LANDMARKS, points=points, fit=fit)


def _place(
    images: Images,
    section: Section,
    image: SectionImage,
    affine: NDArray[np.float64],
    source: str,
    *,
    points: NDArray[np.float64] | None = None,
    fit: Fit | None = None,
) -> None:
    try:
        landmarks = [] if points is None else points.tolist()
        images.place(
            section.id, image.id, affine, source, landmarks=landmarks, rmse=fit.rmse if fit else None
        )
    except InputError as error:
        st.error(sentence(str(error)))
        return
    if fit is not None:
        unit = unit_of(section)
        unseen = (
            ""
            if fit.leave_one_out is None
            else f"; a landmark left out by {number(fit.leave_one_out)} {unit}"
        )
        missed = f"The landmarks are missed by {number(fit.rmse)} {unit} (RMSE){unseen}."
        exact = " They are just enough: add one to learn how far off they are." if fit.rmse < 1e-6 else ""
        st.toast(f"Placed. {missed}{exact}", duration="long")
    st.rerun()


def unit_of(section: Section) -> str:
    """Name the unit of a section's positions, after a number."""
    return "units" if section.unit == "unknown" else "µm"


def number(value: float) -> str:
    """Give a number with three digits."""
    return f"{value:.3g}"
