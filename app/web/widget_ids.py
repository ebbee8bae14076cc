"""Messages of a browser that name widgets as no page names any: they end the socket they came by."""

import logging
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOG = logging.getLogger(__name__)
_POLICY_VIOLATION = 1008


class WidgetIds:
    """Middleware that closes a socket by which made-up widgets come.

    Streamlit keeps what it is told of them, and cannot list what a session remembers any more: whoever made
    them up could not even sign out.

    Parameters
    ----------
    app
        What is behind.
    is_sound
        Whether a message names widgets as pages name them, if any.
    """

    def __init__(self, app: ASGIApp, is_sound: Callable[[bytes], bool]) -> None:
        self._app, self._is_sound = app, is_sound

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Carry a socket, or answer a request."""
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        is_over = False

        async def looked_through() -> Message:
            nonlocal is_over
            message = await receive()
            if message["type"] == "websocket.receive" and not self._is_sound(message.get("bytes") or b""):
                _LOG.warning("A socket was closed: it named a widget that no page has.")
                is_over = True
                await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
                return {"type": "websocket.disconnect", "code": _POLICY_VIOLATION}
            return message

        async def sent(message: Message) -> None:
            if not is_over:
                await send(message)

        await self._app(scope, looked_through, sent)
