"""Files and folders streamed to the disk, as Streamlit's uploader holds them in memory; or imported."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app import session
from app.exports.stamp import many
from app.settings import max_upload
from app.text import as_text, sentence
from app.uploads.arrivals import UPLOADS, Rename
from app.uploads.dropped_folders import MAX_FILES
from app.uploads.parts import Arrived
from app.web.assets import DROP_ASSETS
from app.web.drop_contract import DropData, DropEvents
from squint.errors import InputError
from squint.io import transcript_files
from squint.library.import_folder import importable
from squint.library.people import ANALYST
from squint.library.store import Library

# The scripts come from a route of their own, so that they are cached and not sent with every rerun.
_START = f"""
export default async function (component) {{
  const scripts = new URL("{DROP_ASSETS.address}/drop.js", window.location.origin);
  return (await import(scripts)).default(component);
}}
"""

_component = st.components.v2.component("squint_file_drop", js=_START)


@dataclass(frozen=True)
class Taken:
    """What a place on a page takes."""

    endings: Sequence[str]  # of files, with the dot
    rename: Rename  # gives a file its harmless name, or refuses it with an InputError
    rename_folder: Rename | None = None  # the same for a folder; None: folders are not taken
    hint: str = ""  # what is read, in words


def show_drop(library: Library, place: str, taken: Taken, take: Callable[[Arrived], None]) -> None:
    """Let the user drop or choose a file or a folder of any size.

    Parameters
    ----------
    library
        In whose staging folder it arrives.
    place
        Key of the place on the page; a session sends one file or folder at a time from each.
    taken
        What is taken.
    take
        Called with what has come, which then is the caller's to keep or to unstage.
    """
    try:
        _drop(library, place, taken, take)
    except InputError as error:
        st.error(sentence(str(error)))


def show_larger(library: Library, place: str, taken: Taken, take: Callable[[Arrived], None]) -> None:
    """Offer :func:`show_drop` beside Streamlit's uploader, for files that are too large for that."""
    limit = st.get_option("server.maxUploadSize")
    # Drawn only while it is open: a page's own field for files stays the only one until then.
    box = st.expander(f"Larger than {limit} MB", key=f"larger-{place}", on_change="rerun")
    if not box.open:
        return
    with box:
        show_drop(library, place, taken, take)
        st.caption(
            "Or put the file into the folder `import` of the library, on the server, and choose it here."
        )


def show_arrived(arrived: Arrived, key: str, remove: Callable[[], None]) -> None:
    """Say what has come, and let the user remove it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        files = "" if arrived.n_files is None else f"{many(arrived.n_files, 'file')}, "
        size = f"{files}{arrived.n_bytes / 1e6:,.1f} MB, sha256 {arrived.sha256[:12]}"
        st.markdown(f"**{as_text(arrived.name)}** has come: {size}", width="content")
        st.button("Remove", key=f"{key}-remove", on_click=remove, type="tertiary")
    for label, n_bytes in transcript_files.labelled(arrived.too_large).items():
        st.info(
            f"{as_text(label)}, {_size(n_bytes)}, was left out: with it the folder is more than this server "
            "takes. To see its transcripts on the map, import the folder on the server "
            "(`squint import FOLDER`), before or after you keep it here."
        )
    if arrived.left_alone:
        st.caption(f"Not sent, as nothing here reads it: {some_of(arrived.left_alone)}.")


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:,.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:,.1f} MB"


def some_of(names: Sequence[str], at_most: int = 5) -> str:
    """Name some files, without their folders."""
    shown = list(dict.fromkeys(as_text(name.rpartition("/")[2]) for name in names))
    more = len(shown) - at_most
    return ", ".join(shown[:at_most]) + (f" and {more:,} more" if more > 0 else "")


def choose_importable(library: Library, taken: Taken, key: str) -> str | None:
    """Let the user choose from the import folder, if it holds anything."""
    names = importable(library, taken.endings, folders=taken.rename_folder is not None)
    if not names:
        return None
    return st.selectbox("Take from the import folder", names, index=None, key=key, format_func=str)


def _drop(library: Library, place: str, taken: Taken, take: Callable[[Arrived], None]) -> None:
    library.access.require(ANALYST, "upload")
    ids, max_bytes = session.upload_ids(), max_upload()
    if (arrived := UPLOADS.take(ids.get(place, ""))) is not None:
        take(arrived)
        st.rerun()
    if UPLOADS.get(ids.get(place, "")) is None:
        ids[place] = UPLOADS.open(
            library,
            taken.rename,
            max_bytes,
            taken.rename_folder,
            owner=session.asker(),
            person=session.person().id,
        )
    key = f"drop-{place}"
    data: DropData = {
        "address": session.signed(f"/upload/{ids[place]}"),
        "endings": list(taken.endings),
        "folders": taken.rename_folder is not None,
        "hint": taken.hint or ", ".join(taken.endings),
        "max_files": MAX_FILES,
        "max_bytes": max_bytes,
        "renewed": st.session_state.get(key, {}).get("renew"),  # a browser is not told of what did not change
    }
    callbacks: dict[str, Any] = {f"on_{event}_change": _nothing for event in DropEvents.__annotations__}
    told = _component(key=key, data=data, **callbacks)
    if told.done:
        st.error("What was sent is no longer on the server. Send it again.")


def _nothing() -> None:
    """Do nothing: a rerun is all that is wanted."""
