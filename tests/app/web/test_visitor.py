"""Browsers told apart: a name with the first page, and none that another could find out."""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from app.web.visitor import VISITOR, NameVisitors, name_of


async def page(_request: Request) -> Response:
    return HTMLResponse("<p>hello</p>")


async def text(_request: Request) -> Response:
    return PlainTextResponse("hello")


def browser() -> TestClient:
    routes = [Route("/", page), Route("/text", text)]
    return TestClient(Starlette(routes=routes, middleware=[Middleware(NameVisitors)]))


def test_a_browser_is_named_once_with_its_first_page() -> None:
    client = browser()
    assert "set-cookie" not in client.get("/text").headers
    told = client.get("/").headers["set-cookie"]
    assert "HttpOnly" in told
    assert "SameSite=Lax" in told
    assert "set-cookie" not in client.get("/").headers


def test_two_browsers_have_two_names_and_no_name_tells_its_cookie() -> None:
    cookies = []
    for client in (browser(), browser()):
        client.get("/")
        cookies.append(client.cookies[VISITOR])
    names = {name_of(cookie) for cookie in cookies}
    assert len(names) == 2
    assert names.isdisjoint(cookies)
    assert name_of(cookies[0]) == name_of(cookies[0])
