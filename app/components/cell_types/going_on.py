"""The naming that this session asked for: how far it is, while the page stays usable."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app.components.job import follow
from squint.library.results import Task
from squint.library.store import Library

_ASKED = "_types-asked"
_LIMIT_S = 6 * 3600.0


@dataclass(frozen=True)
class Asked:
    """A task that was asked for."""

    task: Task[Any]
    what: str  # it does, in words
    done: str  # said once it is done
    after: Callable[[], None] = lambda: None  # is called then


def begin(asked: Asked) -> None:
    """Ask for a task from the next run of the page on."""
    st.session_state[_ASKED] = asked


def is_busy() -> bool:
    """Say whether one is asked for already."""
    return _ASKED in st.session_state


def show_going_on(library: Library) -> None:
    """Show how far the task is that was asked for; once it is done, draw the page by what came of it."""
    asked: Asked | None = st.session_state.get(_ASKED)
    if asked is None:
        return
    answer = follow(asked.task, library, asked.what, limit_s=_LIMIT_S, closed=_forget)
    if answer is not None:
        _forget()
        asked.after()
        st.toast(asked.done, icon=":material/check:")
        st.rerun()


def _forget() -> None:
    st.session_state.pop(_ASKED, None)
