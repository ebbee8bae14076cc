"""Whoever cannot be sent to the identity provider comes back to the door, and nowhere else."""

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient
from streamlit.web.server.starlette.starlette_path_security_middleware import PathSecurityMiddleware

from app.web.failed_sign_in import BackToDoor


def _client(status: int) -> TestClient:
    """Answer as Streamlit does where the provider answers (302) or not (400)."""

    def login(_request: Request) -> Response:
        if status == 302:
            return RedirectResponse("https://provider.example/authorize", 302)
        return Response("Authentication error", status)

    behind = Starlette(routes=[Route("/auth/login", login)])
    app = BackToDoor(PathSecurityMiddleware(behind))  # the order of the server
    return TestClient(app, "http://squint.example", follow_redirects=False)


@pytest.mark.parametrize("status", [400, 500])
def test_who_cannot_be_sent_to_the_provider_comes_back_to_the_door(status: int) -> None:
    answer = _client(status).get("/auth/login?provider=x")
    assert (answer.status_code, answer.headers["location"]) == (303, "/?sign_in=failed")
    assert answer.content == b""


def test_who_is_sent_to_the_provider_goes_there() -> None:
    answer = _client(302).get("/auth/login")
    assert answer.headers["location"] == "https://provider.example/authorize"


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example/auth/login",
        "/%2Fevil.example/auth/login",
        "/\\evil.example/auth/login",
        "/%5Cevil.example/auth/login",
        "/%0d%0aX: y/auth/login",
        "/x/auth/login",
    ],
)
def test_no_address_of_ours_sends_anybody_to_another_site(path: str) -> None:
    answer = _client(400).get(f"http://squint.example{path}")
    assert answer.status_code in (400, 404)
    assert "location" not in answer.headers
