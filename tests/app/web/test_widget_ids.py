"""Widgets that somebody made up do not come in by the socket of a page."""

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect
from streamlit.proto.BackMsg_pb2 import BackMsg

from app.listening import _is_sound
from app.web.widget_ids import WidgetIds

told: list[bytes] = []


async def _page(socket: WebSocket) -> None:
    await socket.accept()
    told.clear()
    while True:
        try:
            told.append(await socket.receive_bytes())
        except WebSocketDisconnect:
            return
        await socket.send_bytes(b"run")


def _message(*ids: str) -> bytes:
    asked = BackMsg()
    asked.rerun_script.query_string = "shown=x"
    for one in ids:
        asked.rerun_script.widget_states.widgets.add().id = one
    return asked.SerializeToString()


@pytest.fixture
def client() -> TestClient:
    looked = Middleware(WidgetIds, is_sound=_is_sound)
    return TestClient(Starlette(routes=[WebSocketRoute("/", _page)], middleware=[looked]))


@pytest.mark.parametrize(
    "content",
    [
        _message(),
        _message("$$ID-3a-map", "$$STREAMLIT_INTERNAL_KEY_SCRIPT_RUN_WITHOUT_ERRORS"),
        b"\xff no message",  # of which Streamlit says what it is
    ],
)
def test_what_a_page_says_comes_in(client: TestClient, content: bytes) -> None:
    with client.websocket_connect("/") as socket:
        for _ in range(2):
            socket.send_bytes(content)
            assert socket.receive_bytes() == b"run"
    assert told == [content] * 2


@pytest.mark.parametrize("made_up", ["", "shown", "_person", "$ID-3a-map", "$$id-3a-map"])
def test_what_no_page_says_ends_the_socket(client: TestClient, made_up: str) -> None:
    with client.websocket_connect("/") as socket:
        socket.send_bytes(_message("$$ID-3a-map", made_up))
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_bytes()
    assert closed.value.code == 1008
    assert told == []
