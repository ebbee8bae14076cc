"""What an upload leaves open is asked on the page, answered there, remembered, and never guessed."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
import tifffile
from anndata import AnnData
from streamlit.testing.v1 import AppTest

from squint.io.boundaries import read_boundaries
from squint.library.database import database
from squint.library.images import FROM_FILE, Images
from squint.library.records import RememberedAnswers
from squint.library.store import BOUNDARIES, Library
from tests.helpers import xenium_folder
from tests.helpers.app import keep, one_section, send, staged, upload, wait_for, words
from tests.helpers.visium_folder import spots, write_visium

Open = Callable[..., AppTest]


def zipped(folder: Path) -> bytes:
    return Path(shutil.make_archive(str(folder), "zip", folder.parent, folder.name)).read_bytes()


def give(app: AppTest, folder: Path) -> AppTest:
    """Give a folder to the page, as a zip."""
    assert send(app, f"{folder.name}.zip", zipped(folder)).status_code == 201
    return app.run()


def metrics(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def answer(app: AppTest, option: str, value: str) -> AppTest:
    app.radio(f"question-{option}-{app.session_state['_upload'].file_id}").set_value(value).run()
    assert not app.exception
    return app


@pytest.fixture
def bins(tmp_path: Path) -> Path:
    """Write a folder of Visium HD with bins of two sizes."""
    counts = np.random.default_rng(0).poisson(2.0, (40, 5)).astype(float)
    for size, n in (("008um", 40), ("016um", 30)):
        folder = tmp_path / "hd" / "binned_outputs" / f"square_{size}"
        write_visium(folder, counts[:n], spots(), scales={"microns_per_pixel": 0.5})
    return tmp_path / "hd"


def test_which_bins_is_asked_before_anything_is_shown_and_can_be_changed(visit: Open, bins: Path) -> None:
    app = give(visit("sections"), bins)
    assert "Which size of bins?" in words(app)
    assert not app.metric
    assert not app.error
    assert metrics(answer(app, "bin", "016um"))["Cells"] == "30"
    assert metrics(app)["Unit"] == "µm"
    assert "bins 008um" in app.table[0].value.index
    app.button("change-bin").click().run()
    assert metrics(answer(app, "bin", "008um"))["Cells"] == "40"


def test_an_answer_is_remembered_for_the_next_of_its_kind_once_it_is_kept(
    visit: Open, library: Library, bins: Path
) -> None:
    app = give(visit("sections"), bins)
    answer(app, "bin", "016um")
    with database(library.home).reading() as session:
        assert session.scalars(sa.select(RememberedAnswers)).all() == []
    file_id = app.session_state["_upload"].file_id
    app.text_input(f"patient--{file_id}").set_value("P-1").run()
    keep(app)
    assert [section.n_cells for section in library.sections()] == [30]
    again = give(app, bins)
    assert metrics(again)["Cells"] == "30"
    assert "016um" in words(again)
    again.button("change-bin").click().run()
    assert "Which size of bins?" in words(again)


def test_an_unknown_unit_is_asked_and_the_answer_converts(visit: Open, toy: AnnData, tmp_path: Path) -> None:
    section = one_section(toy)
    section.uns.clear()
    app = upload(visit("sections"), section, tmp_path / "x.h5ad")
    assert metrics(app)["Unit"] == "not known"
    assert "The unit of the positions is not stated" in words(app)
    assert metrics(answer(app, "unit", "um"))["Unit"] == "µm"
    app.button("change-unit").click().run()
    answer(app, "unit", "unknown")
    assert metrics(app)["Unit"] == "not known"
    assert "is not stated" not in words(app)


def test_a_section_of_no_patient_beside_one_of_a_patient_is_asked_for(
    visit: Open, library: Library, section: AnnData, tmp_path: Path
) -> None:
    section.obs["patient"] = section.obs["patient"].where(section.obs["section"] == "left").astype("category")
    app = answer(upload(visit("sections"), section, tmp_path / "x.h5ad"), "unit", "um")
    file_id = app.session_state["_upload"].file_id
    assert app.button("keep").disabled
    app.text_input(f"patient--{file_id}").set_value("P-9").run()
    keep(app)
    assert not app.exception
    assert {one.section: one.patient for one in library.sections()} == {"left": "P1", "right": "P-9"}


def test_fields_on_top_of_each_other_are_asked_about(visit: Open, toy: AnnData, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    one, rows = one_section(toy), rng.integers(0, 60, 600)
    names = [f"c{i}" for i in range(600)]
    section = AnnData(X=one.X[rows], obs=one.obs.iloc[rows].set_axis(names), var=one.var)
    grid = np.stack(np.meshgrid(np.arange(15), np.arange(10)), axis=-1).reshape(-1, 2) * 10.0
    section.obsm["spatial"] = np.concatenate([grid + rng.uniform(-2, 2, grid.shape) for _ in range(4)])
    section.obs["fov"] = np.repeat(np.arange(4), 150)
    app = upload(visit("sections"), section, tmp_path / "x.h5ad")
    assert "lie on top of each other" in words(app)
    assert metrics(answer(app, "column section_id", "fov"))["Sections"] == "4"


def test_outlines_and_pictures_of_a_folder_come_along(visit: Open, library: Library, tmp_path: Path) -> None:
    run = xenium_folder.Run()
    folder = xenium_folder.write_run(tmp_path / "run", run)
    pixels, size = np.full((400, 500), 9, dtype=np.uint8), {"PhysicalSizeX": 0.2125}  # all cells lie on it
    metadata = size | {"PhysicalSizeY": 0.2125, "PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "µm"}
    tifffile.imwrite(folder / "morphology_focus.ome.tif", pixels, ome=True, metadata=metadata)
    app = give(visit("sections"), folder)
    assert f"Read as Xenium; outlines of {run.n_cells} cells come along" in words(app)
    assert "Assay" in [one.label.split(" (")[0] for one in app.text_input]
    app.text_input(f"patient--{app.session_state['_upload'].file_id}").set_value("P-1").run()
    keep(app)
    (section,) = library.sections()
    assert section.assay == "Xenium"
    rings = read_boundaries(library.folder(section.id) / BOUNDARIES)
    assert len(rings.cells) == run.n_cells
    wait_for(lambda: app.run() and Images(library).of(section.id), timeout=60)
    (image,) = Images(library).of(section.id)
    assert image.placed == FROM_FILE
    assert image.affine == pytest.approx((0.2125, 0, 0, 0, 0.2125, 0))
    wait_for(lambda: app.run() and not staged(library))
