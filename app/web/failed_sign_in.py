"""Back to the door where the identity provider does not answer, in place of two bare words."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PARAMETER, FAILED = "sign_in", "failed"
_LOGIN = "/auth/login"  # of Streamlit; no other path: what is before it would be a part of where we send to


class BackToDoor:
    """Middleware that sends whoever could not be sent to the identity provider back to the first page."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["path"] != _LOGIN:
            await self._app(scope, receive, send)
            return
        failed = False

        async def told(message: Message) -> None:
            nonlocal failed
            if message["type"] == "http.response.start" and message["status"] >= 400:
                failed = True
                message["status"] = 303
                headers = MutableHeaders(scope=message)
                headers["location"] = f"/?{PARAMETER}={FAILED}"
                headers["content-length"] = "0"
            elif failed and message["type"] == "http.response.body":
                message["body"] = b""
            await send(message)

        await self._app(scope, receive, told)
