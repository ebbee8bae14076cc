"""The doors of a server: who is let in at all, before Streamlit or a route sees a request."""

import logging
from collections.abc import Collection, Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.web.hosts import all_hosts, host_of, is_beyond, is_own

_log = logging.getLogger(__name__)
_POLICY_VIOLATION = 1008
_FRESH = {"Cache-Control": "no-store"}


class Doors:
    """Middleware, the outermost: refuses foreign names and pages, and puts headers on every answer.

    Refused are, on every route and socket,

    - a ``Host`` that is not one of this server (a name that an attacker leads to 127.0.0.1);
    - an ``Origin`` that is not this server's, with its port; a socket that tells none, which no browser does;
    - what a page of another site makes a browser ask for, but to go here by a link;
    - where nobody signs in and nothing else was declared, what comes in at an address of the network, so
      that a server that was bound there past :mod:`app.listening` shows nothing either.

    Parameters
    ----------
    app
        What is behind.
    hosts
        Names of the server beside those of this machine.
    headers
        Of every answer, unless it has its own.
    beyond
        Whether requests may come in at addresses of the network.
    """

    def __init__(
        self,
        app: ASGIApp,
        hosts: Collection[str] = (),
        headers: Mapping[str, str] | None = None,
        *,
        beyond: bool = False,
    ) -> None:
        self._app, self._hosts, self._beyond = app, all_hosts(hosts), beyond
        self._headers = dict(headers or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or refuse it."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        refused = self._refusal(scope)
        if scope["type"] == "websocket":
            if refused:
                _log.warning("A socket was refused: %s", refused[1])
                await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
            else:
                await self._app(scope, receive, send)
            return
        await self._answer(refused, scope, receive, send)

    async def _answer(
        self, refused: tuple[int, str] | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        started = False

        async def with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        if refused:
            _log.warning("A request was refused: %s", refused[1])
            response = PlainTextResponse(refused[1], refused[0], {**_FRESH, "Connection": "close"})
            await response(scope, receive, with_headers)
            return
        try:
            await self._app(scope, receive, with_headers)
        except Exception:
            if not started:  # Starlette's own answer would lack the headers
                response = PlainTextResponse("Something went wrong: see the server's log.", 500, _FRESH)
                await response(scope, receive, with_headers)
            raise

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Say why a request is refused, and with which status; ``None`` if it is not."""
        server = scope.get("server")
        if not self._beyond and server and is_beyond(str(server[0])):
            return 403, "This server answers on 127.0.0.1 only, as nobody has to sign in."
        headers = Headers(scope=scope)
        given = headers.getlist("host")
        host = host_of(given[0]) if len(given) == 1 else None
        if host is None or host[0] not in self._hosts:
            return 400, "This server is not known by that name (SQUINT_HOSTS)."
        encrypted = scope.get("scheme") in {"https", "wss"}
        origins = headers.getlist("origin")
        if any(not is_own(origin, host, encrypted=encrypted) for origin in origins):
            return 403, "Pages of other sites may not ask this server."
        if scope["type"] == "websocket":
            return None if origins else (403, "A socket must say which page opens it.")
        if headers.get("sec-fetch-site", "none") not in {"none", "same-origin"} and not _is_link(
            scope, headers
        ):
            return 403, "Pages of other sites may not ask this server."
        return None


def _is_link(scope: Scope, headers: Headers) -> bool:
    """Say whether a browser goes here by a link, in a tab and not in a frame."""
    return (
        scope["method"] in {"GET", "HEAD"}
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
    )
