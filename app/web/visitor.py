"""A name for each browser, so that who asked for a job finds it again in another tab, and can stop it."""

import hashlib
import uuid

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

VISITOR = "squint_visitor"  # the cookie, which goes when the browser is closed


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
                    headers.append("set-cookie", value)
            await send(message)

        await self._app(scope, receive, name)


def name_of(cookie: str) -> str:
    """Give the name under which a browser's jobs are kept, from which its cookie cannot be told."""
    return hashlib.sha256(cookie.encode()).hexdigest()[:32]
