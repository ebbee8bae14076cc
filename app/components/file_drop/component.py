"""Files too large for Streamlit's uploader, which holds them in memory: streamed to the disk, or imported."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from app import session
from app.library.arrivals import UPLOADS, Arrived, Rename, importable
from app.library.store import Library
from app.settings import max_upload
from app.text import as_text, sentence
from app.web.assets import DROP_ASSETS
from app.web.buffers import SIGNER
from app.web.drop_contract import DropData, DropEvents
from squint.errors import InputError

# The scripts come from a route of their own, so that they are cached and not sent with every rerun.
_START = f"""
export default async function (component) {{
  const scripts = new URL("{DROP_ASSETS.address}/drop.js", window.location.origin);
  return (await import(scripts)).default(component);
}}
"""

_component = st.components.v2.component("squint_file_drop", js=_START)


def show_larger(
    library: Library, place: str, endings: Sequence[str], rename: Rename, take: Callable[[Arrived], None]
) -> None:
    """Offer a way for files that are larger than Streamlit's uploader takes.

    Parameters
    ----------
    library
        In whose staging folder they arrive.
    place
        Key of the place on the page; a session sends one file at a time from each.
    endings
        Of the files, with the dot.
    rename
        Gives a file its harmless name, or refuses it with an :class:`InputError`.
    take
        Called with a file that has come, which then is the caller's to keep or to unstage.
    """
    limit = st.get_option("server.maxUploadSize")
    # Drawn only while it is open: a page's own field for files stays the only one until then.
    box = st.expander(f"Larger than {limit} MB", key=f"larger-{place}", on_change="rerun")
    if not box.open:
        return
    with box:
        try:
            _drop(library, place, endings, rename, take)
        except InputError as error:
            st.error(sentence(str(error)))
        st.caption(
            "Or put the file into the folder `import` of the library, on the server, and choose it here."
        )


def show_arrived(arrived: Arrived, key: str, remove: Callable[[], None]) -> None:
    """Say what has come, and let the user remove it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        size = f"{arrived.n_bytes / 1e6:,.1f} MB, sha256 {arrived.sha256[:12]}"
        st.markdown(f"**{as_text(arrived.name)}** has come: {size}", width="content")
        st.button("Remove", key=f"{key}-remove", on_click=remove, type="tertiary")


def choose_importable(library: Library, endings: Sequence[str], key: str) -> str | None:
    """Let the user choose a file of the import folder, if there is one."""
    names = importable(library, endings)
    if not names:
        return None
    return st.selectbox("Take from the import folder", names, index=None, key=key, format_func=str)


def _drop(
    library: Library, place: str, endings: Sequence[str], rename: Rename, take: Callable[[Arrived], None]
) -> None:
    ids, max_bytes = session.upload_ids(), max_upload()
    if (arrived := UPLOADS.take(ids.get(place, ""))) is not None:
        take(arrived)
        st.rerun()
    if UPLOADS.get(ids.get(place, "")) is None:
        ids[place] = UPLOADS.open(library, rename, max_bytes)
    key = f"drop-{place}"
    data: DropData = {
        "address": SIGNER.sign(f"/upload/{ids[place]}"),
        "endings": list(endings),
        "max_bytes": max_bytes,
        "renewed": st.session_state.get(key, {}).get("renew"),  # a browser is not told of what did not change
    }
    callbacks: dict[str, Any] = {f"on_{event}_change": _nothing for event in DropEvents.__annotations__}
    told = _component(key=key, data=data, **callbacks)
    if told.done:
        st.error("The file is no longer on the server. Send it again.")


def _nothing() -> None:
    """Do nothing: a rerun is all that is wanted."""
