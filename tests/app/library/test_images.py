"""Pictures of sections: kept as pixels only, given back tile by tile, placed, deleted with the section."""

import json
import subprocess
import sys
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import tifffile
from anndata import AnnData
from PIL import Image
from streamlit.testing.v1 import AppTest

import squint.io
from app import session
from app.components.map.images import picture_of, set_landmark
from app.engine.client import Engine
from app.library.images import (
    BY_LANDMARKS,
    BY_PIXEL_SIZE,
    FROM_FILE,
    Addition,
    Images,
    SectionImage,
    image_name,
)
from app.library.store import Library, Section
from app.requests import AddImage, LookAtImage
from app.session import Landmarks
from app.tasks import images as image_tasks
from app.tasks import ingest
from app.web.buffers import SIGNER
from squint.errors import InputError
from squint.images import TILE, apply
from squint.pl import View

pytestmark = pytest.mark.slow

WIDTH, HEIGHT = 1_400, 1_100


def report(fraction: float, words: str) -> None:
    assert 0 <= fraction <= 1
    assert words


def smooth(n_channels: int = 3) -> np.ndarray:
    """Draw what survives WebP nearly as it is."""
    rng = np.random.default_rng(0)
    small = rng.integers(40, 215, (12, 15, n_channels), dtype=np.uint8)
    layers = [
        Image.fromarray(small[:, :, k]).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        for k in range(n_channels)
    ]
    return np.stack([np.asarray(layer) for layer in layers], axis=-1)


@pytest.fixture
def added(library: Library, section: AnnData, tmp_path: Path) -> Section:
    """Add a section without pictures."""
    section.write_h5ad(tmp_path / "upload.h5ad")
    adata = squint.io.read(tmp_path / "upload.h5ad", answers=squint.io.Answers(unit="um"))
    labels = ingest.Labels({"P1": "A-1", "P2": "A-2"}, {})
    return ingest.add(library, next(iter(ingest.clean(adata, labels))), labels)[0]


@pytest.fixture
def image(library: Library, added: Section, tmp_path: Path) -> SectionImage:
    """Add a picture whose file is full of names."""
    path = tmp_path / "Jane_Doe_1970-01-01.ome.tif"
    beside = "Patient Jane Doe, born 1970-01-01"
    with tifffile.TiffWriter(path, ome=True) as file:
        about = {"Description": beside, "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
        file.write(
            smooth(), photometric="rgb", tile=(256, 256), software=beside, metadata={"Name": "HE", **about}
        )
        file.write(np.full((900, 900, 3), 9, np.uint8), photometric="rgb", metadata={"Name": "label"})
    assert b"Jane" in path.read_bytes()
    return image_tasks.keep(library, Addition(added.id, str(path)), report)


def stitch(images: Images, section: Section, image: SectionImage, level: int) -> np.ndarray:
    width, height = image.sizes[level]
    out = np.zeros((height, width, 3), dtype=np.uint8)
    for row in range(-(-height // TILE)):
        for column in range(-(-width // TILE)):
            content = images.tile(section.id, image.id, level, column, row)
            assert content is not None
            part = np.asarray(Image.open(BytesIO(content)).convert("RGB"))
            out[row * TILE :, column * TILE :][: part.shape[0], : part.shape[1]] = part
    return out


def test_tiles_reassemble_to_the_picture(library: Library, added: Section, image: SectionImage) -> None:
    assert (image.width, image.height, image.levels, image.grey) == (WIDTH, HEIGHT, 3, False)
    images = Images(library)
    pixels = smooth().astype(float)
    assert np.abs(stitch(images, added, image, 0) - pixels).mean() < 3
    half = pixels.reshape(HEIGHT // 2, 2, WIDTH // 2, 2, 3).mean(axis=(1, 3))
    assert np.abs(stitch(images, added, image, 1) - half).mean() < 3
    assert image.sizes[2] == (350, 275)
    assert images.tile(added.id, image.id, 3, 0, 0) is None
    assert images.tile(added.id, image.id, 0, 3, 0) is None
    assert images.tile(added.id, image.id, 0, 2, 2) is not None


def test_only_pixels_are_kept(library: Library, added: Section, image: SectionImage) -> None:
    folder = Images(library).folder(added.id, image.id)
    everything = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    for word in (b"Jane", b"1970", b"Patient", b"Exif", b"EXIF", b"<OME"):
        assert word not in everything
    assert image.name == "image"
    assert image.um_per_pixel == (0.5, 0.5)
    assert image.affine is None


def test_ids_cannot_lead_elsewhere(library: Library, added: Section, image: SectionImage) -> None:
    images = Images(library)
    (library.folder(added.id) / "0").mkdir()
    (library.folder(added.id) / "0" / "0_0.webp").write_bytes(b"secret")
    for bad in ("..", "../..", "", "a/../..", "A", "a" * 65, "%2e", "a\n"):
        assert images.tile(added.id, bad, 0, 0, 0) is None
        with pytest.raises(InputError):
            images.folder(added.id, bad)
        if bad:
            assert images.tile(bad, image.id, 0, 0, 0) is None or bad == "A"
    assert images.tile(added.id, image.id, -1, 0, 0) is None
    assert images.tile(added.id, image.id, 0, -1, 0) is None


def test_the_same_picture_is_kept_once(
    library: Library, added: Section, image: SectionImage, tmp_path: Path
) -> None:
    path = next(tmp_path.glob("*.ome.tif"))
    assert image_tasks.keep(library, Addition(added.id, str(path)), report) == image
    assert Images(library).of(added.id) == [image]
    assert not list(library.staging.iterdir())


def test_it_goes_with_its_section_or_alone(library: Library, added: Section, image: SectionImage) -> None:
    images = Images(library)
    images.delete(added.id, image.id)
    assert images.of(added.id) == []
    assert images.tile(added.id, image.id, 0, 0, 0) is None
    with pytest.raises(InputError, match="no longer"):
        images.delete(added.id, image.id)
    library.delete(added.id)
    assert images.of(added.id) == []
    assert not list(library.staging.iterdir())


def test_deleting_the_section_deletes_its_pictures(
    library: Library, added: Section, image: SectionImage
) -> None:
    library.delete(added.id)
    assert not list(library.home.rglob("*.webp"))
    assert image.id


def test_a_mark_lands_at_its_place_in_the_section(library: Library, added: Section, tmp_path: Path) -> None:
    pixels = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
    column, row = 1_030, 520  # across the corner of four tiles
    pixels[row - 12 : row + 12, column - 12 : column + 12] = 255
    Image.fromarray(pixels).save(tmp_path / "he.png")
    images = Images(library)
    image = image_tasks.keep(library, Addition(added.id, str(tmp_path / "he.png")), report)
    affine = np.array([[0.4, 0.02, 300.0], [-0.02, 0.5, 70.0]])
    with pytest.raises(InputError, match="Place it first"):
        images.region(added.id, image.id, View(0, 0, 100))
    placed = images.place(added.id, image.id, affine, BY_LANDMARKS, landmarks=[(1, 2, 3, 4)], rmse=0.5)
    assert images.get(added.id, image.id) == placed
    place = apply(affine, [(column, row)])[0]
    for max_pixels in (10**6, 4_000):  # from the full resolution, and from a lower level
        drawn = images.region(added.id, image.id, View(place[0] + 5, place[1] + 5, 120, 0.5), max_pixels)
        height, width = drawn.pixels.shape[:2]
        assert height * width <= max_pixels * 1.1
        bright = drawn.pixels[:, :, 0].astype(float)
        rows, columns = np.mgrid[:height, :width] + 0.5
        found = np.array([(columns * bright).sum(), (rows * bright).sum()]) / bright.sum()
        np.testing.assert_allclose(apply(drawn.affine, [found])[0], place, atol=0.4)
    with pytest.raises(InputError, match="flat"):
        images.place(added.id, image.id, [[1, 0, 0], [2, 0, 0]], BY_PIXEL_SIZE)
    assert images.get(added.id, image.id) == placed


def test_one_channel_is_kept_as_grey(library: Library, added: Section, tmp_path: Path) -> None:
    pixels = smooth(2).transpose(2, 0, 1).astype(np.uint16) * 20
    path = tmp_path / "morphology_focus.ome.tif"
    tifffile.imwrite(
        path,
        pixels,
        photometric="minisblack",
        metadata={"axes": "CYX", "Channel": {"Name": ["DAPI", "Jane Doe"]}},
    )
    seen = image_tasks.look(library, LookAtImage(Addition(added.id, str(path))), report)
    assert seen["channels"] == ["DAPI", "channel 2"]
    first, second = (
        image_tasks.keep(library, Addition(added.id, str(path), channel=k), report) for k in (0, 1)
    )
    assert (first.grey, first.channel, second.channel, first.placed) == (True, "DAPI", "channel 2", FROM_FILE)
    assert first.id != second.id
    np.testing.assert_allclose(first.matrix, [[0.2125, 0, 0], [0, 0.2125, 0]])
    low, high = np.percentile(pixels[1], (1, 99.8))
    expected = np.clip((pixels[1] - low) / (high - low), 0, 1) * 255
    assert np.abs(stitch(Images(library), added, second, 0)[:, :, 0] - expected).mean() < 3


def test_cancelling_leaves_nothing(library: Library, added: Section, tmp_path: Path) -> None:
    Image.fromarray(smooth()).save(tmp_path / "he.png")

    class Stop(Exception):  # noqa: N818 - as the worker's
        pass

    def stop(fraction: float, words: str) -> None:
        if fraction > 0.3:
            raise Stop(words)

    with pytest.raises(Stop):
        image_tasks.keep(library, Addition(added.id, str(tmp_path / "he.png")), stop)
    assert Images(library).of(added.id) == []
    assert not list(library.staging.iterdir())


def test_a_damaged_picture_leaves_nothing(library: Library, added: Section, tmp_path: Path) -> None:
    path = tmp_path / "he.tif"
    tifffile.imwrite(path, smooth(), photometric="rgb", tile=(256, 256), compression="deflate")
    path.write_bytes(path.read_bytes()[:-5_000])
    with pytest.raises(InputError, match=r"damaged|incomplete"):
        image_tasks.keep(library, Addition(added.id, str(path)), report)
    assert Images(library).of(added.id) == []
    assert not list(library.staging.iterdir())


def test_a_section_that_is_gone_gets_no_picture(library: Library, added: Section, tmp_path: Path) -> None:
    Image.fromarray(smooth()).save(tmp_path / "he.png")

    def delete(fraction: float, _: str) -> None:
        if fraction > 0.3 and library.folder(added.id).exists():
            library.delete(added.id)

    with pytest.raises(InputError, match="deleted"):
        image_tasks.keep(library, Addition(added.id, str(tmp_path / "he.png")), delete)
    assert not list(library.sections_folder.iterdir())


def test_the_worker_adds_a_picture(library: Library, added: Section, worker: Engine, tmp_path: Path) -> None:
    Image.fromarray(smooth()).save(tmp_path / "he.png")
    addition = Addition(added.id, str(tmp_path / "he.png"))
    seen = worker.ask(LookAtImage(addition), library).result(60)
    assert (seen["width"], seen["height"], seen["rgb"]) == (WIDTH, HEIGHT, True)
    known = worker.ask(AddImage(addition), library).result(60)
    assert [image.id for image in Images(library).of(added.id)] == [known["id"]]
    (tmp_path / "bad.tif").write_bytes(b"II*\0" + b"\xff" * 100)
    with pytest.raises(InputError, match=r"damaged|incomplete"):
        worker.ask(LookAtImage(replace(addition, path=str(tmp_path / "bad.tif"))), library).result(60)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tissue_hires_image.png", "tissue_hires_image"),
        ("morphology_focus_0000.ome.tif", "morphology_focus_0000"),
        ("../../HE slide.svs", "HE_slide"),
        ("Jane Doe.tif", "image"),
        ("MRN 12345678.tiff", "image"),
        (".zarr", "image"),
    ],
)
def test_names_are_harmless(name: str, expected: str) -> None:
    assert image_name(name) == expected


def test_uploads_keep_the_endings_that_matter(library: Library) -> None:
    images = Images(library)
    staged = images.stage(BytesIO(b"x"), "morphology_focus_0000.ome.tif")
    beside = images.stage(BytesIO(b"y"), "m.csv", beside=staged)
    assert (staged.name, beside.name) == ("morphology_focus_0000.ome.tif", "m.csv")
    assert staged.parent == beside.parent
    library.unstage(staged)
    assert not staged.parent.exists()
    with pytest.raises(InputError, match="read as"):
        images.stage(BytesIO(b"x"), "a.exe")


def test_the_import_folder_names_files_and_no_links(library: Library, tmp_path: Path) -> None:
    images = Images(library)
    assert images.importable() == []
    images.import_folder.mkdir()
    (images.import_folder / "he.tif").touch()
    (images.import_folder / "notes.txt").touch()
    (images.import_folder / "link.tif").symlink_to(tmp_path)
    assert images.importable() == ["he.tif"]


def test_the_browser_is_told_what_it_needs(library: Library, added: Section, image: SectionImage) -> None:
    before = picture_of(library, added)
    assert before is not None
    assert before["affine"] is None  # not placed yet
    Images(library).place(added.id, image.id, [[0.5, 0, 1], [0, 0.5, 2]], BY_PIXEL_SIZE)
    spec = picture_of(library, added)
    assert spec is not None
    signed = dict(part.split("=") for part in spec["query"].split("&"))
    assert SIGNER.accepts(spec["path"], signed)
    assert spec["path"] == f"/map/tiles/{added.id}/{image.id}"
    assert json.loads(json.dumps(spec)) == {
        "path": spec["path"],
        "query": spec["query"],
        "id": image.id,
        "name": "image",
        "width": WIDTH,
        "height": HEIGHT,
        "tile": TILE,
        "levels": 3,
        "affine": [0.5, 0.0, 1.0, 0.0, 0.5, 2.0],
    }


def test_a_picture_stays_shown_once_placed(library: Library, added: Section, image: SectionImage) -> None:
    Images(library).place(added.id, image.id, [[0.5, 0, 1], [0, 0.5, 2]], BY_PIXEL_SIZE)

    def page(section_id: str) -> None:
        import streamlit as st  # noqa: PLC0415

        from app import session  # noqa: PLC0415
        from app.components.map.images import picture_of  # noqa: PLC0415

        library = session.library()
        shown = picture_of(library, library.get(section_id))
        st.write(f"shown: {shown['name'] if shown else None}")

    app = AppTest.from_function(page, args=(added.id,))
    for chosen, shown in (("image (not placed yet)", "image"), (image.id, "image"), ("", "None")):
        app.session_state[f"image-{added.id}"] = chosen
        assert app.run().markdown[0].value == f"shown: {shown}"


def test_the_web_process_reads_no_picture_format() -> None:
    code = (
        "import sys, app.library.images, app.components.map.images; "
        "print({'torch', 'scanpy', 'anndata', 'zarr', 'tifffile', 'h5py'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


# --- the page


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
def app(added: Section, worker: Engine) -> AppTest:
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
    assert not list(library.staging.iterdir())
    app.button(f"image-delete-{image.id}").click().run()
    assert not app.exception
    assert Images(library).of(added.id) == []


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
