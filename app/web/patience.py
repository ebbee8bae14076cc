"""How long a server waits for a request that was begun and does not come, so that nobody holds it open."""

import asyncio
import time
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEAD_S = 20.0  # for the first line and headers of a request, from its first byte, or from the connection
PART_S, BODY_S = 30.0, 300.0  # for the next part of a body, and for all of it
_HEAD = "_squint_head"
PATIENT = "/upload/"  # routes that stream to the disk have limits of their own (app.routes.uploads)


class Patience:
    """Middleware that ends a request whose body does not come, with status 408."""

    def __init__(self, app: ASGIApp, part_s: float = PART_S, body_s: float = BODY_S) -> None:
        self._app, self._part_s, self._body_s = app, part_s, body_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["path"].startswith(PATIENT):
            await self._app(scope, receive, send)
            return
        end, complete = time.monotonic() + self._body_s, False

        async def in_time() -> Message:
            nonlocal complete
            if complete:  # what is waited for now is that the browser leaves
                return await receive()
            try:
                async with asyncio.timeout(min(self._part_s, end - time.monotonic())):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, "The request did not come.", {"Connection": "close"}) from None
            complete = not message.get("more_body", False)
            return message

        await self._app(scope, in_time, send)


class _Head:
    """The head of a request that one connection may still owe."""

    def __init__(self, connection: Any, head_s: float) -> None:
        self._connection, self._head_s = connection, head_s
        self._waiting: asyncio.TimerHandle | None = None

    def look(self) -> None:
        """Begin to wait for a head, unless that has begun; or stop, if a request is being answered."""
        if not self._is_owed():
            self.stop()
        elif self._waiting is None:
            self._waiting = self._connection.loop.call_later(self._head_s, self._end)

    def stop(self) -> None:
        """Wait no more."""
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _is_owed(self) -> bool:
        cycle, transport = self._connection.cycle, self._connection.transport
        answers = cycle is not None and not cycle.response_complete
        taken_over = transport.get_protocol() is not self._connection  # by a web socket
        return not (answers or taken_over or transport.is_closing())

    def _end(self) -> None:
        self._waiting = None
        if self._is_owed():
            self._connection.transport.abort()


def close_half_sent(protocol: type[Any], head_s: float = HEAD_S) -> None:
    """Have a protocol of uvicorn close connections on which a request is begun and its head does not come.

    uvicorn ends what is idle between two requests, but waits for ever for the first, and for the rest of
    one; and Streamlit, which starts it, lets nobody choose another protocol. So the class itself is changed.

    Parameters
    ----------
    protocol
        ``uvicorn.protocols.http.auto.AutoHTTPProtocol``; changed once.
    head_s
        How long a head may take.
    """
    if _HEAD in vars(protocol):
        return
    made, received, lost = protocol.connection_made, protocol.data_received, protocol.connection_lost

    def connection_made(self: Any, transport: asyncio.Transport) -> None:
        made(self, transport)
        setattr(self, _HEAD, _Head(self, head_s))
        getattr(self, _HEAD).look()

    def data_received(self: Any, data: bytes) -> None:
        received(self, data)
        getattr(self, _HEAD).look()

    def connection_lost(self: Any, problem: Exception | None) -> None:
        getattr(self, _HEAD).stop()
        lost(self, problem)

    setattr(protocol, _HEAD, None)
    for method in (connection_made, data_received, connection_lost):
        setattr(protocol, method.__name__, method)
