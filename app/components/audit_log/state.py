"""Whether the chain of the audit log holds: a worker follows it while the page goes on."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from app import audit as noted
from app import session
from app.components.job import follow
from app.requests import CheckLog
from app.text import sentence
from squint.errors import InputError
from squint.library import audit
from squint.library.chain import LOG
from squint.library.people import ADMIN
from squint.library.place import root_of
from squint.library.store import Library

_LIMIT_S = 3600.0
_KEY = "_audit_check"


@dataclass
class _Check:
    """A check that was asked for, and what came of it."""

    asked: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="microseconds"))
    closed: bool = False  # it failed, or was cancelled
    found: dict[str, Any] | None = None

    @property
    def when(self) -> str:
        """When it was asked for, to be read."""
        return f"{self.asked[:16].replace('T', ' ')} UTC"


def log_library() -> Library:
    """Give the server's first library, whose log it is; whoever is no admin is refused, which is noted."""
    here = session.library()
    if session.person().role != ADMIN:
        noted.refused(here.home, LOG)
        st.error("There is no such page.")
        st.stop()
    root = root_of(here.home)
    return here if root == here.home else Library(root)


def show_state(library: Library) -> None:
    """Say whether the chain holds, as far as that is known, and how to notice that its end is missing."""
    end = audit.head(audit.log_of(library.home))
    check: _Check = st.session_state.setdefault(_KEY, _Check())
    if check.found is None and not check.closed:
        _follow(library, check)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        with st.container(width="stretch"):
            _say(check)
        with st.container(horizontal=True, width="content"):
            with st.popover("Head", icon=":material/key:", help="The last row and its hash"):
                st.markdown(
                    "Keep this outside of this server. `squint audit verify --head` then shows whether the "
                    "log came by it: nobody who cuts off its end, or writes all of it anew, can match it."
                )
                st.code(f"{end.n}:{end.chain}", language=None, wrap_lines=True)
            waits = check.found is None and not check.closed
            st.button("Check again", icon=":material/refresh:", on_click=_again, disabled=waits)
    if why := noted.why_not(library.home):
        st.error(sentence(why))


def _follow(library: Library, check: _Check) -> None:
    try:
        found = follow(
            CheckLog(check.asked),
            library,
            "Following the chain of the log",
            limit_s=_LIMIT_S,
            closed=lambda: setattr(check, "closed", True),
        )
    except InputError as error:
        st.error(sentence(str(error)))
        return
    if found is not None:
        check.found = found


def _say(check: _Check) -> None:
    found = check.found
    if found is None:
        words = "was not checked" if check.closed else "is being checked"
        st.markdown(f":material/hourglass_empty: The chain {words}.")
    elif found["problem"]:
        st.error(
            f"**The log does not hold.** {sentence(found['problem'])} "
            f"{found['n_checked']:,} of {found['n_rows']:,} rows before it fit. Somebody changed the "
            "database beside squint: keep a copy of it, and compare it with backups.",
            icon=":material/gpp_bad:",
        )
    else:
        st.success(
            f"**The chain holds**: {found['n_rows']:,} rows are as they were written. Checked {check.when}.",
            icon=":material/verified_user:",
        )


def _again() -> None:
    st.session_state[_KEY] = _Check()
