"""Adding a picture to a section: a file, what it holds, and only then keeping it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import streamlit as st

from app import session
from app.components.file_drop.component import Taken, choose_importable, show_arrived, show_larger
from app.components.job import run
from app.exports.stamp import many
from app.requests import AddImage, LookAtImage
from app.text import sentence
from app.unkept import ImageUpload
from app.uploads.parts import Arrived
from squint.errors import InputError
from squint.library.images import COMPANIONS, ENDINGS, Addition, Images, file_name
from squint.library.store import Library, Section

_HOLD_SEVERAL = (".zip", ".zarr", ".h5ad")
_LARGE = tuple(ending for ending in ENDINGS if ending != ".zarr")  # a folder cannot be sent
_LIMIT_S = 3 * 3600


def add_image(library: Library, section: Section) -> None:
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
