"""Files on the pages: looked at and kept, removed, taken from the import folder."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from anndata import AnnData
from PIL import Image
from streamlit.testing.v1 import AppTest

from app.uploads import arrivals
from squint.errors import InputError
from squint.library import naming
from squint.library.images import Images
from squint.library.import_folder import importable
from squint.library.store import Library
from tests.helpers.app import keep, one_section, send, staged, upload, words

pytestmark = pytest.mark.slow


def test_a_section_is_looked_at_and_kept(
    visit: Callable[[str], AppTest], library: Library, toy: AnnData, tmp_path: Path
) -> None:
    app = upload(visit("sections"), one_section(toy), tmp_path / "Jane_Doe_1970-01-01.h5ad")
    assert not app.exception
    assert "The file's name looks like a date" in words(app)
    assert "section.h5ad has come" in words(app).replace("*", "")
    assert {metric.label: metric.value for metric in app.metric}["Cells"] == "60"
    keep(app)
    (section,) = library.sections()
    assert section.section == "TOY-H-1"
    assert not staged(library)


def test_a_section_can_be_removed_and_another_takes_its_place(
    visit: Callable[[str], AppTest], library: Library, toy: AnnData, tmp_path: Path
) -> None:
    app = upload(visit("sections"), one_section(toy), tmp_path / "new.h5ad")
    assert app.metric
    app.button("upload-remove").click().run()
    assert not app.metric
    assert not staged(library)
    upload(app, one_section(toy), tmp_path / "new.h5ad")
    upload(app, one_section(toy), tmp_path / "newer.h5ad")
    assert "newer" in words(app)
    assert [path.name for path in library.uploads.glob("*/[!.]*")] == ["newer.h5ad"]


def test_a_section_comes_from_the_import_folder(
    visit: Callable[[str], AppTest], library: Library, toy: AnnData
) -> None:
    folder = library.home / "import"
    folder.mkdir()
    one_section(toy).write_h5ad(folder / "Jane Doe.h5ad")
    (folder / "link.h5ad").symlink_to("/etc/passwd")
    app = visit("sections")
    assert app.selectbox("upload-import-0").options == ["Jane Doe.h5ad"]
    app.selectbox("upload-import-0").set_value("Jane Doe.h5ad").run()
    assert "The file's name looks like a person's name" in words(app)
    assert [path.name for path in library.uploads.glob("*/[!.]*")] == ["section.h5ad"]
    keep(app)
    assert len(library.sections()) == 1
    assert not staged(library)
    assert (folder / "Jane Doe.h5ad").exists()


def test_the_import_folder_offers_files_folders_and_zips_but_no_links(library: Library) -> None:
    (folder := library.home / "import").mkdir()
    for name in ("outs", "s.zarr", ".hidden"):
        (folder / name).mkdir()
    for name in ("a.h5ad", "b.ZIP", "c.h5", "notes.txt", ".DS_Store"):
        (folder / name).touch()
    (folder / "link").symlink_to(folder / "outs")
    (folder / "link.h5").symlink_to("/etc/passwd")
    offered = importable(library, naming.ENDINGS, folders=True)
    assert offered == ["a.h5ad", "b.ZIP", "c.h5", "outs", "s.zarr"]
    assert importable(library, (".png", ".zarr")) == ["s.zarr"]
    link = arrivals.stage_import(library, "s.zarr", naming.file_name, naming.ENDINGS, naming.folder_name)
    assert (link.name, link.resolve()) == ("s.zarr", folder / "s.zarr")
    library.unstage(link)
    assert (folder / "s.zarr").is_dir()
    with pytest.raises(InputError, match="no longer"):
        arrivals.stage_import(library, "link", naming.file_name, naming.ENDINGS, naming.folder_name)


def test_a_large_picture_goes_the_way_of_a_small_one(
    visit: Callable[[str], AppTest], loaded: Library, tmp_path: Path
) -> None:
    section = loaded.sections()[0]
    place = f"image-{section.id}"
    app = visit("sections")
    app.session_state[f"larger-{place}"] = True
    app.run()
    pixels = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "he.png")

    def send_picture() -> None:
        beside = send(app, "scalefactors.json", b"x", place)
        assert "in the field above" in beside.json()["problem"]
        assert send(app, "he.png", (tmp_path / "he.png").read_bytes(), place).status_code == 201
        app.run()

    send_picture()
    assert not app.exception
    assert "80 x 60 pixels, colour" in words(app)
    app.button(f"{place}-remove").click().run()
    assert "80 x 60 pixels, colour" not in words(app)
    assert not staged(loaded)
    send_picture()
    app.button(f"image-add-{section.id}").click().run()
    assert not app.exception
    (image,) = Images(loaded).of(section.id)
    assert (image.name, image.width, image.height) == ("he", 80, 60)
    assert not staged(loaded)


def test_a_file_that_says_where_a_large_picture_lies_is_given_beside_it(
    visit: Callable[[str], AppTest], loaded: Library
) -> None:
    section = loaded.sections()[0]
    (folder := loaded.home / "import").mkdir()
    Image.fromarray(np.zeros((60, 80, 3), dtype=np.uint8)).save(folder / "he.png")
    app = visit("sections")
    app.selectbox(f"image-import-{section.id}-0").set_value("he.png").run()
    matrix = b"0.5,0,1\n0,0.5,2\n0,0,1\n"
    app.file_uploader(f"image-upload-{section.id}-0").set_value(
        [("he_imagealignment.csv", matrix, "text/csv")]
    ).run()
    assert not app.exception
    assert "80 x 60 pixels, colour" in words(app)
    assert "Where it lies is not said" not in words(app)
    assert [path.name for path in folder.iterdir()] == ["he.png"]  # nothing is put there
    app.button(f"image-add-{section.id}").click().run()
    (image,) = Images(loaded).of(section.id)
    assert image.affine is not None
    assert not staged(loaded)


def test_a_wrong_limit_is_said_on_the_page(
    visit: Callable[[str], AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SQUINT_MAX_UPLOAD_MB", "much")
    app = visit("sections")
    assert not app.exception
    assert "SQUINT_MAX_UPLOAD_MB must be a whole number" in words(app)
