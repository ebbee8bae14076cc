"""Files that Streamlit's own field takes, which it holds in memory: few, small, and of a size told before."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_PATH = re.compile(r"/_stcore/upload_file/([^/]+)/[^/]+$")
_FRESH = {"Cache-Control": "no-store", "Connection": "close"}


@dataclass(frozen=True)
class Held:
    """Files that are held in memory."""

    n_files: int
    n_bytes: int


@dataclass(frozen=True)
class Most:
    """The most that a session may have held for it, and that a server holds for all."""

    n_files: int = 20
    n_bytes: int = 200_000_000
    n_bytes_of_all: int = 1_000_000_000


class WidgetUploads:
    """Middleware before the route by which Streamlit's field sends files.

    Parameters
    ----------
    app
        What is behind.
    held
        Says what is held for a session, by its id, or for all.
    most
        The limits.
    """

    def __init__(self, app: ASGIApp, held: Callable[[str | None], Held], most: Most | None = None) -> None:
        self._app, self._held, self._most = app, held, most or Most()
        self._coming: Counter[str] = Counter()  # bytes on their way, by session
        self._files: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        found = _PATH.search(scope["path"]) if scope["type"] == "http" and scope["method"] == "PUT" else None
        if found is None:
            await self._app(scope, receive, send)
            return
        session, told = found[1], Headers(scope=scope).get("content-length", "")
        if not (told.isascii() and told.isdigit() and len(told) < 16):
            await PlainTextResponse("The size of the file must be told.", 411, _FRESH)(scope, receive, send)
            return
        n_bytes = int(told)
        if not self._fits(session, n_bytes):
            words = "Too many files, or too large: remove those that are not needed."
            await PlainTextResponse(words, 413, _FRESH)(scope, receive, send)
            return
        self._coming[session] += n_bytes
        self._files[session] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._coming[session] -= n_bytes
            self._files[session] -= 1
            self._coming, self._files = +self._coming, +self._files  # without those at none

    def _fits(self, session: str, n_bytes: int) -> bool:
        own, everybody = self._held(session), self._held(None)
        return (
            own.n_files + self._files[session] < self._most.n_files
            and own.n_bytes + self._coming[session] + n_bytes <= self._most.n_bytes
            and everybody.n_bytes + self._coming.total() + n_bytes <= self._most.n_bytes_of_all
        )
