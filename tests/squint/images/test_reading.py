"""Pictures: read back region by region from every kind of file."""

import json
import os
import zipfile
from pathlib import Path

import anndata as ad
import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image, ImageOps

from squint.images import (
    Box,
    apply,
    open_image,
    show,
)
from squint.images.placing import scaling
from tests.helpers.picture_files import (
    HEIGHT,
    MARK,
    WIDTH,
    all_of,
    axes,
    planted,
    write_pyramid,
    write_spatialdata,
)


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


@pytest.mark.parametrize("kind", ["tif", "tiled.tif", "jpg"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_its_file_notes_whatever_its_kind(tmp_path: Path, kind, orientation) -> None:
    """Pillow is the other source: it turns by the same tag."""
    path, pixels = tmp_path / f"a.{kind}", planted()
    if kind == "jpg":
        exif = Image.Exif()
        exif[274] = orientation
        Image.fromarray(pixels).save(path, quality=95, exif=exif)
    else:
        tile = (128, 64) if kind == "tiled.tif" else None
        tags = [(274, 3, 1, orientation, True)]
        tifffile.imwrite(path, pixels, photometric="rgb", tile=tile, metadata=None, extratags=tags)
    with open_image(path) as picture, Image.open(path) as file:
        np.testing.assert_array_equal(all_of(picture), np.asarray(ImageOps.exif_transpose(file)))


def test_the_pixel_size_and_all_levels_are_turned_too(tmp_path: Path) -> None:
    pixels = planted(2).transpose(2, 0, 1)
    write_pyramid(tmp_path / "a.ome.tif", pixels, extratags=[(274, 3, 1, 6, True)])
    with open_image(tmp_path / "a.ome.tif") as picture:
        sizes = [(level.width, level.height) for level in picture.levels]
        assert sizes == [(700, 900), (350, 450), (175, 225)]
        assert picture.um_per_pixel == (0.25, 0.5)
        np.testing.assert_array_equal(all_of(picture), np.rot90(planted(2), -1))


@pytest.mark.parametrize("kind", ["tif", "weighted.tif", "16.tif", "png", "grey.png", "h5ad", "zarr"])
def test_clear_pixels_are_white_whatever_the_kind_of_file(tmp_path: Path, kind) -> None:
    """Half of it is clear, half opaque, and one pixel half of either."""
    path = tmp_path / f"a.{kind}"
    pixels = np.zeros((40, 60, 4), dtype=np.uint8)
    pixels[:, :30] = [200, 100, 50, 255]
    pixels[0, 0, 3] = 51
    if kind.endswith("tif"):
        weighted = kind == "weighted.tif"
        stored: np.ndarray = pixels.copy()
        if weighted:
            stored[..., :3] = (pixels[..., :3] * (pixels[..., 3:] / 255)).round()
        stored = stored.astype(np.uint16) * 257 if kind == "16.tif" else stored
        extra = ["assocalpha" if weighted else "unassalpha"]
        tifffile.imwrite(path, stored, photometric="rgb", extrasamples=extra, metadata=None)
    elif kind == "grey.png":
        Image.fromarray(pixels[..., [0, 3]], "LA").save(path)
    elif kind == "png":
        Image.fromarray(pixels, "RGBA").save(path)
    elif kind == "h5ad":
        adata = ad.AnnData(np.zeros((1, 1)))
        factors = {"tissue_hires_scalef": 1.0}
        adata.uns["spatial"] = {"lib": {"images": {"hires": pixels}, "scalefactors": factors}}
        adata.write_h5ad(path)
    else:
        group = zarr.open_group(path, mode="w", zarr_format=2)
        group.create_array("0", shape=(4, 40, 60), dtype="u1")[...] = pixels.transpose(2, 0, 1)
        about = {"axes": axes("c", "y", "x")["axes"], "datasets": [{"path": "0"}]}
        channels = {"channels": [{"label": c} for c in "rgba"]}
        group.attrs.update({"multiscales": [about], "omero": channels})
    with open_image(path) as picture:
        found = show(picture).read(0, Box(0, 0, 60, 40))
        assert picture.n_channels == (1 if kind == "grey.png" else 3)
    if kind == "grey.png":
        assert (found[5, 40, 0], found[5, 5, 0], found[0, 0, 0]) == (255, 0, 204)  # of 200 to 255
        return
    assert found[5, 40].tolist() == [255, 255, 255]
    assert found[5, 5].tolist() == [200, 100, 50]
    np.testing.assert_allclose(found[0, 0], [244, 224, 214], atol=1)


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
