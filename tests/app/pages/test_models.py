"""The page of models: listed, trained, exported and added, named, deleted."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from anndata import AnnData
from streamlit.testing.v1 import AppTest

import squint
from app import session
from app.components.models.panels import panels, shared
from app.engine.client import Cancelled
from app.models import known_models
from app.requests import PackModel, TrainModel
from squint import datasets
from squint.errors import InputError
from squint.library import ingest, models, trainings
from squint.library.models import KnownModel
from squint.library.store import Library
from squint.model.about import parse_about
from tests.helpers.app import one_section, send, staged, wait_for, words
from tests.helpers.bundles import ABOUT, save_bundle
from tests.helpers.engine import Worker

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
    painting = app.switch_page("../pages/in_painting.py").run()
    assert "**My tissue**, has not learned to in-paint" in words(painting)
    painting.button("learn-to-inpaint").click().run(timeout=300)
    assert not painting.exception
    assert not painting.error
    learned = next(one for one in known_models(loaded) if one.name == "My tissue, in-paints")
    assert painting.selectbox(session.MARKED_MODEL).value == str(learned.folder)
    assert "learn-to-inpaint" not in {button.key for button in painting.button}
    assert painting.session_state[session.MODEL] == str(model.folder)


def test_sections_that_share_most_of_their_genes_are_proposed_together(
    library: Library, toy: AnnData
) -> None:
    names = list(toy.obs["section_id"].cat.categories)
    parts = [one_section(toy, name) for name in names]
    parts[1] = parts[1][:, :30].copy()
    parts[2].var_names = [f"OTHER{i}" for i in range(parts[2].n_vars)]
    parts[3] = parts[3][:, :5].copy()
    labels = ingest.Labels({str(name): str(name) for name in toy.obs["patient_id"].unique()}, {})
    for part in parts:
        part.uns = toy.uns
        ingest.add(library, next(iter(ingest.clean(part, labels))), labels)
    found = panels(library)
    told = {frozenset(one.section for one in panel.sections): len(panel.genes) for panel in found}
    assert told == {frozenset(names[:2]): 30, frozenset(names[2:3]): 40, frozenset(names[3:]): 5}
    together = next(panel for panel in found if len(panel.sections) == 2)
    assert "2 sections sharing 30 genes, 120 cells" in together.title
    assert shared(library, together.sections) == 30


def test_a_training_that_is_cancelled_leaves_nothing(visit: Open, loaded: Library, worker: Worker) -> None:
    visit(PAGE)
    ids = tuple(sorted(one.id for one in loaded.sections()))
    asked = TrainModel(ids, 5, "cancelled")
    place = trainings.place(loaded, asked.args)
    job = worker.ask(asked, loaded)
    wait_for(lambda: trainings.history(place) or job.done, 120)
    assert place.is_dir()
    began = time.monotonic()
    job.cancel()
    wait_for(lambda: job.done)
    assert time.monotonic() - began < 2 + 1  # s; the second is for a busy machine
    with pytest.raises(Cancelled):
        job.result()
    app = visit(PAGE)
    assert not app.exception
    assert not place.exists()
    assert [one for one in known_models(loaded) if not one.is_shipped] == []


@pytest.fixture
def kept(loaded: Library) -> KnownModel:
    """Put a model of other weights than the server's into the library."""
    section = datasets.toy(n_cells=120, n_sections=1)
    model = squint.ModelConfig(n_hidden=16, n_latent=8, n_codes=4, n_mlp_layers=1)
    choices = squint.TrainConfig(n_epochs=2, context_steps=0)
    *_, last = squint.train(section, model=model, train=choices, device="cpu")
    with loaded.staged() as folder:
        last.bundle.save(folder / "bundle")
        return models.add(loaded, folder / "bundle").model


def test_what_a_card_says_of_its_data_is_read_out_whole(visit: Open, loaded: Library, tmp_path: Path) -> None:
    long = "https://example.org/" + "a" * 80
    about = parse_about({**ABOUT, "source": long})
    models.add(loaded, save_bundle(tmp_path / "other", about=about))
    app = visit(PAGE)
    assert not app.exception
    said = words(app)
    assert ":orange-badge[starter]" in said
    assert "Trained on: One slide of one *patient*." in said
    assert "Not trained on: Any other patient." in said
    assert "Every fifth cell only." in said
    assert "Data: A slide, by A. Author et al.; licence of the data: CC BY 4.0." in said
    assert f"`{long}`" in said
    assert any(r"\*patient\*" in one.value for one in app.markdown)


def test_a_model_is_packed_and_comes_back_the_same(
    visit: Open, loaded: Library, worker: Worker, kept: KnownModel
) -> None:
    app = visit(PAGE)
    assert "One section of one patient" in words(app)
    assert "Export" in {button.label for button in app.get("download_button")}
    path = Path(worker.ask(PackModel(str(kept.folder)), loaded).result(120))
    packed = path.read_bytes()
    loaded.unstage(path)
    app.button(f"delete-{kept.folder.name}").click().run()
    app.button("delete-model-for-good").click().run()
    assert not app.exception
    assert kept.folder not in {one.folder for one in known_models(loaded)}
    assert send(app, "my model.zip", packed, "packed-model").status_code == 201
    app.run(timeout=120)
    assert not app.exception
    assert not app.error
    (back,) = (one for one in known_models(loaded) if not one.is_shipped)
    assert (back.name, back.sha256) == ("my_model", kept.sha256)
    assert app.session_state[session.MODEL] == str(back.folder)
    assert not staged(loaded)


def test_a_file_that_is_no_model_is_refused_and_the_old_one_stays_in_use(
    visit: Open, loaded: Library
) -> None:
    app = visit(PAGE)
    before = app.session_state[session.MODEL]
    refused = send(app, "model.pt", b"\x80\x04 pickled", "packed-model")
    assert refused.status_code == 415
    assert send(app, "model.zip", b"PK no archive", "packed-model").status_code == 201
    app.run(timeout=120)
    assert not app.exception
    assert "did not work" in words(app)
    assert app.session_state[session.MODEL] == before
    assert not list(loaded.models.iterdir())


def test_a_model_is_named_and_noted_on(visit: Open, loaded: Library, kept: KnownModel) -> None:
    key = kept.folder.name
    app = visit(PAGE)
    app.text_input(f"name-{key}").set_value("Renamed")
    app.text_area(f"note-{key}").set_value("Of *breast*.")
    next(button for button in app.button if button.key and button.key.endswith(f"save-{key}")).click().run()
    assert not app.exception
    (model,) = (one for one in known_models(loaded) if not one.is_shipped)
    assert (model.name, model.note) == ("Renamed", "Of *breast*.")
    assert "Note: Of *breast*." in words(app)


def test_a_damaged_model_is_shown_with_its_problem(visit: Open, loaded: Library, kept: KnownModel) -> None:
    (kept.folder / "card.json").write_text("{}")
    with pytest.raises(InputError):
        loaded.files.checked(kept.folder / "card.json")
    app = visit(PAGE)
    assert not app.exception
    assert any("cannot be used" in error.value for error in app.error)
    keys = {button.key for button in app.button}
    assert f"use-{kept.folder.name}" not in keys
    assert f"delete-{kept.folder.name}" in keys


def test_another_model_is_used_on_every_page(visit: Open, kept: KnownModel) -> None:
    app = visit(PAGE)
    app.button(f"use-{kept.folder.name}").click().run()
    assert app.session_state[session.MODEL] == str(kept.folder)
    assert app.button(f"use-{kept.folder.name}").disabled
    sections = app.switch_page("../pages/sections.py").run()
    assert not sections.exception
    assert "Tokenise the 4 sections" in " ".join(button.label for button in sections.button)
