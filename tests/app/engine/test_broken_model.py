"""A model that cannot be used: the page says what is wrong with it, and everything else works."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from anndata import AnnData
from streamlit.testing.v1 import AppTest

from app.engine import client as engines
from app.engine.client import Engine
from squint.library.store import Library
from squint.model.card import CONFIG
from tests.helpers.app import MAIN, one_section, upload, words

pytestmark = pytest.mark.slow


@pytest.fixture
def broken(model_folder: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make a model of which one choice is beyond sense the server's."""
    del home
    folder = Path(shutil.copytree(model_folder, tmp_path / "broken"))
    config = json.loads((folder / CONFIG).read_text())
    config["model"]["dropout"] = 5
    (folder / CONFIG).write_text(json.dumps(config))
    monkeypatch.setenv("SQUINT_MODEL", str(folder))
    engine = engines.engine()
    yield folder
    engine.close()
    del engines._engines[folder, engines.MODEL]


@pytest.fixture
def visit_with(monkeypatch: pytest.MonkeyPatch, home: Path) -> Iterator[Callable[[Engine], AppTest]]:
    """Open the first page of a server with an engine."""
    del home
    used: list[Engine] = []

    def visit(engine: Engine) -> AppTest:
        used.append(engine)
        monkeypatch.setenv("SQUINT_MODEL", "/some/model")
        monkeypatch.setitem(engines._engines, (Path("/some/model"), engines.MODEL), engine)
        return AppTest.from_file(MAIN, default_timeout=60).run()

    yield visit
    for engine in used:
        engine.close()


def test_the_page_names_what_is_wrong_and_a_section_is_kept(
    broken: Path, library: Library, toy: AnnData, tmp_path: Path
) -> None:
    assert engines.engine().wait_ready(120) is not None
    app = AppTest.from_file(MAIN, default_timeout=60).run()
    del broken
    assert "No model: The files of the model bundle" in words(app)
    assert "dropout: in [0, 1), not 5" in words(app)
    assert "loading" not in words(app)
    app = upload(app, one_section(toy), tmp_path / "new.h5ad")
    app.text_input("patient-TOY-H-" + app.session_state["_upload"].file_id).set_value("K-1").run()
    assert any("no model" in warning.value for warning in app.warning)
    app.button("keep").click().run()
    assert not app.exception
    assert [section.n_cells for section in library.sections()] == [60]
    for page in ("tokens", "in_painting", "differential_expression"):
        app.switch_page(f"../pages/{page}.py").run()
        assert not app.exception


def test_a_model_that_ends_its_worker_is_done_without() -> None:
    engine = Engine(Path("some/model"), tasks="tests.helpers.fragile_tasks")
    facts = engine.wait_ready(60)
    assert facts is not None
    assert facts["folder"] == "None"
    assert not engine.problem
    assert engine.submit("add", {"a": 1, "b": 2}).result(20) == 3
    engine.close()


def test_a_worker_that_does_not_start_is_said_on_the_page(visit_with: Callable[[Engine], AppTest]) -> None:
    engine = Engine(Path("/some/model"), tasks="tests.app.no_such_tasks")
    assert engine.wait_ready(60) is None
    app = visit_with(engine)
    assert "No model: The worker process does not start" in words(app)
    assert "loading" not in words(app)
