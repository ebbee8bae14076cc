"""What a session remembers, and what its widgets show of it."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app import session
from app.models import known_models
from squint.library import models
from squint.library.models import KnownModel
from squint.library.store import Library
from tests.helpers.bundles import save_bundle


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


def follow() -> None:
    """Show what there is, until somebody chooses."""
    import streamlit as st  # noqa: PLC0415 - a script of its own

    from app import session  # noqa: PLC0415

    there = st.session_state.get("there", ["A"])
    if not session.has_chosen("shown"):
        session.follow("shown", list(there))
    st.multiselect("Shown", ["A", "B", "C"], key="shown", on_change=session.note_chosen, args=("shown",))


@pytest.mark.parametrize("behind", [True, False])
def test_what_a_browser_that_is_behind_sends_once_more_is_no_choice(
    monkeypatch: pytest.MonkeyPatch, *, behind: bool
) -> None:
    app = AppTest.from_function(follow).run()
    app.session_state["there"] = ["A", "B"]
    app.run()
    if not behind:
        monkeypatch.setattr(session, "_BEHIND_S", -1)
    app.multiselect("shown").set_value(["A"]).run()  # as the page itself had it before
    assert app.multiselect("shown").value == (["A", "B"] if behind else ["A"])
    app.multiselect("shown").set_value(["C"]).run()
    app.session_state["there"] = ["A", "B", "C"]
    app.run()
    assert app.multiselect("shown").value == ["C"]


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


def list_models() -> None:
    """Name all models, often, in the page and in a part of it that runs alone."""
    import streamlit as st  # noqa: PLC0415 - a script of its own

    from app import session  # noqa: PLC0415

    def named() -> str:
        names = {tuple(one.name for one in session.models()) for _ in range(5)}
        return " ".join(str(name) for name in names)

    @st.fragment
    def part() -> None:
        st.button("Again", key="again")
        st.caption(named())

    st.text(named())
    part()


def test_models_are_read_once_a_run_and_what_changed_shows_in_the_next(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = []

    def read(of: Library) -> list[KnownModel]:
        reads.append(of)
        return known_models(of)

    monkeypatch.setattr(session, "known_models", read)
    page = AppTest.from_function(list_models, default_timeout=60).run()
    (before,) = (text.value for text in page.text)
    assert "mine" not in before
    assert len(reads) == 1
    mine = models.add(library, save_bundle(tmp_path / "mine", seed=3)).model
    for name in ("mine", "renamed", ""):
        if name == "renamed":
            models.rename(library, mine.folder, name)
        if not name:
            models.remove(library, mine.folder)
        page.button("again").click().run()  # the part alone
        assert (repr(name) in page.caption[0].value) == bool(name)
        page.run()
        assert (repr(name) in page.text[0].value) == bool(name)
    assert page.text[0].value == before
    assert len(reads) == 1 + 3 * 2
