"""The place for uploads: open where there is nothing yet, and not closed over what somebody has begun."""

from collections.abc import Callable
from pathlib import Path

from streamlit.testing.v1 import AppTest

from squint.library.store import Library
from tests.helpers.app import words
from tests.helpers.sections import add_sections, small_section

Open = Callable[..., AppTest]


def is_open(app: AppTest) -> bool:
    (place,) = [one for one in app.expander if one.label == "Add a section"]
    return bool(place.proto.expanded)


def test_it_stays_open_while_sections_come_and_is_closed_for_later_sessions(
    visit: Open, library: Library, tmp_path: Path
) -> None:
    app = visit("sections")
    assert "The library is empty" in words(app)
    assert is_open(app)
    add_sections(library, small_section(), tmp_path)
    app.run()
    assert not app.exception
    assert "The library is empty" not in words(app)
    assert is_open(app)
    assert not is_open(visit("sections"))
