"""A page that nobody touches: when it is over, what counts as a touch, and that nothing brings it back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.testing.v1 import AppTest

from app import listening
from app.web.idle import Idle, NoteUse, sign_in_of
from app.web.visitor import VISITOR
from squint.errors import InputError
from tests.helpers.app import words


@dataclass
class _Clock:
    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class _Sent:
    cookies: Mapping[str, str] = field(default_factory=dict)


def test_what_nobody_touches_is_over_and_stays_so() -> None:
    clock = _Clock()
    idle = Idle(600, clock)
    idle.begin("a")
    clock.now += 599
    assert not idle.is_over("a")
    idle.touch("a")
    clock.now += 599
    assert not idle.is_over("a")
    clock.now += 1
    assert idle.is_over("a")
    idle.touch("a")
    idle.begin("a")
    assert idle.is_over("a")
    idle.begin_again("a")
    assert not idle.is_over("a")


def test_a_server_started_anew_takes_no_old_sign_in_for_a_new_one() -> None:
    """Row 64, in part: the cookie of a sign-in is good for a month, the sign-in for an hour of rest."""
    clock = _Clock()
    idle = Idle(600, clock)
    idle.touch("old")
    idle.begin("old", clock.now - 3600)
    assert idle.is_over("old")
    idle.begin("fresh", clock.now - 30)
    assert not idle.is_over("fresh")
    idle.begin("ahead", clock.now + 10**6)  # a provider's clock
    clock.now += 600
    assert idle.is_over("ahead")


def test_without_a_limit_nothing_is_over() -> None:
    clock = _Clock()
    idle = Idle(0, clock)
    idle.begin("a", 0)
    clock.now += 10**9
    assert not idle.is_over("a")


def test_a_sign_in_is_told_from_the_next_and_from_the_browser() -> None:
    browser = {VISITOR: "a" * 32}
    first = sign_in_of(_Sent({**browser, "_streamlit_user": "x", "_streamlit_user__1": "y"}))
    second = sign_in_of(_Sent({**browser, "_streamlit_user": "z", "_streamlit_user__1": "y"}))
    assert len({first, second, sign_in_of(_Sent(browser)), sign_in_of(_Sent())}) == 4


def test_data_is_refused_to_a_sign_in_that_is_over() -> None:
    async def hello(_request: Request) -> Response:
        return PlainTextResponse("hello")

    clock = _Clock()
    idle = Idle(600, clock)
    paths = ("/map/x", "/media/x", "/", "/upload/x")
    routes = [Route(path, hello, methods=["GET", "POST"]) for path in paths]
    noting = Middleware(NoteUse, idle=idle, by_hand=lambda content: content == b"hand")
    client = TestClient(Starlette(routes=routes, middleware=[noting]), cookies={VISITOR: "b" * 32})
    who = sign_in_of(_Sent({VISITOR: "b" * 32}))
    idle.begin(who)
    for path in ("/map/x", "/upload/x"):  # touched
        clock.now += 599
        assert client.post(path).text == "hello"
    clock.now += 599
    assert client.get("/media/x").text == "hello"  # which a page asks for by itself
    clock.now += 1
    for path in ("/map/x", "/upload/x", "/media/x"):
        assert client.get(path).status_code == 401
    assert client.get("/").status_code == 200  # the page says why


@pytest.mark.parametrize(
    ("told", "by_hand"), [({"is_auto_rerun": True}, False), ({"is_auto_rerun": False}, True)]
)
def test_what_a_page_asks_by_itself_is_no_touch(told: dict[str, Any], *, by_hand: bool) -> None:
    message = BackMsg()
    message.rerun_script.is_auto_rerun = told["is_auto_rerun"]
    assert listening._by_hand(message.SerializeToString()) == by_hand
    heartbeat = BackMsg()
    heartbeat.app_heartbeat = True
    assert not listening._by_hand(heartbeat.SerializeToString())
    assert not listening._by_hand(b"\xff\xff")


@pytest.mark.usefixtures("worker", "loaded")
def test_a_page_that_lay_untouched_shows_nothing_any_more(
    visit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = _Clock()
    monkeypatch.setattr(listening, "IDLE", Idle(600, clock))
    monkeypatch.setattr("app.components.away.IDLE", listening.IDLE)
    app: AppTest = visit("sections")
    assert "TOY-H-1" in str(app.main)
    app.session_state["kept"] = "of a patient"
    clock.now += 601
    app.run()
    assert not app.exception
    assert "You were away" in words(app)
    assert "TOY-H-1" not in str(app.main)
    assert "kept" not in app.session_state
    app.run()
    assert "You were away" in words(app)
    app.button[0].click().run()
    assert "TOY-H-1" in str(app.main)


def test_minutes_are_read_and_what_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SQUINT_SESSION_MINUTES", raising=False)
    assert listening.session_minutes() == 0
    monkeypatch.setattr("app.identity.is_needed", lambda: True)
    assert listening.session_minutes() == 60
    monkeypatch.setenv("SQUINT_SESSION_MINUTES", "7.5")
    assert listening.session_minutes() == 7.5
    for wrong in ("much", "-1", "nan", "inf"):
        monkeypatch.setenv("SQUINT_SESSION_MINUTES", wrong)
        with pytest.raises(InputError, match="SQUINT_SESSION_MINUTES must be a number"):
            listening.session_minutes()
