"""Links that restore what somebody saw: values of widgets, model and sections; what is gone is said."""

import json
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from squint.errors import InputError
from squint.library import views
from squint.library.store import Library
from tests.helpers.app import words

pytestmark = pytest.mark.slow

Open = Callable[..., AppTest]


def link_of(app: AppTest) -> str:
    """Ask for a link; return its key."""
    app.button("view_link").click().run()
    assert not app.exception
    (code,) = app.code
    found = re.search(r"view=([0-9a-f]{32})$", code.value)
    assert found is not None
    return found[1]


def test_a_link_restores_thresholds_sections_and_colours(visit: Open, loaded: Library) -> None:
    app = visit("risk_map")
    app.slider("thresholds").set_value((0.35, 0.55)).run()
    app.slider("n_codes").set_value(2).run()
    shown = [section.id for section in loaded.sections()][:2]
    app.multiselect("shown").set_value(shown).run()
    key = link_of(app)
    again = visit("risk_map", view=key)
    assert not again.exception
    assert again.slider("thresholds").value == (0.35, 0.55)
    assert again.slider("n_codes").value == 2
    assert again.multiselect("shown").value == shown
    assert "view" not in again.query_params
    kept = json.loads((loaded.home / views.FOLDER / f"{key}.json").read_text())
    assert set(kept) == {"schema", "values", "maps", "model"}


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    ("page", "key", "value"),
    [
        ("sections", "plain_colour", "Counts per cell"),  # which the page would choose anew
        ("tokens", "colour", "Cell type"),
        ("codebook", "look_at", "A gene"),
        ("compare", "compared_by", "Cell types"),
    ],
)
def test_a_link_restores_what_a_page_shows(visit: Open, page: str, key: str, value: str) -> None:
    app = visit(page)
    app.segmented_control(key).set_value(value).run()
    assert not app.exception
    again = visit(page, view=link_of(app))
    assert not again.exception
    assert again.segmented_control(key).value == value


def test_a_link_says_which_sections_are_gone(visit: Open, loaded: Library) -> None:
    key = link_of(visit("sections"))
    loaded.delete(loaded.sections()[0].id)
    again = visit("sections", view=key)
    assert not again.exception
    assert "1 section of this view is not in the library any more." in words(again)


@pytest.mark.usefixtures("loaded")
def test_a_link_to_nothing_is_said(visit: Open) -> None:
    for key in ("0" * 32, "../../etc/passwd", ""):
        app = visit("sections", view=key)
        assert not app.exception
        assert "leads to no view" in words(app)


def test_a_view_that_was_changed_is_not_taken(loaded: Library) -> None:
    key = views.keep(loaded, {"schema": 1, "values": {"thresholds": [0.1, 0.2]}})
    assert views.keep(loaded, {"values": {"thresholds": [0.1, 0.2]}, "schema": 1}) == key
    path = loaded.home / views.FOLDER / f"{key}.json"
    path.write_text(path.read_text().replace("0.1", "0.9"))
    with pytest.raises(InputError, match="leads to no view"):
        views.find(loaded, key)


@given(st.text(max_size=40))
def test_no_key_leads_out_of_the_folder(key: str) -> None:
    with pytest.raises(InputError, match="leads to no view"):
        views.find(None, key)
