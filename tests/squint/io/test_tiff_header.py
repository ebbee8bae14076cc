"""The header of a TIFF file: as tifffile writes it, and as nobody should."""

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from squint.errors import InputError
from squint.io.tiff_header import read_header


@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize(("unit", "factor"), [("µm", 1.0), ("nm", 1e-3), ("mm", 1e3)])
def test_size_and_pixels_are_as_tifffile_wrote_them(tmp_path, bigtiff, byteorder, unit, factor):
    size = {"PhysicalSizeX": 0.2125 / factor, "PhysicalSizeY": 0.4 / factor}
    units = {"PhysicalSizeXUnit": unit, "PhysicalSizeYUnit": unit}
    path = tmp_path / "a.ome.tif"
    pixels = np.zeros((33, 57), np.uint16)
    tifffile.imwrite(
        path, pixels, ome=True, bigtiff=bigtiff, byteorder=byteorder, metadata={"axes": "YX", **size, **units}
    )
    header = read_header(path)
    assert (header.width, header.height) == (57, 33)
    assert header.um == pytest.approx((0.2125, 0.4))


def test_without_ome_there_is_no_pixel_size(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((33, 57), np.uint8), resolution=(300, 300))
    assert read_header(tmp_path / "a.tif") == (57, 33, None)


@pytest.mark.parametrize("size", ["0", "1e9", "nan", "wide"])
def test_a_pixel_size_that_no_microscope_has_is_none(tmp_path, size):
    text = f'<OME><Image><Pixels PhysicalSizeX="{size}" PhysicalSizeY="{size}"/></Image></OME>'
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((3, 5), np.uint8), description=text, metadata=None)
    assert read_header(tmp_path / "a.tif").um is None


@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0", b"MM\0+\0\x08\0\0"]),
)
def test_any_bytes_are_a_header_or_refused(tmp_path_factory, content, start):
    path = tmp_path_factory.mktemp("any") / "a.tif"
    path.write_bytes(start + content)
    try:
        assert read_header(path).width >= 0
    except InputError as error:
        assert "a.tif" in str(error)  # noqa: PT017 - some are headers


def test_each_file_cut_within_its_header_is_refused(tmp_path):
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, np.zeros((33, 57), np.uint16), ome=True, metadata={"axes": "YX"})
    content = path.read_bytes()
    for size in (0, 1, 4, 7, 9, 20):
        path.write_bytes(content[:size])
        with pytest.raises(InputError, match=r"a\.ome\.tif"):
            read_header(path)
