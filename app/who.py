"""Who uses this session, and in which project: asked anew in every run of a page."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

import streamlit as st
from cachetools import LRUCache
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app import audit, identity
from app.identity import Granted
from app.refusals import refused
from app.settings import settings
from squint.errors import InputError
from squint.library import acting
from squint.library.acting import Actor
from squint.library.chain import SESSION, SIGNED_IN, SIGNED_OUT
from squint.library.database import database
from squint.library.people import LOCAL, Person
from squint.library.place import project_home
from squint.library.projects import FIRST, Project, Projects
from squint.library.store import Library

P = ParamSpec("P")
Found = TypeVar("Found")


class Place(NamedTuple):
    """Whose page a session draws, and of which project."""

    person: int
    project: str | None  # its id; None if they are in no project


_places: "LRUCache[str, Place]" = LRUCache(100_000)  # by session
_lock = threading.Lock()
_LOG = logging.getLogger(__name__)
_PERSON, _PROJECTS, _WHOSE, _PROJECT = "_person", "_projects", "_whose", "_project"
_PLACE = "_place"  # page that was shown last


def claims() -> Mapping[str, Any]:
    """Give what the identity provider says of whoever uses this session; nothing if nobody is signed in."""
    told = st.user.to_dict()
    return told if told.get("is_logged_in") is True else {}


def is_signed_in() -> bool:
    """Say whether somebody has signed in in this browser, who need not be let in."""
    return bool(claims())


def person() -> Person:
    """Give who uses this session.

    Raises
    ------
    NotAdmittedError
        If nobody is signed in who may come in.
    InputError
        If that cannot be found out.
    """
    if not identity.is_needed():
        return LOCAL
    return once_a_run(_PERSON, lambda: identity.who(claims()))


def once_a_run(key: str, find: Callable[[], Found]) -> Found:
    """Find something once in a run of a page, or of a part of it: what changed since shows in the next one.

    Parameters
    ----------
    key
        Of the session, under which it is kept.
    find
        Finds it.
    """
    context = get_script_run_ctx()
    run = None if context is None else context.cursors  # Streamlit makes them anew for each run
    found: tuple[object, Found] | None = st.session_state.get(key)
    if run is None or found is None or found[0] is not run:
        found = (run, find())
        st.session_state[key] = found
    return found[1]


def _actor() -> Actor | None:
    """Say who acts in this session, and on which page; ``None`` outside of one."""
    context = get_script_run_ctx(suppress_warning=True)
    if context is None:
        return None
    page = context.pages_manager.get_pages().get(context.page_script_hash)
    if page:
        st.session_state[_PLACE] = Path(page["script_path"]).stem
    place = str(st.session_state.get(_PLACE, ""))  # a callback may run before pages are known again
    try:
        number: int | None = person().id
    except InputError:  # of nobody who may come in
        number = None
    return Actor(number, place, context.session_id)


acting.ask(_actor)


def registered_projects() -> Projects:
    """Give the projects of this server."""
    return Projects(database(settings().home))


def projects() -> Sequence[Project]:
    """List the projects that this session may open."""
    someone = person()
    if someone == LOCAL:
        return [Project(FIRST, "", "")]
    return once_a_run(_PROJECTS, lambda: registered_projects().of(someone.id))


def project() -> Project | None:
    """Give the project that is open, which the person is a member of now; ``None`` if they are in none."""
    if not identity.is_needed():
        return Project(FIRST, "", "")
    mine = {one.id: one for one in projects()}
    chosen: str | None = st.session_state.get(_PROJECT)
    if chosen not in mine:
        last = registered_projects().last_of(person().id)
        chosen = last if last in mine else next(iter(mine), None)
        st.session_state[_PROJECT] = chosen
    return None if chosen is None else mine[chosen]


def open_project(project_id: str) -> None:
    """Open another project of the person's: nothing of what this session remembers stays."""
    someone = person()
    if all(one.id != project_id for one in projects()):  # a browser may say anything
        refused(someone.id, "open project")
        return
    registered_projects().open(project_id, someone.id)
    forget()
    st.session_state[_PROJECT] = project_id


def home() -> Path | None:
    """Give the folder of the library of the open project; ``None`` if there is none."""
    opened = project()
    return None if opened is None else project_home(settings().home, opened.id)


def given(library: Library) -> Library:
    """Give the library of the open project as this session may use it."""
    opened = project()
    if not identity.is_needed() or opened is None:
        return library
    return library.for_access(Granted(claims(), opened.id))


def settle() -> None:
    """Forget all that is of another person or project, as when one was taken away."""
    opened = project()
    whose = Place(person().id, None if opened is None else opened.id)
    if st.session_state.get(_WHOSE, whose) != whose:
        chosen = st.session_state.get(_PROJECT)
        forget()
        st.session_state[_PROJECT] = chosen
    st.session_state[_WHOSE] = whose
    if context := get_script_run_ctx():
        before = of_session(context.session_id)
        if before is None or before.person != whose.person:
            audit.note(settings().home, SIGNED_IN, SESSION)
        with _lock:
            _places[context.session_id] = whose


def of_session(session_id: str) -> Place | None:
    """Say whose page a session draws; ``None`` where nobody has signed in."""
    with _lock:
        return _places.get(session_id)


def fragment(*, run_every: float | None = None) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Make a part of a page that runs alone, as ``st.fragment`` does, for whoever may still see it then.

    Else all of the page runs, which shows the door, or another project.
    """

    def decorate(part: Callable[P, None]) -> Callable[P, None]:
        return st.fragment(_for_those_inside(part), run_every=run_every)

    return decorate


def dialog(title: str) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Make a dialog, as ``st.dialog`` does, for whoever may still see it when a part of it runs."""

    def decorate(part: Callable[P, None]) -> Callable[P, None]:
        return st.dialog(title)(_for_those_inside(part))

    return decorate


def _for_those_inside(part: Callable[P, None]) -> Callable[P, None]:
    @wraps(part)
    def checked(*args: P.args, **kwargs: P.kwargs) -> None:
        if not is_as_it_was():
            st.rerun()
        part(*args, **kwargs)

    return checked


def is_as_it_was() -> bool:
    """Say whether the person may come in, and is in the project that the page was drawn for.

    To be asked where a part of a page runs alone, and where a widget is said to have changed: that is said
    before the door is reached, and of all widgets of a session that was made to forget.
    """
    if not identity.is_needed():
        return True
    try:
        opened = project()
        return st.session_state.get(_WHOSE) == Place(person().id, None if opened is None else opened.id)
    except InputError:
        return False


def forget() -> None:
    """Forget everything that this session remembers."""
    for key in list(st.session_state):
        del st.session_state[key]


def sign_out() -> None:
    """End the sign-in, in all windows of this browser; in this one even if the database does not answer."""
    try:
        audit.note(settings().home, SIGNED_OUT, SESSION)
        identity.sign_out(claims())
    except InputError as error:
        _LOG.warning("Somebody left, and that could not be written down: %s", error)
    forget()
    st.logout()
