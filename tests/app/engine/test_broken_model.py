"""A model that cannot be used: the page says what is wrong with it, and everything else works."""

import json
import shutil
from pathlib import Path

import pytest
from anndata import AnnData
from streamlit.testing.v1 import AppTest

from squint.engine.lanes import LANES
from squint.library.store import Library
from squint.model.card import CONFIG
from tests.helpers.app import MAIN, keep, one_section, upload, words
from tests.helpers.engine import Engine, Worker

pytestmark = pytest.mark.slow


@pytest.fixture
def broken(model_folder: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a model of which one choice is beyond sense the server's."""
    del home
    folder = Path(shutil.copytree(model_folder, tmp_path / "broken"))
    config = json.loads((folder / CONFIG).read_text())
    config["model"]["dropout"] = 5
    (folder / CONFIG).write_text(json.dumps(config))
    monkeypatch.setenv("SQUINT_MODEL", str(folder))
    return folder


def test_the_page_names_what_is_wrong_and_a_section_is_kept(
    broken: Path, worker: Worker, library: Library, toy: AnnData, tmp_path: Path
) -> None:
    worker.wait_ready()
    app = AppTest.from_file(MAIN, default_timeout=60).run()
    del broken
    assert "No model: The files of the model bundle" in words(app)
    assert "dropout: in [0, 1), not 5" in words(app)
    assert "loading" not in words(app)
    app = upload(app, one_section(toy), tmp_path / "new.h5ad")
    app.text_input("patient-TOY-H-" + app.session_state["_upload"].file_id).set_value("K-1").run()
    assert any("no model" in warning.value for warning in app.warning)
    keep(app)
    assert not app.exception
    assert [section.n_cells for section in library.sections()] == [60]
    for page in ("tokens", "in_painting", "differential_expression"):
        app.switch_page(f"../pages/{page}.py").run()
        assert not app.exception


def test_a_model_that_ends_its_worker_is_done_without(tmp_path: Path) -> None:
    engine = Engine(tmp_path / "home", "tests.helpers.fragile_tasks")
    assert engine.said["worker"]["folder"] == "None"
    assert not engine.said["problem"]
    for lane in LANES:
        assert engine.ask("add", lane=lane, a=1, b=2).result(180) == 3
    engine.close()


def test_a_worker_that_does_not_start_is_said_on_the_page(home: Path) -> None:
    engine = Engine(home, "tests.app.no_such_tasks")
    with pytest.raises(RuntimeError, match="see the server's log"):
        engine.ask("add", a=1, b=2).result(180)
    app = AppTest.from_file(MAIN, default_timeout=60).run()
    assert "No model: The worker process does not start" in words(app)
    assert "loading" not in words(app)
    engine.close()
