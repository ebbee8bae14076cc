"""Cell sets saved to files for QuPath and Xenium Explorer, and made of such files, by a worker."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import streamlit as st

from app import session
from app.cell_sets.store import CellSet, CellSets
from app.components.download import File, Left, download
from app.components.file_job import MOST_BYTES, work_on
from app.engine.client import ask
from app.exports.stamp import many, stamp
from app.requests import BringIn, WriteSet
from squint.library.chain import CELL_SET
from squint.library.store import Library, Section, harmless_name

Form = Literal["geojson", "groups", "selection"]
_UM, _PIXELS = "µm", "pixels, for QuPath"
_XENIUM_PIXEL_UM = 0.2125
_LIMIT_S = 60  # for writing: a set of a million cells takes a few
_PATIENCE_S = 300  # with the wait for what was asked for before


def save_files(library: Library, one: CellSet, sections: Sequence[Section], place: str) -> None:
    """Offer a set of one section as files for QuPath and Xenium Explorer."""
    label = "Save for QuPath or Xenium Explorer"
    with st.expander(label, icon=":material/download:", key=f"{place}-save-files"):
        section = _one_of(sections, f"{place}-save-section")
        size, ready = None, True
        if section.unit != "unknown":
            unit, pixel = st.columns(2)
            chosen = unit.segmented_control(
                "Coordinates in", [_UM, _PIXELS], default=_UM, required=True, key=f"{place}-unit"
            )
            if chosen == _PIXELS:
                size = _pixel_size(pixel, section, f"{place}-save-pixel")
                ready = size is not None
        else:
            st.caption("Units unknown: coordinates are written as they are, and the file says so.")
        name = harmless_name(f"{one.name}_{section.section}")
        outline = bool(CellSets(library).outline(one, section.id))
        marks = stamp(f"Cell set {one.name}", [section], None, {"made": one.how})
        marks["Cells"] = (
            f"n = {many(CellSets(library).n_cells(one, section.id), 'cell')}, of {marks['Cells']}"
        )
        written = partial(_written, library, one.id, section.id)
        with st.container(horizontal=True):
            download(
                "GeoJSON" if outline else "GeoJSON, positions of cells",
                lambda: written("geojson", size, marks),
                File(f"{name}.geojson", "application/geo+json"),
                Left(CELL_SET, [section.id], of=one.id),
                key=f"{place}-geojson",
                disabled=not ready,
                help="QuPath: File > Import objects",
            )
            download(
                "Cell groups",
                lambda: written("groups"),
                File(f"{name}_cell_groups.csv", "text/csv"),
                Left(CELL_SET, [section.id], of=one.id),
                key=f"{place}-groups",
                help="Xenium Explorer: cell_id, group, color. Without a stamp, which it could not read.",
            )
            if outline and section.unit != "unknown":
                download(
                    "Selection",
                    lambda: written("selection"),
                    File(f"{name}_coordinates.csv", "text/csv"),
                    Left(CELL_SET, [section.id], of=one.id),
                    key=f"{place}-selection",
                    help="Coordinates in µm, in the form of Xenium Explorer's selections",
                )


def _written(
    library: Library,
    set_id: str,
    section_id: str,
    form: Form,
    pixel_size_um: float | None = None,
    marks: Mapping[str, str] | None = None,
) -> bytes:
    """Let a worker write a file once its button is clicked; Streamlit asks for it in a thread of its own."""
    asked = WriteSet(set_id, section_id, form, pixel_size_um, marks or {})
    path = Path(ask(asked, library, limit_s=_LIMIT_S).result(_PATIENCE_S))
    try:
        return path.read_bytes()
    finally:
        library.unstage(path)


def load_files(library: Library, sections: Sequence[Section], place: str) -> None:
    """Make cell sets of a file from QuPath or Xenium Explorer."""
    label = "Load from QuPath or Xenium Explorer"
    with st.expander(label, icon=":material/upload_file:", key=f"{place}-load-files"):
        st.caption(
            "GeoJSON of annotations, or a CSV of cell groups (`cell_id,group`) or of a selection's "
            "coordinates (`Selection,X,Y`). Each name in the file becomes a cell set."
        )
        section = _one_of(sections, f"{place}-load-section")
        n_loaded = st.session_state.get(f"_{place}-loaded", 0)  # so that the next begins with an empty widget
        file = st.file_uploader(
            "File",
            type=["geojson", "json", "csv"],
            key=f"{place}-file-{n_loaded}",
            max_upload_size=MOST_BYTES // 10**6,
        )
        size = _pixel_size(st, section, f"{place}-load-pixel")
        skip = st.checkbox("Leave out cells that this section does not have", key=f"{place}-skip")
        name = file.name if file else ""
        notes = work_on(
            library,
            file,
            lambda path: BringIn(section.id, path, name, size, skip),
            "Make cell sets of it",
            "Making cell sets",
            f"{place}-load",
        )
        if notes is not None:
            st.session_state[f"_{place}-told"] = (False, "; ".join(notes) + ".")
            st.session_state[f"_{place}-loaded"] = n_loaded + 1
            st.rerun()


def _pixel_size(column: Any, section: Section, key: str) -> float | None:
    """Ask how large a pixel is; nothing is taken for granted but Xenium's."""
    size = column.number_input(
        "µm per pixel (1 for files in µm)" if key.endswith("load-pixel") else "µm per pixel",
        min_value=0.001,
        max_value=1_000.0,
        value=_XENIUM_PIXEL_UM if "xenium" in section.assay.lower() else None,
        format="%.4f",
        key=f"{key}-{section.id}",
        help="Of the picture in QuPath. A file of this dashboard says its own.",
    )
    return None if size is None else float(size)


def _one_of(sections: Sequence[Section], key: str) -> Section:
    by_id = {section.id: section for section in sections}
    session.keep_valid(key, list(by_id))
    chosen = st.selectbox("Section", list(by_id), format_func=lambda name: by_id[name].title, key=key)
    return by_id[str(chosen)]
