"""Since when nobody has touched what a browser shows, and when that is too long."""

import hashlib
import threading
import time
from collections.abc import Callable

from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.web.visitor import Connection, bearer

_SIGNED_IN = "_streamlit_user"  # Streamlit's cookies of whoever signed in; large ones come in several
_TOUCHED = ("/map/", "/upload/")  # what only somebody at the screen makes a browser ask for
_DATA = (*_TOUCHED, "/media/")
_KEPT_S = 31 * 86_400.0  # longer than a cookie of sign-in is good
_FRESH = {"Cache-Control": "no-store"}


def sign_in_of(connection: Connection) -> str:
    """Name a sign-in, of which a person's next one is another; where there is none, the browser."""
    cookies = [f"{name}={value}" for name, value in connection.cookies.items() if name.startswith(_SIGNED_IN)]
    if not cookies:
        return bearer(connection)
    return hashlib.sha256("\n".join(sorted(cookies)).encode("utf-8", "replace")).hexdigest()


class Idle:
    """When each sign-in was last used. Once that was too long ago it is over, whatever comes later.

    Parameters
    ----------
    limit_s
        How long nobody may touch a page; 0 for ever.
    clock
        Seconds since 1970.
    """

    def __init__(self, limit_s: float, clock: Callable[[], float] = time.time) -> None:
        self.limit_s, self._clock = limit_s, clock
        self._used: dict[str, float] = {}
        self._lock = threading.Lock()

    def begin(self, who: str, at: float | None = None) -> None:
        """Note a sign-in that is not known yet, as one made at a time, or now.

        A server that was started anew knows none: what was made too long ago is over then.
        """
        now = self._clock()
        with self._lock:
            self._used = {one: used for one, used in self._used.items() if now - used < _KEPT_S}
            self._used.setdefault(who, now if at is None else min(at, now))

    def begin_again(self, who: str) -> None:
        """Begin anew where nobody has to sign in."""
        with self._lock:
            self._used[who] = self._clock()

    def touch(self, who: str) -> None:
        """Note a use, of what is known and not over."""
        if not self.is_over(who):
            with self._lock:
                if who in self._used:
                    self._used[who] = self._clock()

    def is_over(self, who: str) -> bool:
        """Say whether nobody has used it for too long."""
        used = self._used.get(who)
        return bool(self.limit_s) and used is not None and self._clock() - used >= self.limit_s


class NoteUse:
    """Middleware that notes who touches a page, and refuses data to a sign-in that is over.

    Parameters
    ----------
    app
        What is behind.
    idle
        Where it is noted.
    by_hand
        Whether what came through a socket was done by somebody, rather than by the page itself.
    """

    def __init__(self, app: ASGIApp, idle: Idle, by_hand: Callable[[bytes], bool]) -> None:
        self._app, self._idle, self._by_hand = app, idle, by_hand

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or carry a socket."""
        if scope["type"] not in {"http", "websocket"} or not self._idle.limit_s:
            await self._app(scope, receive, send)
            return
        who, path = sign_in_of(HTTPConnection(scope)), str(scope["path"])
        if scope["type"] == "http" and path.startswith(_DATA) and self._idle.is_over(who):
            await PlainTextResponse("Open the page again.", 401, _FRESH)(scope, receive, send)
            return
        touched = path.startswith(_TOUCHED)

        async def noted() -> Message:
            message = await receive()
            if message["type"] == "websocket.receive":
                if self._by_hand(message.get("bytes") or b""):
                    self._idle.touch(who)
            elif touched and message["type"] == "http.request":
                self._idle.touch(who)
            return message

        if touched:
            self._idle.touch(who)
        await self._app(scope, noted, send)
