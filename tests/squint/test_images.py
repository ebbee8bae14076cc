"""Pictures: read back region by region from every kind of file, placed where planted, or refused."""

import json
import os
import struct
import zipfile
from pathlib import Path

import anndata as ad
import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from squint.errors import InputError
from squint.images import (
    TILE,
    Box,
    Picture,
    apply,
    compose,
    describe,
    fit_affine,
    invert,
    n_levels,
    open_image,
    render,
    show,
    tiles,
)
from squint.images import _picture as limits
from squint.images.placing import scaling
from squint.pl import View

HEIGHT, WIDTH = 700, 900
MARK = (613, 402)  # column and row of one bright pixel
OME_SIZE = {"PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.25, "PhysicalSizeYUnit": "µm"}


def planted(n_channels: int = 3, dtype: str = "uint8") -> np.ndarray:
    """Draw slopes that differ in every channel, and a mark."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    top = 255 if dtype == "uint8" else 4_000
    layers = [(columns * (k + 1) + rows * (3 - k)) % (top // 2) for k in range(n_channels)]
    picture = np.stack(layers, axis=-1).astype(dtype)
    picture[MARK[1], MARK[0]] = top
    return picture


def all_of(picture: Picture) -> np.ndarray:
    """Put a picture together from regions of odd sizes."""
    out = np.zeros(picture.shape, dtype=picture.levels[0].read(Box(0, 0, 1, 1), (0,)).dtype)
    for top in range(0, picture.height, 203):
        for left in range(0, picture.width, 311):
            box = Box(left, top, min(left + 311, picture.width), min(top + 203, picture.height))
            out[top : box.bottom, left : box.right] = picture.levels[0].read(box, range(picture.n_channels))
    return out


@pytest.mark.parametrize("compression", [None, "lzw", "deflate", "zstd", "packbits"])
@pytest.mark.parametrize("tile", [None, (128, 256)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_a_tiff_reads_back_exactly(tmp_path: Path, compression, tile, dtype) -> None:
    pixels = planted(dtype=dtype)
    tifffile.imwrite(
        tmp_path / "a.tif",
        pixels,
        photometric="rgb",
        tile=tile,
        compression=compression,
        rowsperstrip=None if tile else 100,
    )
    with open_image(tmp_path / "a.tif") as picture:
        assert picture.is_rgb
        assert picture.affine is None
        np.testing.assert_array_equal(all_of(picture), pixels)


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("compression", ["lzw", "deflate"])
def test_differences_and_either_byte_order_read_back(tmp_path: Path, compression, byteorder) -> None:
    pixels = planted(dtype="uint16")
    settings = {"photometric": "rgb", "compression": compression, "predictor": True, "byteorder": byteorder}
    tifffile.imwrite(tmp_path / "a.tif", pixels, rowsperstrip=33, **settings)
    with open_image(tmp_path / "a.tif") as picture:
        np.testing.assert_array_equal(all_of(picture), pixels)


@pytest.mark.parametrize("compression", ["jpeg", "jpeg2000"])
def test_a_lossy_tiff_reads_back_nearly(tmp_path: Path, compression) -> None:
    smooth = np.asarray(
        Image.fromarray(planted()[::100, ::100]).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    )
    tifffile.imwrite(tmp_path / "a.tif", smooth, photometric="rgb", tile=(256, 256), compression=compression)
    with open_image(tmp_path / "a.tif") as picture:
        assert np.abs(all_of(picture).astype(int) - smooth).mean() < 4


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_planar_colours_read_back(tmp_path: Path, planar) -> None:
    pixels = planted()
    stored = pixels if planar == "contig" else pixels.transpose(2, 0, 1)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", planarconfig=planar, tile=(64, 64))
    with open_image(tmp_path / "a.tif") as picture:
        assert picture.is_rgb
        np.testing.assert_array_equal(all_of(picture), pixels)


def test_white_is_zero_is_turned_round(tmp_path: Path) -> None:
    pixels = planted(1)[:, :, 0]
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="miniswhite")
    with open_image(tmp_path / "a.tif") as picture:
        np.testing.assert_array_equal(all_of(picture)[:, :, 0], 255 - pixels)


def write_pyramid(path: Path, pixels: np.ndarray, **options) -> None:
    """Write an OME-TIFF with two lower levels in SubIFDs."""
    with tifffile.TiffWriter(path, ome=True) as file:
        settings = {"tile": (128, 128), "photometric": "minisblack", **options}
        file.write(
            pixels,
            subifds=2,
            metadata={"axes": "CYX", "Channel": {"Name": ["DAPI", "CD45"]}, **OME_SIZE},
            **settings,
        )
        for step in (2, 4):
            file.write(pixels[:, ::step, ::step], subfiletype=1, **settings)


def test_a_pyramid_with_channels_names_them_and_their_pixel_size(tmp_path: Path) -> None:
    pixels = planted(2, "uint16").transpose(2, 0, 1)
    write_pyramid(tmp_path / "a.ome.tif", pixels, compression="deflate")
    with open_image(tmp_path / "a.ome.tif") as picture:
        assert picture.channels == ("DAPI", "CD45")
        assert not picture.is_rgb
        assert picture.um_per_pixel == (0.5, 0.25)
        assert picture.affine is None  # a pixel size does not say where
        assert [(level.width, level.height) for level in picture.levels] == [
            (900, 700),
            (450, 350),
            (225, 175),
        ]
        np.testing.assert_array_equal(all_of(picture).transpose(2, 0, 1), pixels)
        lower = picture.levels[2].read(Box(3, 5, 99, 60), (1,))
        np.testing.assert_array_equal(lower[:, :, 0], pixels[1, ::4, ::4][5:60, 3:99])


@pytest.mark.parametrize("unit", ["nm", "mm", "cm", "µm"])
def test_units_are_understood(tmp_path: Path, unit) -> None:
    um = {"nm": 1e-3, "mm": 1e3, "cm": 1e4, "µm": 1.0}[unit]
    size = {
        "PhysicalSizeX": 0.5 / um,
        "PhysicalSizeXUnit": unit,
        "PhysicalSizeY": 0.5 / um,
        "PhysicalSizeYUnit": unit,
    }
    tifffile.imwrite(tmp_path / "a.ome.tif", planted(1)[:, :, 0], metadata={"axes": "YX", **size})
    with open_image(tmp_path / "a.ome.tif") as picture:
        assert picture.um_per_pixel == pytest.approx((0.5, 0.5))


def test_the_middle_of_a_stack_is_shown(tmp_path: Path) -> None:
    stack = np.stack([planted(1)[:, :, 0] // (z + 1) for z in range(5)])
    tifffile.imwrite(tmp_path / "a.ome.tif", stack, photometric="minisblack", metadata={"axes": "ZYX"})
    with open_image(tmp_path / "a.ome.tif") as picture:
        np.testing.assert_array_equal(all_of(picture)[:, :, 0], stack[2])
        assert "middle" in picture.notes[0]


def test_planes_in_other_files_are_never_opened(tmp_path: Path) -> None:
    """Xenium's description names the other channels' files; one that leads elsewhere must not be read."""
    os.mkfifo(tmp_path / "other.tif")  # reading it would wait for ever
    xml = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:1"><Image Name="x">'
        f'<Pixels DimensionOrder="XYCZT" Type="uint8" SizeX="{WIDTH}" SizeY="{HEIGHT}" SizeC="2" '
        'SizeZ="1" SizeT="1"><Channel Name="DAPI"/><Channel Name="18S"/>'
        '<TiffData FirstC="0" IFD="0" PlaneCount="1">'
        '<UUID FileName="morphology_focus_0000.ome.tif">urn:uuid:1</UUID></TiffData>'
        '<TiffData FirstC="1" IFD="0" PlaneCount="1"><UUID FileName="other.tif">urn:uuid:2</UUID></TiffData>'
        "</Pixels></Image></OME>"
    )
    path = tmp_path / "morphology_focus_0000.ome.tif"
    tifffile.imwrite(path, planted(1)[:, :, 0], description=xml, metadata=None)
    with open_image(path) as picture:
        assert picture.n_channels == 1
        np.testing.assert_allclose(picture.affine, scaling(0.2125, 0.2125))


def test_the_label_of_a_slide_is_never_taken(tmp_path: Path) -> None:
    label = np.full((2_000, 1_500, 3), 7, dtype=np.uint8)  # larger than the tissue
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as file:
        file.write(label, photometric="rgb", metadata={"Name": "label image"})
        file.write(planted(), photometric="rgb", metadata={"Name": "tissue"})
        file.write(label, photometric="rgb", metadata={"Name": "macro image"})
    with open_image(tmp_path / "a.ome.tif") as picture:
        np.testing.assert_array_equal(all_of(picture), planted())


def test_a_slide_of_aperio_gives_its_pixel_size_and_only_the_tissue(tmp_path: Path) -> None:
    about = "Aperio Image Library v12\r\n900x700 [0,0 900x700] (256x256)|AppMag = 20|MPP = 0.4990"
    options = {"photometric": "rgb", "metadata": None}
    with tifffile.TiffWriter(tmp_path / "a.svs") as file:
        file.write(planted(), tile=(256, 256), description=about, **options)
        file.write(planted()[::5, ::5].copy(), description="Aperio thumbnail", **options)
        file.write(planted()[::2, ::2].copy(), tile=(256, 256), description="Aperio level", **options)
        file.write(
            np.zeros((100, 100, 3), np.uint8), subfiletype=1, description="Aperio label 100x100", **options
        )
    with open_image(tmp_path / "a.svs") as picture:
        assert [level.width for level in picture.levels] == [900, 450]
        assert picture.um_per_pixel == (0.499, 0.499)
        np.testing.assert_array_equal(all_of(picture), planted())


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_png_and_jpeg_are_read_without_what_they_say_beside(tmp_path: Path, kind) -> None:
    path = tmp_path / f"a.{kind}"
    Image.fromarray(planted()).save(path, quality=100, subsampling=0)
    with open_image(path) as picture:
        assert np.abs(all_of(picture).astype(int) - planted()).mean() < (1 if kind == "png" else 6)


def test_16_bit_png_and_transparency(tmp_path: Path) -> None:
    Image.fromarray(planted(1, "uint16")[:, :, 0]).save(tmp_path / "a.png")
    with open_image(tmp_path / "a.png") as picture:
        np.testing.assert_array_equal(all_of(picture), planted(1, "uint16"))
    Image.fromarray(np.zeros((5, 5, 4), np.uint8)).save(tmp_path / "b.png")
    with open_image(tmp_path / "b.png") as picture:
        assert (all_of(picture) == 255).all()


def test_the_hires_image_of_visium_lies_on_the_scan(tmp_path: Path) -> None:
    path = tmp_path / "tissue_hires_image.png"
    Image.fromarray(planted()).save(path)
    (tmp_path / "scalefactors_json.json").write_text(json.dumps({"tissue_hires_scalef": 0.17}))
    with open_image(path) as picture:
        np.testing.assert_allclose(apply(picture.affine, [MARK]), [[MARK[0] / 0.17, MARK[1] / 0.17]])


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_the_image_in_an_h5ad_is_read(tmp_path: Path, dtype) -> None:
    pixels = planted() if dtype == "uint8" else (planted() / 255).astype(np.float32)
    adata = ad.AnnData(np.zeros((2, 2), dtype=np.float32))
    adata.uns["spatial"] = {
        "lib": {"images": {"hires": pixels}, "scalefactors": {"tissue_hires_scalef": 0.5}}
    }
    adata.write_h5ad(tmp_path / "a.h5ad")
    with open_image(tmp_path / "a.h5ad") as picture:
        np.testing.assert_array_equal(all_of(picture), planted())
        np.testing.assert_allclose(picture.affine, scaling(2, 2))


def test_the_alignment_of_xenium_explorer_leads_to_um(tmp_path: Path) -> None:
    """10x's own example: the corner of the H&E lies at (808.0, 73097.7) pixels of the morphology picture."""
    tifffile.imwrite(tmp_path / "x_he_image.ome.tif", planted(), photometric="rgb")
    (tmp_path / "x_he_imagealignment.csv").write_text(
        "0.011071028838929093,1.2895790134339569,807.9788953065927\n"
        "-1.2895790134339569,0.011071028838929093,73097.655174759\n0,0,1\n"
    )
    with open_image(tmp_path / "x_he_image.ome.tif") as picture:
        corner = apply(picture.affine, [[0, 0], [100, 0]])
    np.testing.assert_allclose(corner[0], np.array([807.9788953065927, 73097.655174759]) * 0.2125)
    np.testing.assert_allclose(
        corner[1] - corner[0], np.array([1.1071028838929093, -128.95790134339569]) * 0.2125
    )


def axes(*names: str) -> dict:
    return {
        "name": "".join(names),
        "axes": [{"name": n, "type": "channel" if n == "c" else "space"} for n in names],
    }


def write_spatialdata(
    path: Path, version: int, transformation: dict, *, cells: dict | None = None, **options
) -> np.ndarray:
    """Write a store as SpatialData does, by its format 0.1 (zarr 2) or 0.2 (zarr 3)."""
    pixels = planted().transpose(2, 0, 1)
    root = zarr.open_group(path, mode="w", zarr_format=version)
    group = root.require_group("images").require_group("he")
    for level, step in enumerate((1, 2)):
        part = pixels[:, ::step, ::step]
        array = group.create_array(
            str(level), shape=part.shape, dtype=part.dtype, chunks=(3, 256, 256), **options
        )
        array[...] = part
    whole = {
        "input": axes("c", "y", "x"),
        "output": {**axes("c", "y", "x"), "name": "global"},
        **transformation,
    }
    about = {
        "multiscales": [
            {
                "axes": axes("c", "y", "x")["axes"],
                "datasets": [
                    {"path": str(i), "coordinateTransformations": [{"type": "scale", "scale": [1, s, s]}]}
                    for i, s in enumerate((1.0, 2.0))
                ],
                "coordinateTransformations": [whole],
            }
        ],
        "omero": {"channels": [{"label": c} for c in "rgb"]},
    }
    group.attrs.update({"ome": about} if version == 3 else about)
    if cells:
        root.require_group("tables").require_group("table").attrs["region"] = ["cells"]
        shapes = root.require_group("shapes").require_group("cells")
        shapes.attrs["coordinateTransformations"] = [
            {"input": axes("x", "y"), "output": {**axes("x", "y"), "name": "global"}, **cells}
        ]
    return pixels


AFFINE = {"type": "affine", "affine": [[1, 0, 0, 0], [0, 0.5, 0, 7], [0, 0.1, 2, -3]]}
SEQUENCE = {
    "type": "sequence",
    "transformations": [
        {"type": "scale", "scale": [1, 3, 2]},
        {"type": "translation", "translation": [0, 5, 4]},
    ],
}


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize(
    ("transformation", "expected"),
    [
        ({"type": "identity"}, [[1, 0, 0], [0, 1, 0]]),
        ({"type": "scale", "scale": [1, 3, 2]}, [[2, 0, 0], [0, 3, 0]]),
        (AFFINE, [[2, 0.1, -3], [0, 0.5, 7]]),
        (SEQUENCE, [[2, 0, 4], [0, 3, 5]]),
    ],
)
def test_an_image_of_spatialdata_is_read_and_placed(
    tmp_path: Path, version, transformation, expected
) -> None:
    pixels = write_spatialdata(tmp_path / "s.zarr", version, transformation)
    with open_image(tmp_path / "s.zarr") as picture:
        assert picture.is_rgb
        assert [level.width for level in picture.levels] == [900, 450]
        np.testing.assert_array_equal(all_of(picture).transpose(2, 0, 1), pixels)
        np.testing.assert_allclose(picture.affine, expected)


def test_cells_in_um_under_an_image_in_pixels(tmp_path: Path) -> None:
    """As spatialdata-io writes Xenium: global is pixels, the cells' own coordinates are um."""
    scale = {"type": "scale", "scale": [1 / 0.2125, 1 / 0.2125]}
    write_spatialdata(tmp_path / "s.zarr", 3, {"type": "identity"}, cells=scale)
    with open_image(tmp_path / "s.zarr") as picture:
        np.testing.assert_allclose(picture.affine, scaling(0.2125, 0.2125))
        assert "cells" in picture.notes[0]


@pytest.mark.parametrize("inside", ["", "s.zarr/"])
def test_a_zip_of_it_is_read_too(tmp_path: Path, inside) -> None:
    pixels = write_spatialdata(tmp_path / "s.zarr", 3, {"type": "identity"})
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        for file in (tmp_path / "s.zarr").rglob("*"):
            if file.is_file():
                archive.write(file, inside + str(file.relative_to(tmp_path / "s.zarr")))
    with open_image(tmp_path / "s.zip") as picture:
        np.testing.assert_array_equal(all_of(picture).transpose(2, 0, 1), pixels)


def test_shards_are_read(tmp_path: Path) -> None:
    pixels = write_spatialdata(tmp_path / "s.zarr", 3, {"type": "identity"}, shards=(3, 512, 512))
    with open_image(tmp_path / "s.zarr", element="he") as picture:
        np.testing.assert_array_equal(all_of(picture).transpose(2, 0, 1), pixels)


# --- 8 bit, tiles, windows


def test_one_channel_is_stretched_between_percentiles(tmp_path: Path) -> None:
    pixels = planted(1, "uint16")
    tifffile.imwrite(tmp_path / "a.tif", pixels[:, :, 0], tile=(128, 128))
    with open_image(tmp_path / "a.tif") as picture:
        shown = show(picture)
        low, high = np.percentile(pixels, (1, 99.8))
        assert shown.window == pytest.approx((low, high))
        got = shown.read(0, Box(0, 0, WIDTH, HEIGHT))
        expected = np.clip((pixels.astype(float) - low) / (high - low), 0, 1) * 255
        assert np.abs(got - expected).max() <= 0.51
        with pytest.raises(InputError, match="no channel 2"):
            show(picture, 1)


def test_12_bits_in_16_are_brightened_by_one_factor(tmp_path: Path) -> None:
    pixels = planted(3, "uint16")  # up to 4,000
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb")
    with open_image(tmp_path / "a.tif") as picture:
        assert show(picture).window == (0.0, 4095.0)


def test_an_even_picture_is_black(tmp_path: Path) -> None:
    Image.new("L", (50, 40), 9).save(tmp_path / "a.png")
    with open_image(tmp_path / "a.png") as picture:
        assert not show(picture).read(0, Box(0, 0, 50, 40)).any()


@pytest.mark.parametrize("tile", [None, (64, 64), (1024, 1024), (240, 240)])
@pytest.mark.parametrize("size", [(1, 1), (512, 512), (513, 700), (2_600, 1_111), (1_300, 3_000)])
def test_tiles_put_together_are_the_picture_at_every_level(tmp_path: Path, tile, size) -> None:
    height, width = size
    pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    if tile == (240, 240):
        tile = (240, 256)
    tifffile.imwrite(
        tmp_path / "a.tif", pixels, photometric="rgb", tile=tile, rowsperstrip=None if tile else 100
    )
    with open_image(tmp_path / "a.tif") as picture:
        cut = list(tiles(show(picture)))
    places = [(t.level, t.column, t.row) for t in cut]
    assert len(set(places)) == len(places)
    assert [t.done for t in cut] == sorted(t.done for t in cut)
    assert cut[-1].done == 1
    expected = pixels
    for level in range(n_levels(width, height)):
        out = np.zeros_like(expected)
        for t in (t for t in cut if t.level == level):
            left, top = t.column * TILE, t.row * TILE
            out[top : top + TILE, left : left + TILE] = t.pixels
        np.testing.assert_array_equal(out, expected)
        if level < n_levels(width, height) - 1:
            padded = np.pad(
                expected, ((0, expected.shape[0] % 2), (0, expected.shape[1] % 2), (0, 0)), mode="edge"
            )
            corners = padded.reshape(padded.shape[0] // 2, 2, padded.shape[1] // 2, 2, 3).astype(int)
            expected = ((corners.sum(axis=(1, 3)) + 2) // 4).astype(np.uint8)
    assert max(expected.shape[:2]) <= TILE


def sizes_of(picture: Picture) -> list[tuple[int, int]]:
    return [(level.width, level.height) for level in picture.levels]


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("rotation", [0.0, 90.0, 33.0])
def test_a_mark_lands_where_it_was_planted(tmp_path: Path, rotation, flipped) -> None:
    pixels = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
    column, row = MARK
    pixels[row - 3 : row + 3, column - 3 : column + 3] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    affine = np.array([[0.5, 0.02, 1_000], [-0.03, 0.6, 2_000]])
    place = apply(affine, [MARK])[0]
    view = View(place[0] + 20, place[1] - 10, 300, aspect=0.5, rotation=rotation, flipped=flipped)
    with open_image(tmp_path / "a.png") as picture:
        drawn = render(show(picture).read, sizes_of(picture), affine, view, (600, 300))
    bright = drawn.pixels[:, :, 0].astype(float)
    rows, columns = np.mgrid[:300, :600] + 0.5
    found = np.array([(columns * bright).sum(), (rows * bright).sum()]) / bright.sum()
    np.testing.assert_allclose(apply(drawn.affine, [found])[0], place, atol=0.1)
    np.testing.assert_allclose(found / 2, view.place(place[None])[0], atol=0.2)  # where the map draws a cell


def test_outside_is_transparent_and_a_coarse_view_reads_little(tmp_path: Path) -> None:
    pixels = np.full((4, 2_000, 2_400), 200, dtype=np.uint8)[:2]
    write_pyramid(tmp_path / "a.ome.tif", pixels)
    read = []
    with open_image(tmp_path / "a.ome.tif") as picture:
        shown = show(picture)

        def noted(level: int, box: Box) -> np.ndarray:
            read.append(level)
            return shown.read(level, box)

        drawn = render(noted, sizes_of(picture), scaling(1, 1), View(1_200, 1_000, 4_800, 1.0), (480, 480))
        away = render(noted, sizes_of(picture), scaling(1, 1), View(-9_000, 0, 100), (50, 50))
    assert read == [2]
    assert drawn.pixels[240, 240, 3] == 255
    assert drawn.pixels[5, 5, 3] == 0
    np.testing.assert_allclose((drawn.pixels[:, :, 3] > 0).mean(), 2_000 * 2_400 / 4_800**2, atol=0.01)
    assert not away.pixels.any()
    with pytest.raises(InputError, match="20,000"):
        render(noted, [(10, 10)], scaling(1, 1), View(0, 0, 10), (30_000, 10))


# --- landmarks

numbers = st.floats(-3, 3).filter(lambda value: abs(value) > 0.1)


@given(a=numbers, b=st.floats(-0.05, 0.05), d=st.floats(-0.05, 0.05), e=numbers, x=st.floats(-1e5, 1e5))
def test_landmarks_give_back_the_affine_that_moved_them(a, b, d, e, x) -> None:
    affine = np.array([[a, b, x], [d, e, -x]])
    pixels = np.array([[0, 0], [30_000, 100], [200, 20_000], [25_000, 24_000]], dtype=float)
    fit = fit_affine(pixels, apply(affine, pixels))
    np.testing.assert_allclose(fit.affine, affine, rtol=1e-6, atol=1e-5)
    assert fit.rmse < 1e-5
    assert fit.leave_one_out < 1e-4
    np.testing.assert_allclose(compose(invert(affine), affine), [[1, 0, 0], [0, 1, 0]], atol=1e-7)


def test_noise_of_landmarks_shows_in_the_residuals() -> None:
    rng = np.random.default_rng(0)
    affine = np.array([[0.49, 0.01, 500], [-0.012, 0.51, -40]])
    pixels = rng.uniform(0, 20_000, (40, 2))
    places = apply(affine, pixels) + rng.normal(0, 3, (40, 2))
    fit = fit_affine(pixels, places)
    assert np.abs(apply(fit.affine, pixels) - apply(affine, pixels)).max() < 4
    assert 3 < fit.rmse < 5.5  # sqrt(2) x 3, two of them
    assert fit.rmse < fit.leave_one_out < 6
    np.testing.assert_allclose(np.sqrt((fit.residuals**2).mean()), fit.rmse)


@pytest.mark.parametrize("mirrored", [False, True])
def test_what_an_affine_does_is_said(mirrored) -> None:
    angle = np.deg2rad(30)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.diag([0.5, -0.25 if mirrored else 0.25])
    said = describe(np.column_stack([matrix, [7, 8]]))
    assert said.scale == pytest.approx((0.5, 0.25))
    assert said.rotation == pytest.approx(30)
    assert said.shear == pytest.approx(0)
    assert said.mirrored is mirrored


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_similarity_has_no_shear(mirrored) -> None:
    rng = np.random.default_rng(1)
    affine = np.array([[0.3, 0.4, 5], [0.4, -0.3, 6]] if mirrored else [[0.3, -0.4, 5], [0.4, 0.3, 6]])
    pixels = rng.uniform(0, 1_000, (6, 2))
    fit = fit_affine(pixels, apply(affine, pixels) + rng.normal(0, 1, (6, 2)), similarity=True)
    said = describe(fit.affine)
    assert said.scale == pytest.approx((0.5, 0.5), rel=0.01)
    assert said.scale[0] == pytest.approx(said.scale[1])
    assert said.shear == pytest.approx(0, abs=1e-9)
    assert said.mirrored is mirrored
    two = fit_affine(pixels[:2], apply(affine, pixels[:2]), similarity=True)
    assert two.rmse == pytest.approx(0, abs=1e-9)
    assert two.leave_one_out is None


@pytest.mark.parametrize(
    ("pixels", "places", "words"),
    [
        ([[0, 0], [1, 0]], [[0, 0], [1, 0]], "At least 3"),
        ([[0, 0], [1, 1], [2, 2.001]], [[0, 0], [1, 0], [0, 1]], "one line in the picture"),
        ([[0, 0], [1, 0], [0, 1]], [[5, 5], [6, 6], [9, 9]], "one line in the section"),
        ([[1, 1]] * 3, [[0, 0], [1, 0], [0, 1]], "same point"),
        ([[0, 0], [1, 0], [0, np.nan]], [[0, 0], [1, 0], [0, 1]], "not finite"),
        ([[0, 0], [1, 0], [0, 1]], [[0, 0], [1, 0]], "needs a column"),
    ],
)
def test_landmarks_that_leave_the_place_open_are_refused(pixels, places, words) -> None:
    with pytest.raises(InputError, match=words):
        fit_affine(pixels, places)


def test_three_landmarks_have_no_landmark_to_spare() -> None:
    fit = fit_affine([[0, 0], [10, 0], [0, 10]], [[1, 1], [11, 1], [1, 21]])
    assert fit.leave_one_out is None


# --- hostile


def ome_tiff(path: Path, xml: str) -> Path:
    tifffile.imwrite(path, planted(1)[:, :, 0], description=xml, metadata=None)
    return path


def refused(path: Path, words: str) -> None:
    with pytest.raises(InputError, match=words), open_image(path) as picture:
        all_of(picture)


def test_xml_entities_are_refused(tmp_path: Path) -> None:
    xml = '<!DOCTYPE OME [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><OME><Image Name="&b;"/></OME>'
    refused(ome_tiff(tmp_path / "a.ome.tif", xml), "XML entities")


@pytest.mark.parametrize("number", [270, 700])
def test_entities_in_what_vendors_write_are_refused_too(tmp_path: Path, number) -> None:
    xml = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "x">]><scn xmlns="http://www.leica-microsystems.com/scn">&b;</scn>'
    extra = [] if number == 270 else [(number, 1, len(xml), xml, True)]
    description = xml.decode() if number == 270 else None
    tifffile.imwrite(
        tmp_path / "a.tif",
        planted(),
        photometric="rgb",
        description=description,
        metadata=None,
        extratags=extra,
    )
    refused(tmp_path / "a.tif", "XML entities")


@pytest.mark.parametrize("c", ["999999999", "-1", "a", ""])
def test_a_description_with_absurd_numbers_is_refused(tmp_path: Path, c) -> None:
    pixels = f'<Pixels DimensionOrder="XYCZT" SizeX="900" SizeY="700" SizeC="{c}" SizeZ="1" SizeT="1"/>'
    refused(ome_tiff(tmp_path / "a.ome.tif", f"<OME><Image>{pixels}</Image></OME>"), "OME-XML|channels")


def tiff_of(path: Path, tags: list[tuple[int, int, int, int]], data: bytes = b"") -> Path:
    """Write a TIFF tag by tag: number, type, count, value."""
    ifd = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in sorted(tags))
    path.write_bytes(struct.pack("<2sHI", b"II", 42, 8) + ifd + struct.pack("<I", 0) + data)
    return path


def tags(width: int, height: int, **changed: int) -> list[tuple[int, int, int, int]]:
    tile = changed.get("tile", 512)
    return [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, changed.get("compression", 8)),
        (262, 3, 1, changed.get("photometric", 1)), (277, 3, 1, 1), (322, 4, 1, tile), (323, 4, 1, tile),
        (324, 4, 1, 8), (325, 4, 1, changed.get("count", 10)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"width": 200_000, "height": 200_000}, "200,000 x 200,000"),
        ({"width": 1_000_000, "height": 2}, "to a side"),
        ({"tile": 40_000}, "one piece"),
        ({"compression": 34_000}, "compressed with"),
        ({"photometric": 3}, "PALETTE"),
        ({"count": 10**9}, "incomplete"),
        ({"width": 0}, "no pixels|damaged"),
    ],
)
def test_absurd_tiffs_are_refused_from_what_they_declare(tmp_path: Path, changed, words) -> None:
    size = {"width": changed.pop("width", 600), "height": changed.pop("height", 600)}
    refused(tiff_of(tmp_path / "a.tif", tags(**size, **changed)), words)


def test_pages_in_a_circle_are_refused(tmp_path: Path) -> None:
    path = tiff_of(tmp_path / "a.tif", tags(600, 600))
    content = bytearray(path.read_bytes())
    content[-4:] = struct.pack("<I", 8)
    path.write_bytes(content)
    refused(path, "circle")


def test_a_jpeg_tile_larger_than_declared_is_refused(tmp_path: Path) -> None:
    Image.new("L", (4_000, 4_000)).save(tmp_path / "a.jpg")
    data = (tmp_path / "a.jpg").read_bytes()
    about = tags(512, 512, compression=7, count=len(data))
    start = 8 + 2 + 12 * len(about) + 4
    about[-2] = (324, 4, 1, start)
    refused(tiff_of(tmp_path / "a.tif", about, data), "damaged|larger")


@pytest.mark.parametrize("kind", ["tif", "ome.tif", "png", "jpg", "zip"])
def test_cut_off_files_are_refused(tmp_path: Path, kind) -> None:
    path = tmp_path / f"a.{kind}"
    if kind == "zip":
        write_spatialdata(tmp_path / "s.zarr", 3, {"type": "identity"})
        with zipfile.ZipFile(path, "w") as archive:
            for file in (tmp_path / "s.zarr").rglob("*"):
                if file.is_file():
                    archive.write(file, file.relative_to(tmp_path / "s.zarr"))
    elif kind in {"png", "jpg"}:
        Image.fromarray(planted()).save(path)
    else:
        tifffile.imwrite(path, planted(), photometric="rgb", tile=(128, 128), compression="deflate")
    content = path.read_bytes()
    for share in (0.99, 0.5, 0.01):
        path.write_bytes(content[: int(len(content) * share)])
        refused(path, "damaged|incomplete|no picture|neither")


@given(seed=st.integers(0, 2**32 - 1))
def test_flipped_bytes_read_or_are_refused(tmp_path_factory: pytest.TempPathFactory, seed) -> None:
    folder = tmp_path_factory.getbasetemp()
    path = folder / "flip.ome.tif"
    if not (folder / "flip.whole").exists():
        tifffile.imwrite(path, planted()[:200, :200], photometric="rgb", tile=(64, 64), compression="deflate")
        path.rename(folder / "flip.whole")
    content = bytearray((folder / "flip.whole").read_bytes())
    rng = np.random.default_rng(seed)
    for at in rng.integers(0, min(len(content), 2_000), 4):
        content[at] = rng.integers(256)
    path.write_bytes(content)
    try:
        with open_image(path) as picture:
            if picture.width * picture.height < 10**6:
                all_of(picture)
    except InputError:
        pass


@pytest.mark.parametrize(
    ("content", "words"), [(b"", "empty"), (b"hello world", "neither"), (b"%PDF-1.4 ....", "neither")]
)
def test_what_is_no_picture_is_refused(tmp_path: Path, content, words) -> None:
    (tmp_path / "a.tif").write_bytes(content)
    refused(tmp_path / "a.tif", words)


def test_a_huge_png_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    Image.new("1", (30_000, 30_000)).save(tmp_path / "a.png")  # a few kB
    refused(tmp_path / "a.png", "tiled TIFF")


def test_links_in_a_store_are_refused(tmp_path: Path) -> None:
    write_spatialdata(tmp_path / "s.zarr", 2, {"type": "identity"})
    (tmp_path / "secret").write_bytes(b"x" * 100)
    chunk = next(file for file in (tmp_path / "s.zarr/images/he/0").rglob("*") if file.name in {"0.0.0", "0"})
    chunk.unlink()
    chunk.symlink_to(tmp_path / "secret")
    refused(tmp_path / "s.zarr", "is a link")


def changed_json(path: Path, **values) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"dtype": "|O", "filters": [{"id": "pickle"}]}, "refused"),
        ({"dtype": "|O"}, "no pixels"),
        ({"compressor": {"id": "own_codec"}}, "own_codec"),
        ({"shape": [3, 2_000_000, 2_000_000]}, "2,000,000 x 2,000,000"),
        ({"chunks": [3, 30_000, 30_000]}, "one piece"),
        ({"chunks": [1, 2, 2]}, "longer"),
        ({"shape": [3, 700]}, "axes"),
        ({"shape": [3, "a", 900]}, "no list of numbers"),
    ],
)
def test_harmful_arrays_of_zarr_2_are_refused(tmp_path: Path, values, words) -> None:
    write_spatialdata(tmp_path / "s.zarr", 2, {"type": "identity"}, compressors=None)
    filler = np.random.default_rng(0).bytes(3 * 2**20)
    chunk = next(
        file
        for file in (tmp_path / "s.zarr/images/he/0").rglob("*")
        if not file.name.startswith(".") and file.is_file()
    )
    if words == "longer":
        chunk.write_bytes(filler)
    changed_json(tmp_path / "s.zarr/images/he/0/.zarray", **values)
    refused(tmp_path / "s.zarr", words)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"codecs": [{"name": "evil"}]}, "evil"),
        ({"data_type": "variable_length_utf8"}, "no pixels"),
        ({"data_type": {"name": "struct"}}, "no pixels"),
        ({"storage_transformers": [{"name": "x"}]}, "transformers"),
        ({"shape": [3, 200_000, 200_000]}, "200,000 x 200,000"),
        ({"codecs": None}, "damaged"),
    ],
)
def test_harmful_arrays_of_zarr_3_are_refused(tmp_path: Path, values, words) -> None:
    write_spatialdata(tmp_path / "s.zarr", 3, {"type": "identity"})
    changed_json(tmp_path / "s.zarr/images/he/0/zarr.json", **values)
    refused(tmp_path / "s.zarr", words)


@pytest.mark.parametrize("version", [2, 3])
def test_consolidated_metadata_must_agree(tmp_path: Path, version) -> None:
    write_spatialdata(tmp_path / "s.zarr", version, {"type": "identity"})
    about = {"shape": [3, 10, 10]}
    if version == 2:
        summary = {"metadata": {"images/he/0/.zarray": about}}
        (tmp_path / "s.zarr/.zmetadata").write_text(json.dumps(summary))
    else:
        changed_json(
            tmp_path / "s.zarr/zarr.json", consolidated_metadata={"metadata": {"images/he/0": about}}
        )
    refused(tmp_path / "s.zarr", "disagrees")


@pytest.mark.parametrize("name", ["../out", "/abs", "a/../../out", "C:\\x", "a\nb"])
def test_zips_with_harmful_names_are_refused(tmp_path: Path, name) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("zarr.json", "{}")
        archive.writestr(name, "x")
    refused(tmp_path / "a.zip", "harmful name")


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("images/he/0")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    refused(tmp_path / "a.zip", "a link")


@pytest.mark.parametrize(
    "transformation",
    [
        {"type": "affine", "affine": [[1, 2], [3, 4]]},
        {"type": "scale", "scale": [1, "x", 1]},
        {"type": "scale", "scale": [1, 0, 0]},
        {"type": "displacements"},
        {"type": "scale", "scale": [1, float("inf"), 1]},
    ],
)
def test_places_that_are_none_are_refused(tmp_path: Path, transformation) -> None:
    write_spatialdata(tmp_path / "s.zarr", 2, transformation)
    refused(tmp_path / "s.zarr", "place|flat")


@pytest.mark.parametrize(
    "text", ["", "1,2,3", "a,b,c\n1,2,3\n0,0,1", "1,2,3\n2,4,6\n0,0,1", "1,0,0\n0,1,0\n1,1,1"]
)
def test_alignments_that_are_none_are_refused(tmp_path: Path, text) -> None:
    Image.fromarray(planted()).save(tmp_path / "a.png")
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(InputError):
        open_image(tmp_path / "a.png", placement=tmp_path / "m.csv")


def test_too_many_resolutions_are_refused(tmp_path: Path) -> None:
    write_spatialdata(tmp_path / "s.zarr", 2, {"type": "identity"})
    path = tmp_path / "s.zarr/images/he/.zattrs"
    about = json.loads(path.read_text())
    about["multiscales"][0]["datasets"] *= 30
    path.write_text(json.dumps(about))
    refused(tmp_path / "s.zarr", f"more than {limits.MAX_LEVELS}")
