"""The only button by which something leaves the dashboard: it notes so first, or nothing leaves."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import streamlit as st

from app import audit, session
from app.text import sentence
from squint.library.acting import acting, actor
from squint.library.people import VIEWER


class File(NamedTuple):
    """What a browser is to make of a download."""

    name: str
    mime: str


class Left(NamedTuple):
    """What the audit log is to hold of a download."""

    kind: str  # as :mod:`squint.library.chain` calls it
    sections: Sequence[str] = ()  # ids of those that it is of
    of: str = ""  # its own id, if it has one


def download(
    label: str,
    data: str | bytes | Callable[[], str | bytes],
    file: File,
    left: Left,
    *,
    key: str,
    help: str | None = None,
    type: Literal["primary", "secondary"] = "secondary",
    disabled: bool = False,
) -> None:
    """Offer a file, whose download is written into the audit log before it begins.

    Parameters
    ----------
    label, key, help, type, disabled
        As :func:`streamlit.download_button` has them.
    data
        The content, or what makes it once the button is clicked, in a thread without a session.
    file
        What a browser makes of it.
    left
        What the log holds of it.
    """
    library, who = session.library(), actor()
    home = library.home

    def hand_out() -> str | bytes:
        with acting(who):  # Streamlit asks for it in a thread of its own
            library.access.require(VIEWER, "export")  # once more: the page may have been drawn long ago
            audit.exported(home, left.kind, left.of, left.sections)
            return data() if callable(data) else data

    st.download_button(
        label,
        hand_out,
        file.name,
        file.mime,
        key=key,
        help=help,
        type=type,
        icon=":material/download:",
        disabled=disabled,
        on_click="ignore",
    )
    if why := audit.why_not(home):
        st.warning(sentence(why))
