"""The page of reports: empty, loaded, and with sections that lack something."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from anndata import AnnData
from streamlit.testing.v1 import AppTest

from squint.library.store import Library
from squint.report.names import HTML, ZIP
from squint.report.reading import read_recipe
from tests.helpers.app import keep, one_section, upload, words
from tests.helpers.sections import forget_tokens

pytestmark = pytest.mark.slow

Open = Callable[..., AppTest]
PAGE = "report"


def made(app: AppTest) -> AppTest:
    """Have the report made."""
    next(button for button in app.button if button.label == "Make the report").click().run(timeout=120)
    assert not app.exception
    assert not app.error
    assert "is ready" in words(app)
    return app


def files(app: AppTest) -> dict[str, bytes]:
    return {name: ready.read() for name, ready in app.session_state["_report"].files.items()}


@pytest.mark.usefixtures("loaded")
def test_a_report_of_all_parts_is_made_and_offered(visit: Open) -> None:
    app = visit(PAGE)
    assert not app.exception
    assert app.pills(key="report_parts").value == [
        "Cell types",
        "Tokens",
        "Activation score",
        "Genes that differ",
        "Every cell, in the tables",
    ]
    app.text_input(key="report_title").set_value("For the board").run()
    made(app)
    found = files(app)
    assert "<h1>For the board</h1>" in found[HTML].decode()
    labels = [button.proto.label for button in app.get("download_button")]
    assert len(labels) == len(found)
    with zipfile.ZipFile(io.BytesIO(found[ZIP])) as packed:
        recipe = read_recipe(packed.read("recipe.json"), "recipe.json")
        assert f"tables/cells_{len(recipe.shown)}.csv" in packed.namelist()
    assert recipe.title == "For the board"
    assert len(recipe.shown) == 4
    assert recipe.activation is not None
    app.text_input(key="report_title").set_value("Another").run()
    assert "Something was changed since" in words(app)


@pytest.mark.usefixtures("loaded")
def test_the_report_has_the_thresholds_and_parts_that_were_chosen(visit: Open) -> None:
    app = visit(PAGE)
    app.slider("thresholds").set_value((0.2, 0.6)).run()
    app.pills(key="report_parts").set_value(["Activation score"]).run()
    made(app)
    with zipfile.ZipFile(io.BytesIO(files(app)[ZIP])) as packed:
        recipe = read_recipe(packed.read("recipe.json"), "recipe.json")
    assert recipe.activation is not None
    assert (recipe.activation.low, recipe.activation.high) == (0.2, 0.6)
    assert recipe.comparison is None
    assert "Genes that differ" not in files(app)[HTML].decode()


def test_sections_without_tokens_are_reported_without_them(visit: Open, loaded: Library) -> None:
    for section in loaded.sections():
        forget_tokens(loaded, section.id)
    app = visit(PAGE)
    assert not app.exception
    assert "Tokens" not in app.pills(key="report_parts").options
    assert "tokens by this model" in words(app)
    html = files(made(app))[HTML].decode()
    assert "Activation score" not in html


def test_a_section_without_cell_types_is_reported(
    visit: Open, library: Library, toy: AnnData, tmp_path: Path
) -> None:
    bare = one_section(toy)
    del bare.obs["cell_type"]
    app = upload(visit("sections"), bare, tmp_path / "bare.h5ad")
    keep(app)
    assert len(library.sections()) == 1
    app = app.switch_page(f"../pages/{PAGE}.py").run()
    assert not app.exception
    assert "no cell types" in words(app)
    html = files(made(app))[HTML].decode()
    assert "The sections name no cell types." in html


@pytest.mark.usefixtures("loaded")
def test_nothing_is_made_without_a_part_or_a_title_of_somebody(visit: Open) -> None:
    app = visit(PAGE)
    app.pills(key="report_parts").set_value([]).run()
    assert "Choose at least one part." in words(app)
    assert next(button for button in app.button if button.label == "Make the report").disabled
    app.pills(key="report_parts").set_value(["Tokens"]).run()
    app.text_input(key="report_title").set_value("Jane Doe").run()
    next(button for button in app.button if button.label == "Make the report").click().run(timeout=60)
    assert any("looks like a person" in error.value for error in app.error)
