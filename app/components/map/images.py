"""The picture under the cells: add one, choose one, say where it lies."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app import session
from app.components.file_drop.component import Taken, choose_importable, show_arrived, show_larger
from app.components.job import run
from app.exports.stamp import many
from app.maps.contract import Affine, Tiles
from app.requests import AddImage, LookAtImage
from app.text import as_text, sentence
from app.unkept import ImageUpload
from app.uploads.parts import Arrived
from squint.errors import InputError
from squint.images import TILE, Fit, apply, describe, fit_affine, invert
from squint.images.placing import scaling
from squint.library.images import (
    BY_LANDMARKS,
    BY_PIXEL_SIZE,
    COMPANIONS,
    ENDINGS,
    Addition,
    Images,
    SectionImage,
    file_name,
)
from squint.library.place import project_of, word_of
from squint.library.store import CELLS, Library, Section
from squint.library.tables import read_table

_NONE = ""  # the choice of no picture
_COLUMNS = ("pixel x", "pixel y", "section x", "section y")
_HOLD_SEVERAL = (".zip", ".zarr", ".h5ad")
_LARGE = tuple(ending for ending in ENDINGS if ending != ".zarr")  # a folder cannot be sent
_LIMIT_S = 3 * 3600


class Shown(Tiles):
    """The picture that is shown under a section's cells."""

    affine: Affine | None  # where it lies; nobody has said so yet


def picture_of(library: Library, section: Section) -> Shown | None:
    """Say what the browser needs to draw the picture that is shown under a section's cells, if one is."""
    image = _shown(Images(library), section)
    if image is None:
        return None
    address = session.signed(f"/map/tiles/{word_of(project_of(library.home))}/{section.id}/{image.id}")
    path, query = address.split("?")
    return {
        "id": image.id,
        "name": image.name,
        "width": image.width,
        "height": image.height,
        "tile": TILE,
        "levels": image.levels,
        "affine": _six(*image.affine) if image.affine else None,
        "path": path,
        "query": query,
    }


def _six(a: float, b: float, c: float, d: float, e: float, f: float) -> Affine:
    return a, b, c, d, e, f


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


def choose_one(sections: Sequence[Section]) -> Section:
    """Let the user choose the section whose picture is meant."""
    by_id = {section.id: section for section in sections}
    if len(by_id) == 1:
        return sections[0]
    session.keep_valid(f"{session.IMAGE}-section", list(by_id))
    chosen = st.selectbox(
        "Image under the cells of",
        list(by_id),
        format_func=lambda section_id: by_id[section_id].title,
        key=f"{session.IMAGE}-section",
    )
    return by_id[str(chosen)]


def show_images(library: Library, section: Section) -> None:
    """Show which picture lies under a section's cells, and let the user add, place and delete pictures."""
    images = Images(library)
    with st.expander("Image under the cells", icon=":material/image:", key=f"images-{section.id}"):
        _show_damaged(images, section)
        known = {image.id: image for image in images.of(section.id)}
        if known:
            _choose(images, section, known)
        elif not session.may_change():
            st.caption("There is none.")
        if session.may_change():
            _add(library, section)


def _show_damaged(images: Images, section: Section) -> None:
    """Say which pictures are damaged; all others are shown as ever."""
    for one in images.damaged(section.id):
        st.markdown(f":material/broken_image: **{as_text(one.name)}** is damaged, and shown nowhere.")
        st.caption(f"{sentence(one.why)} Delete it, or add it again: its place under the cells is kept then.")
        if not session.may_change():
            continue
        st.button(
            "Delete the damaged picture",
            key=f"image-delete-{one.id}",
            on_click=_delete,
            args=(images, section.id, one.id),
        )


def _shown(images: Images, section: Section) -> SectionImage | None:
    known = {image.id: image for image in images.of(section.id)}
    first = next((key for key, image in known.items() if image.affine), next(iter(known), _NONE))
    chosen = st.session_state.get(f"{session.IMAGE}-{section.id}", first)
    # Once a picture is placed, a browser may still hold the words that it was offered with before.
    return known.get(chosen if chosen in {*known, _NONE} else first)


def _choose(images: Images, section: Section, known: dict[str, SectionImage]) -> None:
    key = f"{session.IMAGE}-{section.id}"
    state = session.image_upload(section.id)
    if state.added:  # is shown; only before its widget is made can a choice be set
        st.session_state[key], state.added = state.added, ""
    session.keep_valid(key, [*known, _NONE])
    shown = _shown(images, section)
    chosen = st.selectbox(
        "Image shown",
        [*known, _NONE],
        index=[*known, _NONE].index(shown.id if shown else _NONE) if key not in st.session_state else 0,
        format_func=lambda image_id: _title(known[image_id]) if image_id else "none",
        key=key,
        persist_state="session",
    )
    if not chosen:
        return
    image = known[chosen]
    st.markdown(_facts(section, image))
    for note in image.notes:
        st.caption(sentence(note))
    if not session.may_change():
        return
    with st.popover("Place it otherwise" if image.affine else "Place it", icon=":material/pin_drop:"):
        _place_by_size(images, section, image)
        _place_by_landmarks(images, section, image)
    with st.popover("Delete", icon=":material/delete:", type="tertiary"):
        st.markdown("The picture is removed from the server. This cannot be undone.")
        st.button(
            "Delete for good",
            key=f"image-delete-{image.id}",
            type="primary",
            on_click=_delete,
            args=(images, section.id, image.id),
        )


def _delete(images: Images, section_id: str, image_id: str) -> None:
    with suppress(InputError):  # it is gone: somebody was faster
        images.delete(section_id, image_id)


def _title(image: SectionImage) -> str:
    channel = f", {image.channel}" if image.channel else ""
    return f"{image.name}{channel}{'' if image.affine else ' (not placed yet)'}"


def _facts(section: Section, image: SectionImage) -> str:
    """Say what was understood of a picture, and what speaks for its place."""
    size = f"{image.width:,} x {image.height:,} pixels"
    if image.matrix is None:
        named = f", {image.um_per_pixel[0]:.4g} µm each" if image.um_per_pixel else ""
        return f"{size}{named}. The file does not say **where it lies** under the cells: place it."
    said = _describe(image.matrix, _unit(section))
    inside = _share_of_cells(section, image)
    missed = (
        f", which are missed by {_number(image.rmse)} {_unit(section)} (RMSE)"
        if image.rmse is not None
        else ""
    )
    source = f"{many(len(image.landmarks), 'landmark')}{missed}" if image.landmarks else image.placed
    warning = "" if inside > 0.5 else " **Check its place.**"
    return f"{size}. Placed by: {source}. {said} {inside:.0%} of the cells lie on it.{warning}"


def _describe(matrix: NDArray[np.float64], unit: str) -> str:
    said = describe(matrix)
    across, down = (_number(scale) for scale in said.scale)
    size = across if across == down else f"{across} across, {down} down"
    parts = [f"{size} {unit} per pixel", f"turned by {said.rotation:.1f}°"]
    if abs(said.shear) >= 0.05:
        parts.append(f"sheared by {said.shear:.1f}°")
    if said.mirrored:
        parts.append("mirrored")
    return f"{', '.join(parts)}."


def _share_of_cells(section: Section, image: SectionImage) -> float:
    if image.matrix is None:
        return 0.0
    path = session.library().path(section.id, CELLS)
    cells = read_table(path, columns=["x", "y"]).to_numpy(dtype=np.float64)
    at = apply(invert(image.matrix), cells)
    return float(((at >= 0) & (at < [image.width, image.height])).all(axis=1).mean())


def _place_by_size(images: Images, section: Section, image: SectionImage) -> None:
    unit = _unit(section)
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


def _place_by_landmarks(images: Images, section: Section, image: SectionImage) -> None:
    st.markdown(
        "**By landmarks.** Points seen both in the picture (column and row of the full resolution) and "
        f"among the cells ({_unit(section)}): three or more, far apart and not on one line."
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
        unit = _unit(section)
        unseen = (
            ""
            if fit.leave_one_out is None
            else f"; a landmark left out by {_number(fit.leave_one_out)} {unit}"
        )
        missed = f"The landmarks are missed by {_number(fit.rmse)} {unit} (RMSE){unseen}."
        exact = " They are just enough: add one to learn how far off they are." if fit.rmse < 1e-6 else ""
        st.toast(f"Placed. {missed}{exact}", duration="long")
    st.rerun()


def _add(library: Library, section: Section) -> None:
    """Take a picture through the steps; nothing is kept before the last."""
    images, state = Images(library), session.image_upload(section.id)
    st.markdown("**Add a picture**")
    uploads = st.file_uploader(
        "OME-TIFF, TIFF, PNG, JPEG, a zip of SpatialData, or an .h5ad of Visium; with it, if there is "
        "one, the file that says where it lies (\\*_imagealignment.csv, scalefactors_json.json)",
        accept_multiple_files=True,
        type=[ending[1:] for ending in (*ENDINGS, *COMPANIONS) if ending != ".zarr"],
        key=f"image-upload-{section.id}-{state.widget}",
    )
    key = f"image-import-{section.id}-{state.widget}"
    name = choose_importable(library, Taken(ENDINGS, _picture_name), key)
    place, widget, arrived = f"image-{section.id}", state.widget, state.arrived
    show_larger(
        library,
        place,
        Taken(_LARGE, _picture_name),
        lambda new: _reset(library, section, widget, arrived=new),
    )
    if arrived:
        show_arrived(arrived, place, lambda: _reset(library, section, widget))
    given = [*(upload.file_id for upload in uploads), name, arrived.sha256 if arrived else None]
    chosen = tuple(str(each) for each in given if each)
    if chosen != state.chosen:
        _reset(library, section, widget, arrived=arrived)
        state = session.image_upload(section.id)
        state.chosen = chosen
        try:
            _take(images, state, uploads, name)
        except InputError as error:
            st.error(sentence(str(error)))
    if state.path is not None:
        _look_and_add(library, section, state)


def _take(images: Images, state: ImageUpload, uploads: list[Any], name: str | None) -> None:
    pictures = [upload for upload in uploads if Path(upload.name).suffix.lower() not in COMPANIONS]
    beside = [upload for upload in uploads if upload not in pictures]
    if len(pictures) + bool(name) + bool(state.arrived) > 1 or len(beside) > 1:
        raise InputError("Give one picture at a time, and at most one file that says where it lies.")
    if pictures:
        state.path = images.stage(pictures[0], pictures[0].name)
    elif state.arrived:
        state.path = state.arrived.path
    elif name and name in images.importable():
        state.path = images.import_folder / name
    if beside and state.path:
        with_it = state.path if pictures else None
        state.placement = images.stage(beside[0], beside[0].name, beside=with_it)


def _look_and_add(library: Library, section: Section, state: ImageUpload) -> None:
    assert state.path is not None  # noqa: S101 - asked by the caller
    element = ""
    if state.path.suffix.lower() in _HOLD_SEVERAL:
        label = "Which picture of the file, if it holds several"
        element = st.text_input(label, key=f"image-element-{section.id}-{state.widget}")
    addition = Addition(section.id, str(state.path), str(state.placement or ""), element)
    if state.found is None or state.found["addition"] != addition:
        seen = run(LookAtImage(addition), library, "Opening the picture")
        if seen is None:
            return
        state.found = {**seen, "addition": addition}
    found = state.found
    st.markdown(_seen(found))
    channel = 0
    if not found["rgb"] and len(found["channels"]) > 1:
        channel = st.selectbox(
            "Channel",
            range(len(found["channels"])),
            format_func=lambda i: found["channels"][i],
            key=f"image-channel-{section.id}-{state.widget}",
        )
    if st.button("Add this picture", key=f"image-add-{section.id}", type="primary"):
        state.adding = True
    if state.adding:
        _keep(library, section, state, replace(addition, channel=channel))


def _seen(found: dict[str, Any]) -> str:
    colours = "colour" if found["rgb"] else many(len(found["channels"]), "channel")
    um = found["um_per_pixel"]
    size = f", {um[0]:.4g} µm per pixel" if um else ""
    place = "" if found["affine"] else " Where it lies is not said, and is asked next."
    notes = "".join(f" {sentence(note)}" for note in found["notes"])
    return f"{found['width']:,} x {found['height']:,} pixels, {colours}{size}.{place}{notes}"


def _keep(library: Library, section: Section, state: ImageUpload, addition: Addition) -> None:
    what = "Adding a picture"
    added = run(AddImage(addition), library, what, limit_s=_LIMIT_S)
    state.adding = False
    if added is None:
        return
    _reset(library, section, state.widget + 1)
    session.image_upload(section.id).added = added["id"]
    st.rerun()


def _reset(library: Library, section: Section, widget: int, arrived: Arrived | None = None) -> None:
    """Begin anew, or with a large file that has come."""
    state = session.image_upload(section.id)
    for path in {state.path, state.placement, state.arrived.path if state.arrived else None}:  # each once
        if path is not None and not (arrived and path == arrived.path):
            library.unstage(path)
    st.session_state[f"_{session.IMAGE}-{section.id}"] = ImageUpload(widget=widget, arrived=arrived)


def _picture_name(name: str) -> str:
    if name.lower().endswith(COMPANIONS):
        raise InputError("This file says where a picture lies. Give it in the field above, with the picture.")
    return file_name(name)


def _unit(section: Section) -> str:
    return "units" if section.unit == "unknown" else "µm"


def _number(value: float) -> str:
    return f"{value:.3g}"
