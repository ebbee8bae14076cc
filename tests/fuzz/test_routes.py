"""Whatever a browser sends, the real server answers, refuses or closes the line, and stays as it was."""

import json
import re
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import numpy as np
import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import ConnectionClosed, WebSocketException

from tests.helpers.dashboard import end_engine, free_port, serve
from tests.helpers.mutations import mutated
from tests.helpers.tissue import library_of
from tests.helpers.visits import ask, megabytes, visitor

pytestmark = pytest.mark.fuzz

FINE = {503, 507}  # of those from 500: busy, and no room
GROWTH = 1.1  # of the process from the first third of the cases to the end
NOISE_MB = 40.0
ANSWER_S = 1.0  # within which most answers come, unless the request is not complete
PATIENCE_S = 40.0
SOCKET_S = 20.0
BROKEN = "Error deserializing back message"  # Streamlit notes these with a traceback, and closes the socket


class Server(NamedTuple):
    """The dashboard, and where its log goes."""

    address: str
    pid: int
    log: Path


class Asked(NamedTuple):
    """A request as a browser sends it."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""

    def written(self, body: bytes | None = None) -> bytes:
        """Give its bytes, with another body or its own."""
        content = self.body if body is None else body
        lines = [f"{self.method} {self.target} HTTP/1.1", "Host: 127.0.0.1", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if content or self.method in {"PUT", "POST"}:
            lines.append(f"Content-Length: {len(content)}")
        return "\r\n".join([*lines, "", ""]).encode() + content


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Start the dashboard with a small library."""
    (home := tmp_path / "library").mkdir()
    library_of(home, {"S": 400})
    port = free_port()
    process = serve(home, port)
    try:
        yield Server(f"http://127.0.0.1:{port}", process.pid, tmp_path / "server.log")
        assert process.poll() is None
    finally:
        process.terminate()
        process.wait(60)
        end_engine(home)


@contextmanager
def valid_requests(address: str) -> Iterator[list[Asked]]:
    """Open a page, and give requests to all routes that it was told of, while it is open."""
    with visitor(address) as page:
        told = (one.delta.new_element.bidi_component.json for one in ask(page, "") if one.HasField("delta"))
        mounted = [json.loads(data) for data in told if data]
        a_map = next(data for data in mounted if "panels" in data)
        path, query = a_map["address"]["path"], a_map["address"]["query"]
        drop = next(data for data in mounted if "max_files" in data)["address"]
        name = {"X-File-Name": "a.h5ad"}
        state = json.dumps({"panels": [{"centre": [50, 50], "scale": 2.0}], "size": 2, "hidden": ["type 1"]})
        box = {"left": 0, "top": 0, "width": 90, "height": 80}
        stage = {"width": 90, "height": 80, "boxes": [box], "diameters": [9.0], "ratio": 1}
        picture = json.dumps({**stage, "size": 1.0})
        part = drop.replace("?", "/part?", 1)
        yield [
            Asked("GET", "/health", {}),
            Asked("GET", "/_stcore/health", {}),
            Asked("GET", "/tokens?view=abc&shown=x", {}),
            Asked("GET", f"{path}/cell/0/3?{query}", {}),
            Asked("POST", f"{path}/state?{query}", {}, state.encode()),
            Asked("POST", f"{path}/picture?{query}", {}, picture.encode()),
            Asked("GET", f"/map/tiles/{'a' * 16}/{'b' * 16}/0/0/0?until=1&key=2", {}),
            Asked("GET", f"/map/buffer/{'a' * 32}?until=99999999999&key={'a' * 64}", {}),
            Asked("PUT", drop, name, b"\x89HDF\r\n\x1a\n and no more"),
            Asked("GET", f"{drop}&bytes=99", name),
            Asked("POST", drop, {"X-File-Name": "run"}, b"12 cells.parquet\n30 a/b.csv\n"),
            Asked("POST", f"{part}&bytes=99", name, b"a sample"),
            Asked("PUT", drop, {**name, "X-Offset": "5"}, b"the rest"),
            Asked("DELETE", part, {}),
        ]


def send(address: str, content: bytes) -> int:
    """Send bytes; give the status of the answer, 0 where the line was closed."""
    at = urlsplit(address)
    with socket.create_connection((at.hostname, at.port), timeout=PATIENCE_S) as line:
        with suppress(OSError):  # closed by the server before all was sent
            line.sendall(content)
        line.settimeout(ANSWER_S)
        answer = b""
        with suppress(ConnectionError):
            try:
                answer = line.recv(1_000)
            except TimeoutError:  # it waits for more, which does not come
                line.settimeout(PATIENCE_S)
                line.shutdown(socket.SHUT_WR)
                answer = line.recv(1_000)
    found = re.match(rb"HTTP/1\.[01] (\d{3})", answer)
    return int(found[1]) if found else 0


def on_the_socket(address: str, n_cases: int, rng: np.random.Generator) -> Counter[str]:
    """Send changed messages to the socket of a page."""
    asked = BackMsg()
    asked.rerun_script.query_string = "view=abc&shown=x"
    with visitor(address) as page:  # whose choice of a colour is then told
        elements = [one.delta.new_element for one in ask(page, "") if one.HasField("delta")]
    state = asked.rerun_script.widget_states.widgets.add()
    state.id = next(one.button_group.id for one in elements if one.HasField("button_group"))
    state.string_array_value.data.append("Counts per cell")
    came = Counter[str]()
    for _ in range(n_cases):
        message = mutated(asked.SerializeToString(), b'\x12\x07"\x00\x1a\x01x', rng)
        with suppress(WebSocketException, TimeoutError), visitor(address) as page:
            page.send(message)
            came[_answered(page, message)] += 1
    return came


def _answered(page: object, message: bytes) -> str:
    is_run = False
    with suppress(Exception):  # of protobuf, where it is no message any more
        is_run = BackMsg.FromString(message).HasField("rerun_script")
    end = time.monotonic() + (SOCKET_S if is_run else 0.2)
    try:
        while time.monotonic() < end:
            told = ForwardMsg.FromString(page.recv(timeout=max(0.01, end - time.monotonic())))  # type: ignore[attr-defined]
            if told.HasField("script_finished"):
                return "run"
    except ConnectionClosed:
        return "closed"
    except TimeoutError:
        pass
    return "silent"


def _last_words(log: str) -> str:
    """Give what was raised, of all tracebacks, and how often."""
    raised = re.findall(r"^(?:\x1b\[[\d;]*m)*\w*(?:Error|Exception)\b.*", log, re.MULTILINE)
    return "\n".join(f"{n} x {what}" for what, n in Counter(raised).most_common()) + log[-3_000:]


def test_any_request_is_answered_or_refused_and_the_server_stays(
    server: Server, n_cases: int, seed: int
) -> None:
    rng = np.random.default_rng([seed, 1])
    came, wrong, memory = Counter[int](), list[str](), list[float]()
    with valid_requests(server.address) as valid:
        known = [send(server.address, one.written()) for one in valid]
        for case in range(n_cases):
            one = valid[int(rng.integers(len(valid)))]
            other = valid[int(rng.integers(len(valid)))]
            if one.body and rng.random() < 0.6:
                content = one.written(mutated(one.body, other.body, rng))
            else:
                content = mutated(one.written(), other.written(), rng)
            try:
                status = send(server.address, content)
            except TimeoutError:
                status = -1
            came[status] += 1
            if (status >= 500 and status not in FINE) or status < 0:
                wrong.append(f"case {case} of seed {seed}: {status} for {content[:600]!r}")
            memory.append(megabytes(server.pid))
    sockets = on_the_socket(server.address, max(10, n_cases // 5), rng)
    memory.append(megabytes(server.pid))
    third = memory[len(memory) // 3]
    print(
        f"\nroutes: {n_cases} requests, by status {dict(sorted(came.items()))} (0: the line was closed; "
        f"unchanged ones {known}); socket: {dict(sockets)}; {third:.0f} MB after a third, "
        f"{memory[-1]:.0f} MB in the end"
    )
    log = server.log.read_text()
    assert not wrong, "\n".join(wrong[:5])
    assert log.count("Traceback") <= log.count(BROKEN), _last_words(log)
    at = urlsplit(server.address)
    line = HTTPConnection(at.hostname or "", at.port, timeout=60)
    line.request("GET", "/health")
    assert line.getresponse().status == 200
    line.close()
    assert memory[-1] < GROWTH * third + NOISE_MB
