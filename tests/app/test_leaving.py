"""What the server lets go of by itself."""

from pathlib import Path

import httpx2

from app.leaving import GIVEN_BACK_S, LEFT_S, Returns, Sessions
from tests.helpers.app import wait_for
from tests.helpers.dashboard import server_of
from tests.helpers.paths import ROOT
from tests.helpers.tissue import library_of
from tests.helpers.visits import ask, map_address, pages_of, visitor


def test_a_session_is_ended_once_its_browser_is_gone_for_long() -> None:
    sessions, there = Sessions(), {"a", "b"}
    for session_id in there:
        sessions.note(session_id)
    assert sessions.take_left(there.__contains__, now=0) == []
    there.remove("a")
    assert sessions.take_left(there.__contains__, now=10) == []
    assert sessions.take_left(there.__contains__, now=9 + LEFT_S) == []
    assert sessions.take_left(there.__contains__, now=10 + LEFT_S) == ["a"]
    assert sessions.take_left(there.__contains__, now=10 + 2 * LEFT_S) == []


def test_a_session_whose_browser_came_back_stays() -> None:
    sessions, there = Sessions(), set[str]()
    sessions.note("a")
    sessions.take_left(there.__contains__, now=0)
    there.add("a")
    sessions.take_left(there.__contains__, now=LEFT_S / 2)
    there.remove("a")
    assert sessions.take_left(there.__contains__, now=LEFT_S) == []
    assert sessions.take_left(there.__contains__, now=2 * LEFT_S) == ["a"]


def test_memory_is_given_back_where_there_is_any_and_not_too_often() -> None:
    returns = Returns()
    returns.note(0)
    assert not returns.is_due(now=5)
    returns.note(2)
    assert returns.is_due(now=10)
    returns.note(2)
    returns.note(0)
    assert not returns.is_due(now=15)
    assert returns.is_due(now=10 + GIVEN_BACK_S)
    assert not returns.is_due(now=10 + 3 * GIVEN_BACK_S)


def test_the_navigation_tells_of_every_page(tmp_path: Path) -> None:
    (home := tmp_path / "library").mkdir()
    library_of(home, {"S": 100})
    with server_of(home) as (address, _):
        told = pages_of(address)
    assert sorted(page or "sections" for page in told) == sorted(
        path.stem
        for path in (ROOT / "pages").glob("*.py")
        if path.stem != "projects"  # where people sign in
    )


def test_a_map_is_served_until_its_visitor_has_left(tmp_path: Path) -> None:
    (home := tmp_path / "library").mkdir()
    library_of(home, {"S": 100})
    with server_of(home, ROOT / "tests" / "app" / "hasty_server.py") as (address, _):

        def status(where: dict[str, str]) -> int:
            return httpx2.get(f"{address}{where['path']}/cell/0/0?{where['query']}").status_code

        with visitor(address) as other:
            with visitor(address) as one:
                ones = map_address(ask(one, ""))
                assert status(ones) == 200
            others = map_address(ask(other, ""))
            wait_for(lambda: status(ones) == 404)
            assert status(others) == 200
