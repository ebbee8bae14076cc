"""A name for each browser: whose jobs are whose, and whom a signed address was made for."""

import hashlib
import uuid
from collections.abc import Mapping
from typing import Protocol

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

VISITOR = "squint_visitor"  # the cookie, which goes when the browser is closed


class Connection(Protocol):
    """A request, a socket, or what Streamlit tells of the one that a page is drawn for."""

    @property
    def cookies(self) -> Mapping[str, str]:
        """What the browser sent of its cookies."""


def bearer(connection: Connection) -> str:
    """Say who may use the addresses that are signed for a connection: its browser.

    Nothing where a browser has no name, as in a test of a page: such addresses are for those without a name.
    """
    cookie = connection.cookies.get(VISITOR)
    return name_of(cookie) if isinstance(cookie, str) and cookie else ""


class NameVisitors:
    """Middleware that gives a browser a name with the first page that it loads."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or VISITOR in HTTPConnection(scope).cookies:
            await self._app(scope, receive, send)
            return

        async def name(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html"):
                    value = f"{VISITOR}={uuid.uuid4().hex}; Path=/; HttpOnly; SameSite=Lax"
                    secure = "; Secure" if scope.get("scheme") == "https" else ""
                    headers.append("set-cookie", value + secure)
            await send(message)

        await self._app(scope, receive, name)


def name_of(cookie: str) -> str:
    """Give the name under which a browser's jobs are kept, from which its cookie cannot be told."""
    return hashlib.sha256(cookie.encode()).hexdigest()[:32]
