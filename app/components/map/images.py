"""The picture under the cells of a section: which it is, and what is known of it."""

from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app import session
from app.components.map.image_adding import add_image
from app.components.map.image_placing import number, place_image, unit_of
from app.exports.stamp import many
from app.maps.contract import Affine, Tiles
from app.text import as_text, sentence
from squint.errors import InputError
from squint.images import TILE, apply, describe, invert
from squint.library.images import (
    Images,
    SectionImage,
)
from squint.library.place import project_of, word_of
from squint.library.store import CELLS, Library, Section
from squint.library.tables import read_table

_NONE = ""  # the choice of no picture


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
            add_image(library, section)


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
        place_image(images, section, image)
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
    said = _describe(image.matrix, unit_of(section))
    inside = _share_of_cells(section, image)
    missed = (
        f", which are missed by {number(image.rmse)} {unit_of(section)} (RMSE)"
        if image.rmse is not None
        else ""
    )
    source = f"{many(len(image.landmarks), 'landmark')}{missed}" if image.landmarks else image.placed
    warning = "" if inside > 0.5 else " **Check its place.**"
    return f"{size}. Placed by: {source}. {said} {inside:.0%} of the cells lie on it.{warning}"


def _describe(matrix: NDArray[np.float64], unit: str) -> str:
    said = describe(matrix)
    across, down = (number(scale) for scale in said.scale)
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
