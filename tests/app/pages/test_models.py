"""The page of models: listed, trained, exported and added, named, deleted."""

from collections.abc import Callable
from pathlib import Path

from streamlit.testing.v1 import AppTest

from app import session
from app.models import known_models
from squint.library import trainings
from squint.library.store import Library
from tests.helpers.app import words

Open = Callable[..., AppTest]
PAGE = "models"


def open_training(app: AppTest) -> AppTest:
    """Open what lets a user train."""
    app.session_state["train"] = True
    return app.run()


def test_an_empty_library_has_the_models_of_the_server(visit: Open, model_folder: Path) -> None:
    app = visit(PAGE)
    assert not app.exception
    assert not app.error
    said = words(app)
    assert f"**{model_folder.name}**" in said
    assert "6 codes" in said or "**6**" in said
    assert "Few cells: 240" in said
    assert [button.disabled for button in app.button if button.label == "Use this model"] == [True]


def test_an_empty_library_has_nothing_to_train_on(visit: Open) -> None:
    app = open_training(visit(PAGE))
    assert not app.exception
    assert "no section with counts" in words(app)
    assert "train-start" not in {button.key for button in app.button}


def test_a_model_is_trained_used_and_gives_tokens(visit: Open, loaded: Library) -> None:
    app = open_training(visit(PAGE))
    assert not app.exception
    assert "4 sections sharing" in app.selectbox("train-panel").options[0]
    assert "on this machine" in words(app)
    app.number_input("train-codes").set_value(5).run()
    app.text_input("train-name").set_value("My tissue").run()
    app.button("train-start").click().run(timeout=300)
    assert not app.exception
    assert not app.error
    (model,) = (one for one in known_models(loaded) if not one.is_shipped)
    assert model.name == "My tissue"
    assert model.card is not None
    assert model.card.model.n_codes == 5
    assert not model.card.in_paints
    assert app.session_state[session.MODEL] == str(model.folder)
    assert len(loaded.tokenised(loaded.sections(), model.sha256)) == 4
    assert not list((loaded.home / trainings.FOLDER).iterdir())
