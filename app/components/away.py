"""A page that nobody has touched for too long: what it showed is gone, and one signs in again."""

import streamlit as st

from app import identity, who
from app.exports.stamp import many
from app.listening import IDLE
from app.web.idle import sign_in_of

_LOOKS = 10  # in the time that a page may lie untouched
_LEAST_S, _MOST_S = 1.0, 30.0


def show_away() -> bool:
    """Show nothing but that the page lay untouched, if it did; say whether it did."""
    if not IDLE.limit_s:
        return False
    browser, signed_in_at = sign_in_of(st.context), st.user.get("iat") if identity.is_needed() else None
    IDLE.begin(browser, float(signed_in_at) if isinstance(signed_in_at, int | float) else None)
    if not IDLE.is_over(browser):
        _look(browser)
        return False
    st.session_state.clear()
    st.query_params.clear()
    st.title("You were away")
    st.markdown(
        f"Nobody has touched this page for {many(max(1, round(IDLE.limit_s / 60)), 'minute')}, so it shows "
        "nothing any more. What was computed and kept is in the library."
    )
    if identity.is_needed() and st.user.get("is_logged_in"):
        st.logout()
    elif st.button("Go on", type="primary"):
        IDLE.begin_again(browser)
        st.rerun()
    return True


def _look(browser: str) -> None:
    """Look from time to time whether the page lies untouched for too long."""

    @who.fragment(run_every=min(_MOST_S, max(_LEAST_S, IDLE.limit_s / _LOOKS)))
    def look() -> None:
        if IDLE.is_over(browser):
            st.rerun()

    look()
