"""Files that Streamlit serves beside the socket: thumbnails, tables and figures to download.

Their addresses name their content and nobody. So it is noted who each was made for, on a page or when its
button was clicked: where people sign in, they alone get it, as long as they are in the project.
"""

import threading
from collections.abc import Mapping
from functools import wraps
from typing import Any

from cachetools import LRUCache
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit.runtime.media_file_manager import MediaFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app import who
from app.identity import is_member, is_needed, who_asks
from app.refusals import refused
from app.who import Place
from squint.errors import InputError
from squint.library.people import Person

_MOST = 100_000  # files of which it is known who they were made for
_ICON = "favicon"  # where Streamlit says that it shows the icon, which the door has too
_NOTED = "_squint_noted"
_FILES = "/media/"  # not /static/media/, where Streamlit has its fonts


class OwnMedia:
    """Middleware that gives a file to whom it was made for, where people sign in."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        note_makers(MediaFileManager)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        path = str(scope.get("path", ""))
        if scope["type"] == "http" and path.startswith(_FILES) and is_needed():
            cookies, file_id = HTTPConnection(scope).cookies, path.removeprefix(_FILES).partition(".")[0]
            if not await run_in_threadpool(_may_have, cookies, file_id):
                await PlainTextResponse("Not Found", 404)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def note_makers(manager: type[Any]) -> None:
    """Have Streamlit's manager of files say for whom each is made.

    It knows of files which page holds them, but not of one that was made on a click, which is of no page.

    Parameters
    ----------
    manager
        ``MediaFileManager``; changed once.
    """
    if _NOTED in vars(manager):
        return
    add, execute_deferred = manager.add, manager.execute_deferred

    @wraps(add)
    def added(self: Any, path_or_data: Any, mimetype: str, coordinates: str, *args: Any, **more: Any) -> str:
        address: str = add(self, path_or_data, mimetype, coordinates, *args, **more)
        context = get_script_run_ctx(suppress_warning=True)
        _note(address, "" if context is None else context.session_id, is_icon=coordinates == _ICON)
        return address

    @wraps(execute_deferred)
    def executed(self: Any, file_id: str) -> str:
        session = self._deferred_callables.get(file_id, {}).get("session_id", "")
        address: str = execute_deferred(self, file_id)
        _note(address, session)
        return address

    manager.add, manager.execute_deferred = added, executed
    setattr(manager, _NOTED, True)


def _note(address: str, session_id: str, *, is_icon: bool = False) -> None:
    """Note for whom a file was made, by its address: for whose page the session draws."""
    file_id, place = address.rpartition("/")[2].partition(".")[0], who.of_session(session_id)
    with _lock:
        if is_icon:
            _icons.add(file_id)
        elif place is not None:
            _made[file_id] = _made.get(file_id, frozenset()) | {place}


def _may_have(cookies: Mapping[str, str], file_id: str) -> bool:
    with _lock:
        places, is_icon = _made.get(file_id, frozenset()), file_id in _icons
    if is_icon:
        return True
    person = who_asks(cookies)
    try:
        if person is not None and any(_is_for(person, place) for place in places):
            return True
    except InputError:  # the database does not answer
        return False
    if places:  # else there is no such file
        refused(None if person is None else person.id, "fetch file of a page")
    return False


def _is_for(person: Person, place: Place) -> bool:
    return place.person == person.id and (place.project is None or is_member(person, place.project))


_made: "LRUCache[str, frozenset[Place]]" = LRUCache(_MOST)
_icons: set[str] = set()
_lock = threading.Lock()
