"""The doors of the real server: foreign names and pages are refused on every route and every socket."""

import http.client
import re
import socket
import time
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from app.web.doors import Doors
from app.web.headers import security_headers
from tests.helpers.dashboard import started
from tests.helpers.visits import ask, map_address, visitor

ROUTES = (
    "/",
    "/tokens",
    "/health",
    "/_stcore/health",
    "/_stcore/script-health-check",
    "/_stcore/host-config",
    "/_stcore/agent/openapi.json",
    "/favicon.png",
    "/media/0123.png",
    "/map/buffer/0123",
    "/upload/0123",
    "/auth/login",
    "/not/there",
)
CHANGES = (
    ("POST", "/map/0123/state"),
    ("POST", "/map/0123/picture"),
    ("PUT", "/upload/0123"),
    ("POST", "/upload/0123"),
    ("POST", "/upload/0123/part"),
    ("DELETE", "/upload/0123/part"),
    ("PUT", "/_stcore/upload_file/0123/0123"),
    ("DELETE", "/_stcore/upload_file/0123/0123"),
    ("OPTIONS", "/_stcore/upload_file/0123/0123"),
    ("POST", "/_stcore/agent/interact"),
)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start the dashboard, which fills its library with the samples."""
    with started(tmp_path_factory.mktemp("library")) as url:
        yield url


def answer(
    address: str, path: str, headers: Mapping[str, str], method: str = "GET"
) -> tuple[int, Mapping[str, str], bytes]:
    """Ask with these headers and no others; give status, headers and body."""
    parts = urlsplit(address)
    line = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=60)
    line.putrequest(method, path, skip_host=True)
    for name, value in headers.items():
        line.putheader(name, value)
    line.putheader("Content-Length", "0")
    line.endheaders()
    told = line.getresponse()
    body = told.read()
    line.close()
    return told.status, {name.lower(): value for name, value in told.getheaders()}, body


@pytest.mark.parametrize("path", ROUTES)
def test_a_foreign_host_is_refused_on_every_route(address: str, path: str) -> None:
    """Rows 62 and 80: a name that somebody leads to 127.0.0.1, and the app on plain HTTP under any host."""
    port = urlsplit(address).port
    for host in ("evil.example", f"evil.example:{port}", f"127.0.0.1.evil.example:{port}", f"0.0.0.0:{port}"):
        assert answer(address, path, {"Host": host})[0] == 400
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}", f"LOCALHOST.:{port}"):
        status, headers, _ = answer(address, path, {"Host": host})
        assert status != 400 or b"SQUINT_HOSTS" not in answer(address, path, {"Host": host})[2]
        assert headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize(("method", "path"), [*(("GET", path) for path in ROUTES), *CHANGES])
def test_a_page_of_another_port_or_site_is_refused_on_every_route(
    address: str, method: str, path: str
) -> None:
    """Row 80: a page on another local port, or of another site, asks for something or changes it."""
    host, port = f"127.0.0.1:{urlsplit(address).port}", int(urlsplit(address).port or 0)
    foreign = (f"http://127.0.0.1:{port + 1}", "http://127.0.0.1", f"http://localhost:{port}", "null")
    for origin in (*foreign, "https://evil.example", f"http://evil.example:{port}"):
        status, headers, _ = answer(address, path, {"Host": host, "Origin": origin}, method)
        assert status == 403
        assert "access-control-allow-origin" not in headers
    for site, mode, kind in (
        ("cross-site", "no-cors", "image"),
        ("same-site", "cors", "empty"),
        ("cross-site", "navigate", "iframe"),
    ):
        fetched = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": kind}
        assert answer(address, path, {"Host": host, **fetched}, method)[0] == 403


def test_a_link_from_another_site_leads_here_and_a_form_of_it_does_not(address: str) -> None:
    host = f"127.0.0.1:{urlsplit(address).port}"
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert answer(address, "/", {"Host": host, **link})[0] == 200
    assert answer(address, "/map/0123/state", {"Host": host, **link}, "POST")[0] == 403


def test_every_answer_carries_the_headers_also_a_refusal_and_an_error(address: str) -> None:
    """Row 80: the app in a frame of another site."""
    host = f"127.0.0.1:{urlsplit(address).port}"
    for path, given in (
        ("/", {"Host": host}),
        ("/health", {"Host": host}),
        ("/_stcore/health", {"Host": host}),
        ("/upload/0123", {"Host": host}),
        ("/", {"Host": "evil.example"}),
    ):
        headers = answer(address, path, given)[1]
        policy = dict(part.partition(" ")[::2] for part in headers["content-security-policy"].split("; "))
        assert policy["frame-ancestors"] == policy["default-src"] == "'none'"
        assert policy["connect-src"] == "'self'"
        assert "unsafe-inline" not in policy["script-src"]
        assert "'unsafe-eval'" not in policy["script-src"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert "camera=()" in headers["permissions-policy"]


def test_an_uncaught_error_is_answered_with_the_headers_and_without_its_words() -> None:
    async def fails(_request: Request) -> Response:
        raise RuntimeError("Jane Doe")

    headers = security_headers("<script>a</script>")
    app = Starlette(routes=[Route("/", fails)], middleware=[Middleware(Doors, headers=headers)])
    told = TestClient(app, base_url="http://localhost", raise_server_exceptions=False).get("/")
    assert told.status_code == 500
    assert told.headers["x-frame-options"] == "DENY"
    assert "Jane" not in told.text


def test_names_of_a_proxy_are_answered_to_and_its_https_pages_alone() -> None:
    async def hello(_request: Request) -> Response:
        return PlainTextResponse("hello")

    routes, doors = (
        [Route("/", hello, methods=["GET", "POST"])],
        Middleware(Doors, hosts=["squint.example.org"]),
    )
    client = TestClient(Starlette(routes=routes, middleware=[doors]), base_url="https://squint.example.org")
    assert client.get("/").text == "hello"
    assert client.post("/", headers={"Origin": "https://squint.example.org"}).text == "hello"
    for origin in ("http://squint.example.org", "https://squint.example.org:8443", "https://example.org"):
        assert client.post("/", headers={"Origin": origin}).status_code == 403
    assert client.get("/", headers={"Host": "other.example.org"}).status_code == 400


def test_a_socket_of_another_origin_or_host_is_refused_at_once(address: str) -> None:
    """Rows 62, 80 and 81: refused before Streamlit sees it, in no time, while the loop goes on."""
    port = int(urlsplit(address).port or 0)
    where = f"ws://127.0.0.1:{port}/_stcore/stream"
    began = time.monotonic()
    for origin in (
        f"http://127.0.0.1:{port + 1}",
        f"http://localhost:{port}",
        "https://evil.example",
        "null",
    ):
        with pytest.raises(InvalidStatus) as refused, connect(where, origin=Origin(origin)):
            pass
        assert refused.value.response.status_code == 403
    with pytest.raises(InvalidStatus), connect(where):  # no browser opens one without
        pass
    foreign = {"Host": f"evil.example:{port}"}
    with (
        pytest.raises(InvalidStatus),
        connect(where, origin=Origin(f"http://evil.example:{port}"), additional_headers=foreign),
    ):
        pass
    assert time.monotonic() - began < 30  # an address asked for outside: two seconds each, or a minute
    with visitor(address) as socket:
        assert ask(socket, "")


def test_an_address_of_one_browser_is_none_in_another(address: str) -> None:
    """Row 57, in part, and row 94: an address that somebody passes on, and how long what it gave is kept."""
    jar = {name: _cookie(address) for name in ("own", "other")}
    with visitor(address, cookie=jar["own"]) as socket:
        wait_for_map = time.monotonic() + 300
        while True:
            told = ask(socket, "")
            text = "".join(message.delta.new_element.bidi_component.json for message in told)
            if '"panels"' in text:
                break
            assert time.monotonic() < wait_for_map
            time.sleep(2)
        host = {"Host": f"127.0.0.1:{urlsplit(address).port}"}
        buffer = re.findall(r"/map/buffer/first/[0-9a-f]+\?until=[0-9]+&key=[0-9a-f]+", text)[0]
        path, query = map_address(told).values()
        for one, bare in ((buffer, 200), (f"{path}/cell/0/0?{query}", 200)):
            assert answer(address, one, {**host, "Cookie": jar["own"]})[0] == bare
            assert answer(address, one, {**host, "Cookie": jar["other"]})[0] == 403
            assert answer(address, one, host)[0] == 403
        kept = answer(address, buffer, {**host, "Cookie": jar["own"]})[1]["cache-control"]
        until = int(re.findall(r"until=([0-9]+)", buffer)[0])
        assert "private" in kept
        assert int(re.findall(r"max-age=([0-9]+)", kept)[0]) <= until - time.time() + 1


def _cookie(address: str) -> str:
    told = answer(address, "/", {"Host": f"127.0.0.1:{urlsplit(address).port}"})[1]["set-cookie"]
    return told.partition(";")[0]


def test_half_sent_requests_to_the_real_server_are_closed(address: str) -> None:
    """Rows 59 and 94: 400 of them, which stayed open after 35 s."""
    where = (str(urlsplit(address).hostname), int(urlsplit(address).port or 0))
    lines = [socket.create_connection(where, timeout=60) for _ in range(400)]
    began = time.monotonic()
    try:
        for line in lines:
            line.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1")
        ends = [line.recv(100) for line in lines if not _reset(line)]
        assert set(ends) <= {b""}
        assert time.monotonic() - began < 35  # of which 20 are meant
        assert answer(address, "/", {"Host": f"127.0.0.1:{where[1]}"})[0] == 200
    finally:
        for line in lines:
            line.close()


def _reset(line: socket.socket) -> bool:
    """Wait until the server closes a line; say whether it did so at once, without a farewell."""
    try:
        line.recv(1, socket.MSG_PEEK)
    except ConnectionResetError:
        return True
    return False
