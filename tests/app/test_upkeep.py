"""What the server lets go of by itself."""

from app.upkeep import LEFT_S, Sessions


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
