"""What Streamlit's own field may hold in memory: few files, small ones, and of a size told before."""

from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from app.web.widget_uploads import Held, Most, WidgetUploads

HELD: dict[str, list[int]] = {}


def held(session: str | None) -> Held:
    sizes = [size for one, all_of in HELD.items() if session in {None, one} for size in all_of]
    return Held(len(sizes), sum(sizes))


async def take(request: Request) -> Response:
    HELD.setdefault(request.path_params["session"], []).append(len(await request.body()))
    return Response(status_code=204)


@pytest.fixture
def client() -> TestClient:
    HELD.clear()
    limits = Middleware(WidgetUploads, held=held, most=Most(3, 1000, 2500))
    route = Route("/_stcore/upload_file/{session}/{file}", take, methods=["PUT"])
    return TestClient(Starlette(routes=[route], middleware=[limits]))


def put(client: TestClient, session: str, content: bytes) -> int:
    return client.put(f"/_stcore/upload_file/{session}/x", content=content).status_code


def test_fifty_files_are_refused_but_for_the_first(client: TestClient) -> None:
    """Row 59: 50 files."""
    assert [put(client, "a", b"x") for _ in range(50)] == [204] * 3 + [413] * 47
    assert put(client, "b", b"x") == 204


def test_more_than_a_session_or_a_server_holds_is_refused_before_it_comes(client: TestClient) -> None:
    """Row 94: what the usual field keeps in memory."""
    assert put(client, "a", b"x" * 1001) == 413
    assert put(client, "a", b"x" * 900) == 204
    assert put(client, "a", b"x" * 101) == 413
    assert put(client, "b", b"x" * 1000) == put(client, "c", b"x" * 600) == 204
    assert put(client, "d", b"x") == 413  # of all
    assert sum(map(sum, HELD.values())) == 2500


def test_a_size_must_be_told(client: TestClient) -> None:
    def parts() -> Iterator[bytes]:
        yield b"x"

    assert client.put("/_stcore/upload_file/a/x", content=parts()).status_code == 411
