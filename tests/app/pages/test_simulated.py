"""Simulated sections beside those of people: not first, and gone from every page once they are put away."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from anndata import AnnData
from streamlit.testing.v1 import AppTest

import squint
from app.cell_sets.store import CellSets
from squint import keys
from squint.library import models
from squint.library.preferred_model import prefer
from squint.library.profiles import described_by, token_profiles
from squint.library.store import Library, Section
from tests.helpers.app import PAGES, csv_of, keep, maps, one_section, settled, upload, words
from tests.helpers.bundles import save_bundle
from tests.helpers.sections import model_of, note_tokens, restate

Open = Callable[..., AppTest]
SIMULATED, OWN = "TOY-H", "TOY-L"  # patients; without a rule, the simulated one would come first


@pytest.fixture
def mixed(loaded: Library) -> Library:
    """Let the sections of one patient be real."""
    for section in loaded.sections():
        restate(loaded, section.id, simulated=section.patient == SIMULATED)
    return loaded


def of(library: Library, patient: str) -> list[Section]:
    return [one for one in [*library.sections(), *library.hidden()] if one.patient == patient]


def offered(app: AppTest) -> str:
    """All text of a page, and all that its widgets offer."""
    choices: list[Any] = [*app.selectbox, *app.multiselect, *app.radio]
    told = [str(data) for data in maps(app).values()]
    tables = [table.value.to_csv() for table in app.dataframe]
    return "\n".join(
        [words(app), *(str(option) for one in choices for option in one.options), *told, *tables]
    )


def test_simulated_sections_are_not_what_is_shown_first(visit: Open, mixed: Library) -> None:
    app = visit("sections")
    (shown,) = maps(app).values()
    assert [panel["title"] for panel in shown["panels"]] == [one.title for one in of(mixed, OWN)]
    deletes = [button.key for button in app.button if str(button.key).startswith("delete-")]
    assert deletes[0] == f"delete-{of(mixed, OWN)[0].id}"
    app = app.switch_page("../pages/risk_map.py").run()
    assert app.selectbox("reference").value == OWN
    app = app.switch_page("../pages/in_painting.py").run()
    assert app.selectbox("marked_section").value == of(mixed, OWN)[0].id


def test_a_patient_that_the_model_hardly_knows_is_no_reference_unless_chosen(
    visit: Open, mixed: Library
) -> None:
    """Not even before a simulated one; whoever chooses it is told so."""
    for section in of(mixed, OWN):
        note_tokens(mixed, section.id, share_beyond_p99={section.section: 0.4})
    app = visit("risk_map")
    assert not app.exception
    box = app.selectbox("reference")
    assert box.value == SIMULATED
    assert box.options == [SIMULATED, f"{OWN} (tokens uncertain)"]
    assert f"Codes picked on {OWN} may mean nothing" in words(app)  # those it is set against choose codes too
    app.radio("mode").set_value("Most frequent in the reference").run()
    assert "may mean nothing**, and so" not in words(app)
    app.selectbox("reference").set_value(OWN).run()
    assert f"Codes picked on {OWN} may mean nothing" in words(app)


def test_hidden_sections_are_on_no_page_until_they_are_shown_again(visit: Open, mixed: Library) -> None:
    model, gone, stay = model_of(mixed), of(mixed, SIMULATED), of(mixed, OWN)
    CellSets(mixed).make("mine", {gone[0].id: [0, 1]})
    app = visit("risk_map")
    app.selectbox("reference").set_value(SIMULATED).run()
    app.multiselect("shown").set_value([gone[0].id, stay[0].id]).run()
    assert SIMULATED in offered(app)
    n_before = token_profiles(mixed, model)["n_cells"].sum()

    app = app.switch_page("../pages/sections.py").run()
    app.button("hide-simulated").click().run()
    assert not app.exception
    assert "2 simulated sections are hidden" in words(app)
    assert SIMULATED not in offered(app)
    for page in PAGES[1:]:
        app = app.switch_page(f"../pages/{page}.py").run()
        assert not app.exception
        assert SIMULATED not in offered(app), page
        assert "mine (" not in offered(app), page
    app = app.switch_page("../pages/risk_map.py").run()
    assert f"{OWN} is the only patient here with tokens" in words(app)
    _, exported = csv_of(app, "risk_map")
    assert set(exported["patient_id"]) == {OWN}
    assert described_by(mixed, model) == stay
    n_cells = sum(one.n_cells for one in stay)
    assert token_profiles(mixed, model)["n_cells"].sum() == n_cells < n_before

    app = visit("sections")  # of somebody else, later
    assert SIMULATED not in offered(app)
    app.button("show-simulated").click().run()
    assert SIMULATED in offered(app)
    assert token_profiles(mixed, model)["n_cells"].sum() == n_before
    assert "against TOY-H" in words(app.switch_page("../pages/risk_map.py").run())


def test_simulated_sections_are_removed_with_what_was_made_of_them(visit: Open, mixed: Library) -> None:
    app = visit("risk_map")
    assert list(mixed.results.iterdir())
    app = app.switch_page("../pages/sections.py").run()
    mixed.hide([of(mixed, SIMULATED)[0].id])
    app = app.run()
    app.button("remove-simulated").click().run()
    assert len(of(mixed, SIMULATED)) == 2  # not before it is confirmed
    assert "2 simulated sections**, with the tokens" in words(app)
    app.button("remove-for-good").click().run()
    assert not app.exception
    assert mixed.sections() == of(mixed, OWN)
    assert mixed.hidden() == []
    assert not list(mixed.results.iterdir())
    assert "simulated section" not in words(app)
    assert mixed.samples_imported()  # so they do not come back by themselves


def test_samples_step_aside_for_the_first_section_of_ones_own_and_come_back_on_a_click(
    visit: Open, loaded: Library, toy: AnnData, tmp_path: Path
) -> None:
    samples = [one.id for one in loaded.sections()]
    for section_id in samples:
        restate(loaded, section_id, simulated=True)
    app = visit("sections")
    for n, shown_before in ((1, len(samples)), (2, len(samples) + 1)):
        own = one_section(toy)[: 50 + n].copy()
        own.uns[keys.PROVENANCE] = {**own.uns[keys.PROVENANCE], "simulated": False}
        own.obs["section_id"], own.obs["patient_id"] = f"OWN-{n}", "BR-7"
        assert len(loaded.sections()) == shown_before
        upload(app, own, tmp_path / f"own{n}.h5ad")
        keep(app)
        assert not app.exception
        if n == 1:
            assert [one.section for one in loaded.sections()] == ["OWN-1"]
            assert "4 simulated sections are hidden" in words(app)
            app.button("show-simulated").click().run()
    assert {one.id for one in loaded.sections()} > set(samples)  # whoever wants them keeps them
    assert loaded.hidden() == []


def test_samples_get_their_tokens_from_a_model_that_knows_them(
    visit: Open, library: Library, toy: AnnData, tmp_path: Path
) -> None:
    other, _ = models.add(library, save_bundle(tmp_path / "other tissue", list(toy.var_names), seed=3), [])
    (tmp_path / "data_samples").mkdir()
    squint.write(one_section(toy), tmp_path / "data_samples" / "TOY-H-1.h5ad")
    prefer(library, other.sha256)
    app = settled(visit("sections"))
    assert not app.exception
    assert app.session_state["model"] == str(other.folder)
    [section] = library.sections()
    assert model_of(library) not in ("", other.sha256)
    assert library.token_facts(section.id, other.sha256) is None  # nobody asked for what it cannot know


def test_the_sample_cohort_can_be_imported_again(
    visit: Open, loaded: Library, toy: AnnData, tmp_path: Path
) -> None:
    for section in loaded.sections():
        restate(loaded, section.id, simulated=True)
    samples = tmp_path / "data_samples"
    samples.mkdir()
    one = loaded.sections()[0]
    squint.write(toy[toy.obs["section_id"] == one.section].copy(), samples / "one.h5ad")
    app = visit("sections")
    assert "import-samples" not in [button.key for button in app.button]
    loaded.delete(*(section.id for section in loaded.sections()))
    app = app.run()
    settled(app.button("import-samples").click().run())
    assert not app.exception
    assert [section.id for section in loaded.sections()] == [one.id]
    shutil.rmtree(samples)
