"""Pictures on the page of sections: looked at, added, placed, deleted."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from streamlit.testing.v1 import AppTest

from app import session
from app.components.map.image_placing import set_landmark
from app.unkept import Landmarks
from squint.library.images import (
    BY_LANDMARKS,
    BY_PIXEL_SIZE,
    Images,
    SectionImage,
)
from squint.library.store import Library, Section
from tests.helpers.app import staged
from tests.helpers.engine import Worker
from tests.helpers.section_pictures import smooth

pytestmark = pytest.mark.slow


def script() -> None:
    """Show the pictures of the first section, as a page does: its source alone is run, hence the imports."""
    import streamlit as st  # noqa: PLC0415

    from app import session  # noqa: PLC0415
    from app.components.map.images import picture_of, show_images  # noqa: PLC0415

    library = session.library()
    section = library.sections()[0]
    show_images(library, section)
    picture = picture_of(library, section)
    st.json(picture if picture and picture["affine"] else {})


def words(app: AppTest) -> str:
    kinds = (app.markdown, app.caption, app.info, app.warning, app.error)
    return "\n".join(str(element.value) for kind in kinds for element in kind).replace("\\", "")


@pytest.fixture
def app(added: Section, worker: Worker) -> AppTest:
    """Open a page with the pictures of a section."""
    worker.wait_ready()
    assert added
    return AppTest.from_function(script, default_timeout=60).run()


def shown(app: AppTest) -> dict:
    assert not app.exception
    return json.loads(app.json[0].value)


def uploaded(app: AppTest, tmp_path: Path) -> AppTest:
    Image.fromarray(smooth()).save(tmp_path / "he.png")
    return app.file_uploader[0].set_value([("he.png", (tmp_path / "he.png").read_bytes(), "image/png")]).run()


def test_a_picture_is_uploaded_looked_at_added_and_deleted(
    app: AppTest, library: Library, added: Section, tmp_path: Path
) -> None:
    assert shown(app) == {}
    uploaded(app, tmp_path)
    assert "1,400 x 1,100 pixels, colour" in words(app)
    assert Images(library).of(added.id) == []
    app.button(f"image-add-{added.id}").click().run()
    assert "where it lies" in words(app)
    (image,) = Images(library).of(added.id)
    assert shown(app) == {}
    assert not staged(library)
    app.button(f"image-delete-{image.id}").click().run()
    assert not app.exception
    assert Images(library).of(added.id) == []


def test_a_damaged_picture_is_told_of_and_can_be_deleted(
    app: AppTest, library: Library, added: Section, image: SectionImage
) -> None:
    images = Images(library)
    images.place(added.id, image.id, [[0.5, 0, 0], [0, 0.5, 0]], BY_PIXEL_SIZE)
    assert shown(app.run())["id"] == image.id
    (images.folder(added.id, image.id) / "0" / "0_0.webp").write_bytes(b"x")
    assert images.tile(added.id, image.id, 0, 0, 0) is None  # as the browser asks for it
    assert shown(app.run()) == {}
    assert "**image** is damaged, and shown nowhere." in words(app)
    assert "0_0.webp in the library is damaged. Delete it, or add it again" in words(app)
    app.button(f"image-delete-{image.id}").click().run()
    assert "damaged" not in words(app)
    assert library.sections() == [added]


def test_a_picture_is_placed_by_its_pixel_size(
    app: AppTest, library: Library, added: Section, image: SectionImage
) -> None:
    app.run()
    assert app.number_input(f"image-um-{image.id}").value == 0.5
    app.number_input(f"image-x-{image.id}").set_value(-10.0)
    next(b for b in app.button if b.label == "Place by pixel size").click().run()
    assert shown(app)["affine"] == [0.5, 0, -10, 0, 0.5, 0]
    assert "Placed by: pixel size. 0.5 µm per pixel, turned by 0.0°. 100% of the cells lie on it." in words(
        app
    )
    app.selectbox(f"image-{added.id}").set_value("").run()
    assert shown(app) == {}
    assert Images(library).of(added.id)[0].placed == BY_PIXEL_SIZE


def test_landmarks_place_it_or_say_why_not(
    app: AppTest, library: Library, added: Section, image: SectionImage
) -> None:
    pixels = [(0.0, 0.0), (1_000.0, 0.0), (2_000.0, 0.0), (0.0, 1_000.0)]
    places = [(10.0, 20.0), (510.0, 20.0), (1_010.0, 20.5), (10.0, 520.0)]
    state = Landmarks()
    app.session_state[f"_landmarks-{added.id}-{image.id}"] = state

    def set_rows(n: int) -> None:
        state.given = state.rows = [
            [*pixel, *place] for pixel, place in zip(pixels[:n], places[:n], strict=True)
        ]
        state.table += 1

    for n, why in ((0, "At least 3"), (2, "At least 3"), (3, "one line in the picture")):
        set_rows(n)
        app.run()
        app.button(f"image-landmarks-{image.id}").click().run()
        assert why in words(app)
        assert shown(app) == {}
    set_rows(4)
    app.run()
    app.button(f"image-landmarks-{image.id}").click().run()
    np.testing.assert_allclose(shown(app)["affine"], [0.5, 0, 10, 0, 0.5, 20], atol=0.3)
    said = words(app)
    assert "Placed by: 4 landmarks, which are missed by" in said
    kept = Images(library).get(added.id, image.id)
    assert kept.placed == BY_LANDMARKS
    assert kept.landmarks[2] == (2_000.0, 0.0, 1_010.0, 20.5)
    assert kept.rmse == pytest.approx(0.1, abs=0.05)


def test_a_landmark_set_on_the_map_joins_the_table(
    library: Library, added: Section, image: SectionImage
) -> None:
    assert library
    set_landmark(added.id, image.id, 0, pixel=(3, 4))
    set_landmark(added.id, image.id, 2, place=(7, 8))
    set_landmark(added.id, image.id, 0, place=(5, 6))
    state = session.landmarks(added.id, image.id)
    assert state.rows == [[3, 4, 5, 6], [None] * 4, [None, None, 7, 8]]
    assert state.table == 3


def test_a_large_file_comes_from_the_import_folder(app: AppTest, library: Library, added: Section) -> None:
    folder = Images(library).import_folder
    folder.mkdir()
    path = folder / "morphology_focus.ome.tif"
    channels = smooth(2).transpose(2, 0, 1)
    about = {
        "axes": "CYX",
        "Channel": {"Name": ["DAPI", "18S"]},
        "PhysicalSizeX": 0.25,
        "PhysicalSizeY": 0.25,
    }
    tifffile.imwrite(path, channels, photometric="minisblack", metadata=about)
    app.run()
    app.selectbox(f"image-import-{added.id}-0").set_value("morphology_focus.ome.tif").run()
    assert "2 channels, 0.25 µm per pixel" in words(app)
    app.selectbox(f"image-channel-{added.id}-0").set_value(1).run()
    app.button(f"image-add-{added.id}").click().run()
    spec = shown(app)
    assert spec["affine"] == [0.25, 0, 0, 0, 0.25, 0]
    (image,) = Images(library).of(added.id)
    assert (image.grey, image.channel) == (True, "18S")
    assert path.exists()


def test_a_refused_file_is_said_in_words(app: AppTest, library: Library, added: Section) -> None:
    app.file_uploader[0].set_value([("he.tif", b"II*\0" + b"\xff" * 50, "image/tiff")]).run()
    assert not app.exception
    assert "incomplete" in words(app) or "damaged" in words(app)
    assert Images(library).of(added.id) == []
