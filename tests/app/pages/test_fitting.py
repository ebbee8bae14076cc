"""The model that fits an upload best is proposed, and keeping the upload switches all pages to it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from anndata import AnnData
from streamlit.testing.v1 import AppTest

import squint
from squint import datasets
from squint.library.preferred_model import preferred
from squint.library.store import Library
from squint.model.card import CONFIG, weights_sha256
from tests.helpers.app import keep, links, one_section, upload, words
from tests.helpers.sections import add_model

pytestmark = pytest.mark.slow
Open = Callable[..., AppTest]


def of_another_panel(adata: AnnData, prefix: str = "PANEL-") -> AnnData:
    adata = adata.copy()
    adata.var_names = [f"{prefix}{name}" for name in adata.var_names]
    return adata


@pytest.fixture(scope="module")
def other_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a second model, on other genes."""
    folder = tmp_path_factory.mktemp("model") / "other"
    model = squint.ModelConfig(n_hidden=16, n_latent=8, n_codes=6, n_mlp_layers=1)
    section = of_another_panel(datasets.toy(n_cells=240, n_sections=2))
    short = squint.TrainConfig(n_epochs=2, context_steps=0)
    *_, last = squint.train(section, model=model, train=short, device="cpu")
    last.bundle.save(folder)
    return folder


@pytest.fixture
def other(library: Library, other_folder: Path) -> Path:
    """Put the second model into the library."""
    return add_model(library, other_folder, "other")


def tokens_by(app: AppTest) -> str:
    return f"tokens-by-{app.session_state['_upload'].file_id}"


def fits(app: AppTest) -> dict[str, str]:
    """Give the verdict on each model."""
    (table,) = (table.value for table in app.table if "Verdict" in table.value)
    return {name: verdict.replace("\\", "") for name, verdict in table["Verdict"].items()}


def test_the_best_of_two_models_is_proposed_and_keeping_switches_all_pages_to_it(
    visit: Open, library: Library, other: Path, model_folder: Path, toy: AnnData, tmp_path: Path
) -> None:
    app = visit("sections")
    assert app.session_state["model"] == str(model_folder)
    upload(app, of_another_panel(one_section(toy)), tmp_path / "new.h5ad")
    assert not app.exception
    assert fits(app)["other"].startswith("fits best")
    assert "at least 25% of its genes" in fits(app)["toy"]
    box = app.selectbox(tokens_by(app))
    assert box.value == weights_sha256(other)
    assert box.options == ["other, fits best", "No model: keep for viewing"]
    assert "All pages show the model **toy** now. Keeping this switches them to **other**" in words(app)
    assert app.session_state["model"] == str(model_folder)  # nothing is switched before
    assert app.button("keep").label == "Keep and tokenise"
    keep(app)
    assert not app.exception
    (section,) = library.sections()
    assert app.selectbox("model").value == str(other)
    assert preferred(library) == weights_sha256(other)
    assert library.tokens(section.id, weights_sha256(other)) is not None
    assert library.tokens(section.id, weights_sha256(model_folder)) is None
    tokens = app.switch_page("../pages/tokens.py").run()
    assert "n = 60 cells, 1 section, 1 patient" in words(tokens)
    app = tokens.switch_page("../pages/sections.py").run()
    app.selectbox("model").set_value(str(model_folder)).run()
    assert not app.exception
    badges = [markdown.value for markdown in app.markdown]
    assert any("no tokens by this model" in badge for badge in badges)
    assert not any("stale" in badge for badge in badges)
    assert app.button(f"tokenise-{section.id}").label == "Tokenise"


def test_the_model_of_all_pages_is_kept_where_it_fits_best_and_no_tokens_can_be_asked_for(
    visit: Open, library: Library, other: Path, model_folder: Path, toy: AnnData, tmp_path: Path
) -> None:
    del other
    app = upload(visit("sections"), one_section(toy), tmp_path / "new.h5ad")
    box = app.selectbox(tokens_by(app))
    assert box.value == weights_sha256(model_folder)
    assert "switches" not in words(app)
    box.set_value("").run()
    assert app.selectbox(tokens_by(app)).value == ""
    assert app.button("keep").label == "Keep for viewing"
    keep(app)
    (section,) = library.sections()
    assert library.token_facts(section.id, weights_sha256(model_folder)) is None
    assert "No model fits" not in words(app)
    assert app.button(f"tokenise-{section.id}").label == "Tokenise"


def test_where_no_model_fits_training_one_is_the_next_step(
    visit: Open, library: Library, other: Path, model_folder: Path, toy: AnnData, tmp_path: Path
) -> None:
    del other
    unknown = of_another_panel(one_section(toy), "UNKNOWN-")
    app = upload(visit("sections"), unknown, tmp_path / "new.h5ad")
    assert not app.exception
    assert tokens_by(app) not in [box.key for box in app.selectbox]
    assert any("No model fits this upload" in warning.value for warning in app.warning)
    assert any("Next: train a model on it" in warning.value for warning in app.warning)
    assert app.button("keep").label == "Keep for viewing"
    keep(app)
    assert not app.exception
    (section,) = library.sections()
    assert not any("No model fits" in info.value for one in app.expander for info in one.info)  # it is closed
    assert any("No model fits" in info.value and "train a model" in info.value for info in app.info)
    assert links(app) == ["Go to Models"]
    assert app.session_state["model"] == str(model_folder)
    facts = library.token_facts(section.id, weights_sha256(model_folder))
    assert facts is not None
    assert "problem" in facts


def test_a_damaged_model_is_not_proposed_and_said(
    visit: Open, library: Library, other_folder: Path, model_folder: Path, toy: AnnData, tmp_path: Path
) -> None:
    broken = Path(shutil.copytree(other_folder, tmp_path / "broken"))
    kept = add_model(library, broken, "broken")
    (kept / CONFIG).write_text("{")
    app = upload(visit("sections"), one_section(toy), tmp_path / "new.h5ad")
    assert not app.exception
    assert set(fits(app)) == {"toy"}
    assert app.selectbox(tokens_by(app)).value == weights_sha256(model_folder)
    assert any("Not compared: broken, which cannot be used" in caption.value for caption in app.caption)
