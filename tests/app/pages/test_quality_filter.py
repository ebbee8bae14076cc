"""Cells of low quality on the page of sections: off at first, said before anything is kept, taken back."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from anndata import AnnData
from streamlit.testing.v1 import AppTest

from squint.library.store import Library
from tests.helpers.app import keep, one_section, settled, upload, words

Open = Callable[..., AppTest]


@pytest.fixture
def section(toy: AnnData) -> AnnData:
    """Give 60 cells, 4 of them off the tissue, some with controls, one without an area."""
    section = one_section(toy)
    section.obs["in_tissue"] = (np.arange(60) >= 4).astype(int)
    section.obs["cell_area"] = np.where(np.arange(60) == 59, np.nan, np.arange(60) + 10.0)
    return section


def key(app: AppTest, name: str) -> str:
    return f"quality-{name}-{app.session_state['_upload'].file_id}"


def keys(app: AppTest) -> list[str]:
    return [str(one.key) for kind in (app.number_input, app.checkbox) for one in kind if "quality" in one.key]


def expander(app: AppTest) -> str:
    return next(one.label for one in app.expander if "low quality" in one.label)


def cells(app: AppTest) -> str:
    return {metric.label: metric.value for metric in app.metric}["Cells"]


def test_only_what_the_upload_has_is_offered_and_nothing_is_on(
    visit: Open, toy: AnnData, section: AnnData, tmp_path: Path
) -> None:
    app = upload(visit("sections"), section, tmp_path / "one.h5ad")
    assert expander(app) == "Leave out cells of low quality (4 of 60 not in tissue)"
    assert keys(app) == [key(app, name) for name in ("min_counts", "min_area", "max_area", "in_tissue")]
    assert not any(one.value for kind in (app.number_input, app.checkbox) for one in kind)
    assert cells(app) == "60"
    app = upload(app, one_section(toy, "TOY-H-2"), tmp_path / "two.h5ad")
    assert expander(app) == "Leave out cells of low quality"
    assert keys(app) == [key(app, "min_counts")]
    bright = one_section(toy)
    bright.X = bright.X * 10_000
    app = upload(app, bright, tmp_path / "three.h5ad")
    assert "Median intensity" in [metric.label for metric in app.metric]
    assert not any("low quality" in one.label for one in app.expander)
    assert keys(app) == []


def test_cells_are_left_out_as_said_and_taken_back(
    visit: Open, library: Library, section: AnnData, tmp_path: Path
) -> None:
    app = upload(visit("sections"), section, tmp_path / "new.h5ad")
    app.checkbox(key(app, "in_tissue")).set_value(True)
    app.number_input(key(app, "min_area")).set_value(20)
    app.button("quality-apply").click().run()
    assert not app.exception
    assert "60 cells before, **50** after." in words(app)
    assert "10 of 60 cells left out: smaller than 20 µm² (10), not in tissue (4); some for several" in words(
        app
    )
    assert "1 cell is kept: its area is not known." in words(app)
    assert cells(app) == "50"
    assert library.sections() == []
    keep(app)
    (kept,) = library.sections()
    assert (kept.n_cells, kept.n_left_out) == (50, 10)
    assert "10 cells left out: smaller than 20 µm², not in tissue." in words(app)
    assert len(list(library.folder(kept.id).glob("tokens/*.parquet"))) == 1
    settled(app.button(f"take-back-{kept.id}").click().run())
    assert not app.exception
    assert not app.error
    (whole,) = library.sections()
    assert (whole.n_cells, whole.n_left_out) == (60, 0)
    assert len(list(library.folder(whole.id).glob("tokens/*.parquet"))) == 1
    assert "left out" not in words(app)
    assert "n = 60 cells, 1 section, 1 patient" in words(app)
    assert f"take-back-{whole.id}" not in [button.key for button in app.button]


def test_all_cells_are_kept_again_by_one_button(
    visit: Open, library: Library, section: AnnData, tmp_path: Path
) -> None:
    app = upload(visit("sections"), section, tmp_path / "new.h5ad")
    assert "quality-off" not in [button.key for button in app.button]
    app.number_input(key(app, "max_area")).set_value(30)
    app.button("quality-apply").click().run()
    assert cells(app) == "22"
    app.button("quality-off").click().run()
    assert not app.exception
    assert cells(app) == "60"
    assert app.number_input(key(app, "max_area")).value is None
    keep(app)
    assert [one.n_cells for one in library.sections()] == [60]


def test_criteria_that_keep_nothing_or_contradict_each_other_are_told(
    visit: Open, library: Library, section: AnnData, tmp_path: Path
) -> None:
    app = upload(visit("sections"), section, tmp_path / "new.h5ad")
    app.number_input(key(app, "min_counts")).set_value(1e6)
    app.button("quality-apply").click().run()
    assert any("No cell of section TOY-H-1 would be left" in one.value.replace("\\", "") for one in app.error)
    assert "keep" not in [button.key for button in app.button]
    app.number_input(key(app, "min_counts")).set_value(None)
    app.number_input(key(app, "min_area")).set_value(50)
    app.number_input(key(app, "max_area")).set_value(40)
    app.button("quality-apply").click().run()
    assert any("at least 50 and at most 40" in one.value.replace("\\", "") for one in app.error)
    app.button("quality-off").click().run()
    assert not app.error
    keep(app)
    assert [one.n_cells for one in library.sections()] == [60]
