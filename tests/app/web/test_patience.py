"""Requests that are begun and do not come are ended, by the server that serves the dashboard."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from uvicorn.protocols.http.h11_impl import H11Protocol
from websockets.sync.client import connect

from app.web.patience import HEAD_S, PART_S, Patience, close_half_sent

SHORT_S = 1.0


async def length(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


async def slow(_request: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(4):
            await asyncio.sleep(SHORT_S)
            yield b"x"

    return StreamingResponse(parts())


async def echo(line: WebSocket) -> None:
    await line.accept()
    while True:
        await line.send_text(await line.receive_text())


class Impatient(H11Protocol):
    """As the server's, but that the class of all other tests stays as it is."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    close_half_sent(Impatient, SHORT_S)
    routes = [
        Route("/", length, methods=["POST", "GET"]),
        Route("/slow", slow),
        WebSocketRoute("/socket", echo),
    ]
    app = Starlette(routes=routes, middleware=[Middleware(Patience, part_s=SHORT_S, body_s=3 * SHORT_S)])
    with serving(app) as number:
        yield number


@contextmanager
def serving(app: Starlette) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(
            app, http=Impatient, ws="websockets-sansio", log_level="error", timeout_keep_alive=5
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def told(line: socket.socket) -> bytes:
    """Read until the server closes."""
    got = b""
    try:
        while part := line.recv(65536):
            got += part
    except ConnectionResetError:
        pass
    return got


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"G",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HT",  # the next one of a connection
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf",  # a body that nobody reads
    ],
)
def test_what_is_half_sent_is_closed(port: int, sent: bytes) -> None:
    """Rows 59 and 94."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as line:
        line.sendall(sent)
        began = time.monotonic()
        told(line)
        assert time.monotonic() - began < 8 * SHORT_S


def drip(line: socket.socket, content: bytes) -> None:
    """Send a byte at a time."""
    for byte in content:
        line.sendall(bytes([byte]))
        time.sleep(0.2)


def test_a_head_that_comes_a_byte_at_a_time_is_closed_too(port: int) -> None:
    """Row 59: slow-loris."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as line:
        began = time.monotonic()
        with pytest.raises(OSError, match=r"reset|[Bb]roken"):
            drip(line, b"GET / HTTP/1.1\r\nX-Name: " + b"a" * 200)
        assert time.monotonic() - began < 8 * SHORT_S


@pytest.mark.parametrize("drips", [False, True])
def test_a_body_that_does_not_come_is_answered_408_and_closed(port: int, *, drips: bool) -> None:
    """Row 94."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as line:
        line.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nx")
        began = time.monotonic()
        for _ in range(10 if drips else 0):
            time.sleep(SHORT_S / 2)
            try:
                line.sendall(b"x")
            except OSError:
                break
        got = told(line)
        assert got.startswith(b"HTTP/1.1 408") or (drips and not got)
        assert time.monotonic() - began < 8 * SHORT_S


def test_four_hundred_half_sent_requests_are_gone_after_the_time_and_others_are_answered(port: int) -> None:
    """Row 94: 400 of them, open after 35 s."""
    lines = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(400)]
    try:
        for line in lines:
            line.sendall(b"GET / HTTP/1.1\r\nHost: local")
        with socket.create_connection(("127.0.0.1", port), timeout=30) as other:
            other.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert told(other).startswith(b"HTTP/1.1 200")
        assert [told(line) for line in lines] == [b""] * 400
    finally:
        for line in lines:
            line.close()


def test_what_takes_its_time_to_be_answered_and_sockets_are_left_alone(port: int) -> None:
    with connect(f"ws://127.0.0.1:{port}/socket") as line:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as other:
            other.sendall(b"GET /slow HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert told(other).count(b"x") >= 4
        line.send("still here")
        assert line.recv(10) == "still here"


def test_the_server_waits_less_than_what_was_found_to_stay_open() -> None:
    assert max(HEAD_S, PART_S) < 35
