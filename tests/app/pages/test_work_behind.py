"""What every page says of work that goes on behind it, and how that is read and closed."""

from collections.abc import Callable
from pathlib import Path

from anndata import AnnData
from streamlit.testing.v1 import AppTest

import squint
from squint.library.store import Library
from tests.helpers.app import one_section, settled, words
from tests.helpers.engine import Worker

Open = Callable[..., AppTest]


def press(app: AppTest, label: str) -> AppTest:
    """Press the only button that is called so."""
    (button,) = (button for button in app.button if button.label == label)
    return button.click().run()


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def test_a_failed_tokenising_is_closed_for_all_pages_and_a_new_failure_is_said(
    visit: Open, loaded: Library
) -> None:
    app = visit("tokens")
    gone = loaded.sections()[0].id
    loaded.delete(gone)
    app.session_state["_upload"].kept.append(gone)
    settled(app.run())
    for page in ("sections", "tokens"):
        assert "Tokenising did not work" in words(app.switch_page(f"../pages/{page}.py").run())
    press(app, "Close")
    for page in ("sections", "tokens"):
        app.switch_page(f"../pages/{page}.py").run()
        assert not app.exception
        assert "Tokenising" not in words(app)
        assert "Try again" not in labels(app)
    app.session_state["_upload"].kept.append(gone)
    settled(app.run())
    assert "Tokenising did not work" in words(app)


def test_a_cancelled_tokenising_is_closed_and_can_be_asked_for_once_more(
    visit: Open, loaded: Library, worker: Worker
) -> None:
    app = visit("sections")
    (one, *_) = loaded.sections()
    worker.rest(loaded.home)  # so that what is asked for waits
    app.session_state["_upload"].kept.append(one.id)
    press(app.run(), "Cancel")
    assert "Tokenising: cancelled." in words(app.run())
    press(app, "Close")
    assert "Tokenising" not in words(app)
    app.session_state["_upload"].kept.append(one.id)
    assert "Cancel" in labels(app.run())
    worker.wait_ready()
    settled(app)
    assert not app.exception
    assert app.session_state["_upload"].kept == []
    assert "Tokenising" not in words(app)


def test_samples_whose_import_was_cancelled_and_closed_are_offered(
    visit: Open, library: Library, worker: Worker, toy: AnnData, tmp_path: Path
) -> None:
    app = visit("sections")
    worker.rest(library.home)
    (tmp_path / "data_samples").mkdir()
    squint.write(one_section(toy), tmp_path / "data_samples" / "TOY-H-1.h5ad")
    press(app.run(), "Cancel")
    assert "cancelled. Nothing of it was kept" in words(app.run())
    press(app, "Close")
    assert not app.exception
    assert "cancelled" not in words(app)
    assert "Do without the samples" not in labels(app)
    assert "The library is empty." in words(app)
    worker.wait_ready()
    settled(app.button("import-samples").click().run())
    assert [section.section for section in library.sections()] == ["TOY-H-1"]
