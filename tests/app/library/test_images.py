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
from PIL import Image
from streamlit.testing.v1 import AppTest

from app.components.map.images import picture_of
from app.requests import AddImage, LookAtImage
from app.tasks import images as image_tasks
from app.web.buffers import SIGNER
from squint.errors import InputError
from squint.images import TILE, apply
from squint.library import tiling
from squint.library.images import (
    BY_LANDMARKS,
    BY_PIXEL_SIZE,
    FROM_FILE,
    Addition,
    Images,
    SectionImage,
    image_name,
)
from squint.library.store import Library, Section
from squint.pl import View
from tests.helpers.engine import Worker
from tests.helpers.section_pictures import HEIGHT, WIDTH, report, smooth

pytestmark = pytest.mark.slow


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
    assert tiling.keep(library, Addition(added.id, str(path)), report) == image
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
    image = tiling.keep(library, Addition(added.id, str(tmp_path / "he.png")), report)
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
    first, second = (tiling.keep(library, Addition(added.id, str(path), channel=k), report) for k in (0, 1))
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
        tiling.keep(library, Addition(added.id, str(tmp_path / "he.png")), stop)
    assert Images(library).of(added.id) == []
    assert not list(library.staging.iterdir())


def test_a_damaged_picture_leaves_nothing(library: Library, added: Section, tmp_path: Path) -> None:
    path = tmp_path / "he.tif"
    tifffile.imwrite(path, smooth(), photometric="rgb", tile=(256, 256), compression="deflate")
    path.write_bytes(path.read_bytes()[:-5_000])
    with pytest.raises(InputError, match=r"damaged|incomplete"):
        tiling.keep(library, Addition(added.id, str(path)), report)
    assert Images(library).of(added.id) == []
    assert not list(library.staging.iterdir())


def test_a_section_that_is_gone_gets_no_picture(library: Library, added: Section, tmp_path: Path) -> None:
    Image.fromarray(smooth()).save(tmp_path / "he.png")

    def delete(fraction: float, _: str) -> None:
        if fraction > 0.3 and library.folder(added.id).exists():
            library.delete(added.id)

    with pytest.raises(InputError, match="no longer in the library"):
        tiling.keep(library, Addition(added.id, str(tmp_path / "he.png")), delete)
    assert not list(library.sections_folder.iterdir())


def test_the_worker_adds_a_picture(library: Library, added: Section, worker: Worker, tmp_path: Path) -> None:
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
    assert spec["path"] == f"/map/tiles/first/{added.id}/{image.id}"
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
        "import sys, squint.library.images, app.components.map.images; "
        "print({'torch', 'scanpy', 'anndata', 'zarr', 'tifffile', 'h5py'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"
