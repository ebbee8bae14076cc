"""Files that Streamlit serves beside the socket: thumbnails, tables and figures to download.

Their addresses name their content and nobody; here only those get them whose page shows them.
"""

import threading
from collections.abc import Mapping

from cachetools import LRUCache
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit.runtime import get_instance

from app import who
from app.identity import is_needed, who_asks
from app.refusals import refused
from squint.errors import InputError

_MOST = 10_000  # files that were made when their button was clicked


class OwnMedia:
    """Middleware that gives a file to whoever has a page that holds it, where people sign in."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        name = str(scope.get("path", "")).partition("/media/")[2]
        if scope["type"] == "http" and name and is_needed():
            cookies, file_id = HTTPConnection(scope).cookies, name.partition(".")[0]
            if not await run_in_threadpool(_may_have, cookies, file_id):
                await PlainTextResponse("Not Found", 404)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _may_have(cookies: Mapping[str, str], file_id: str) -> bool:
    person, holders = who_asks(cookies), _holders(file_id)
    if None in holders:  # the door's, which shows the icon alone
        return True
    if person is not None and _is_for(person.id, file_id, holders):
        return True
    if person is None and not holders:  # as of a page that was closed
        return False
    refused(None if person is None else person.id, "fetch file of a page")
    return False


def _is_for(person_id: int, file_id: str, holders: set[int | None]) -> bool:
    if holders:
        return person_id in holders
    # One that was made on a click is of no page, and is fetched at once by whoever clicked.
    with _lock:
        first = _taken.setdefault(file_id, person_id)
    return first == person_id or _share_a_project(first, person_id)


def _holders(file_id: str) -> set[int | None]:
    """Name the people whose pages hold a file; ``None`` stands for whoever is at the door."""
    manager = get_instance().media_file_mgr
    pages = list(manager._files_by_session_and_coord.items())
    return {who.of_session(session) for session, files in pages if file_id in list(files.values())}


def _share_a_project(one: int, other: int) -> bool:
    """Say whether two people are in one project: they may have made the same file."""
    registered = who.registered_projects()
    try:
        return bool({p.id for p in registered.of(one)} & {p.id for p in registered.of(other)})
    except InputError:
        return False


_taken: "LRUCache[str, int]" = LRUCache(_MOST)
_lock = threading.Lock()
