"""The door: whoever is not signed in sees how to do that, and nothing else."""

import logging
from collections.abc import Callable
from urllib.parse import urlsplit

import streamlit as st
from streamlit.errors import Error as StreamlitError

from app import identity, who
from app.settings import NOTICE
from app.text import sentence
from app.web.failed_sign_in import FAILED, PARAMETER
from squint.errors import InputError
from squint.library.sign_in import NotAdmittedError, OverError

_LOG = logging.getLogger(__name__)
_NO_ANSWER = "The sign-in service does not answer. Try again in a minute."
_BUSY = "The server cannot be used just now. Try again in a minute."
_STYLE = """
<style>
.stMainBlockContainer { max-width: 30rem; padding-top: 18vh; }
[data-testid="stHeader"], [data-testid="stToolbar"] { display: none; }
</style>
"""


def is_open() -> bool:
    """Let in whoever may come in; to all others show the door, and say that the page ends there."""
    if not identity.is_needed():
        return True
    try:
        who.person()
        who.settle()
    except InputError as error:
        who.forget()
        _show(_words(error), signed_in=who.is_signed_in() and not isinstance(error, OverError))
        return False
    return True


def _words(error: InputError) -> str:
    """Say to somebody outside why they are: nothing of the server's inside."""
    is_over = isinstance(error, OverError) or not who.is_signed_in()
    if is_over and st.query_params.get(PARAMETER) == FAILED:
        return _NO_ANSWER
    if not who.is_signed_in():
        return ""
    if isinstance(error, NotAdmittedError):
        return sentence(str(error))
    _LOG.warning("Nobody can sign in: %s", error)
    return _BUSY


def _show(words: str, *, signed_in: bool) -> None:
    def door() -> None:
        st.html(_STYLE)
        st.title("squint")
        st.markdown("Spatial transcriptomics of tissue sections, for the people of your project.")
        if words:
            st.warning(words)
        if signed_in:
            st.button("Sign out", on_click=who.sign_out, icon=":material/logout:")
        else:
            st.button("Sign in", on_click=_sign_in, type="primary", icon=":material/login:")
        st.caption(f"**{NOTICE}**")

    _only(door)


def _only(door: Callable[[], None]) -> None:
    """Make a page of whatever address was asked for, so that none of the others is named."""
    asked = urlsplit(st.context.url or "").path.rstrip("/").rpartition("/")[2]
    pages = [st.Page(door, title="Sign in", url_path="", default=True)]
    if asked:
        pages.append(st.Page(door, title="Sign in", url_path=asked))
    st.navigation(pages, position="hidden").run()


def _sign_in() -> None:
    try:
        st.login()
    except StreamlitError:
        _LOG.exception("Nobody can sign in: look at [auth] of the secrets")
        st.toast("Signing in is not set up on this server. Tell whoever runs it.", icon=":material/error:")
