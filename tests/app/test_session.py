"""What a session remembers, and what its widgets show of it."""

from types import SimpleNamespace

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest


def choose() -> None:
    """Choose genes of one section or of another."""
    import streamlit as st  # noqa: PLC0415 - a script of its own

    from app import session  # noqa: PLC0415

    genes = st.session_state.get("measured", ["A", "B"])
    session.keep_valid("gene", genes)
    session.keep_valid("genes", genes, genes[:1])
    st.selectbox("Gene", genes, key="gene", persist_state="session")
    first = genes[:1] if "genes" not in st.session_state else None
    st.multiselect("Genes", genes, default=first, key="genes", persist_state="session")


def test_a_widget_is_told_when_its_choice_is_gone() -> None:
    app = AppTest.from_function(choose).run()
    app.selectbox("gene").select("B")
    app.multiselect("genes").set_value(["A", "B"]).run()
    app.session_state["measured"] = ["C", "D"]
    app.run()
    one, several = app.selectbox("gene"), app.multiselect("genes")
    assert (one.value, several.value) == ("C", ["C"])
    assert one.proto.set_value  # else the browser goes on showing B
    assert one.proto.raw_value == "C"
    assert several.proto.set_value
    assert list(several.proto.raw_values) == ["C"]


def test_what_can_still_be_chosen_is_kept() -> None:
    app = AppTest.from_function(choose).run()
    app.selectbox("gene").select("B")
    app.multiselect("genes").set_value(["A", "B"]).run()
    app.session_state["measured"] = ["B", "C"]
    app.run()
    assert (app.selectbox("gene").value, app.multiselect("genes").value) == ("B", ["B"])


def test_a_choice_of_nothing_is_kept() -> None:
    app = AppTest.from_function(choose).run()
    app.multiselect("genes").set_value([]).run()
    app.session_state["measured"] = ["C"]
    app.run()
    assert app.multiselect("genes").value == []


def look() -> None:
    """Say on what ground maps are."""
    import streamlit as st  # noqa: PLC0415 - a script of its own

    from app import session  # noqa: PLC0415

    if "choose" in st.session_state:
        session.choose_ground(dark=st.session_state["choose"])
    st.text(f"{session.style().has_dark_ground} {session.map_style().has_dark_ground}")


@pytest.mark.parametrize(("theme", "dark"), [("light", False), ("dark", True)])
def test_maps_are_on_the_ground_of_the_page_until_another_is_chosen(
    monkeypatch: pytest.MonkeyPatch, theme: str, *, dark: bool
) -> None:
    told = SimpleNamespace(theme=SimpleNamespace(type=theme))
    monkeypatch.setattr(st, "context", told)  # what no page can be told without a browser
    app = AppTest.from_function(look).run()
    assert app.text[0].value == f"False {dark}"
    for chosen in (not dark, dark):
        app.session_state["choose"] = chosen
        assert app.run().text[0].value == f"False {chosen}"
