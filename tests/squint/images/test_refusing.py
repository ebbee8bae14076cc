"""Pictures that are damaged, hostile or none."""

import json
import struct
import time
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from squint.errors import InputError
from squint.images import (
    Box,
    open_image,
)
from squint.images import _picture as limits
from tests.helpers.picture_files import (
    all_of,
    planted,
    write_spatialdata,
)


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
    refused(ome_tiff(tmp_path / "a.ome.tif", f"<OME><Image>{pixels}</Image></OME>"), "OME-XML|planes")


def ome_of(samples: int = 1, z: int = 1, planes: str = "<TiffData/>", pictures: int = 1) -> str:
    sizes = f'SizeX="900" SizeY="700" SizeC="1" SizeZ="{z}" SizeT="1"'
    channel = f'<Channel SamplesPerPixel="{samples}"/>'
    image = f'<Image><Pixels DimensionOrder="XYCZT" {sizes}>{channel}{planes}</Pixels></Image>'
    return f"<OME>{image * pictures}</OME>"


@pytest.mark.parametrize("n_samples", [65, 20_000_000, 999_999_999, 0])
def test_many_samples_in_a_description_are_refused_before_they_are_listed(tmp_path: Path, n_samples) -> None:
    path = ome_tiff(tmp_path / "a.ome.tif", ome_of(samples=n_samples))
    tracemalloc.start()
    refused(path, f"{n_samples:,} samples per pixel")
    assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    tracemalloc.stop()


@pytest.mark.parametrize(
    "declared",
    [
        {"z": 100_001},
        {"z": 60_000, "pictures": 2},
        {"z": 100_000, "pictures": 500},
        {"planes": "<TiffData/>" * 100_001},
    ],
)
def test_more_planes_than_files_hold_are_refused_before_they_are_looked_for(tmp_path: Path, declared) -> None:
    refused(ome_tiff(tmp_path / "a.ome.tif", ome_of(**declared)), "planes; at most 100,000")


def test_planes_said_many_times_are_looked_for_once(tmp_path: Path) -> None:
    """Each of the 20,000 elements speaks of all 50,000 heights."""
    xml = ome_of(z=50_000, planes='<TiffData IFD="0"/>' * 19_999 + '<TiffData FirstZ="25000" IFD="0"/>')
    path = ome_tiff(tmp_path / "a.ome.tif", xml)
    start = time.process_time()
    with open_image(path) as picture:
        assert np.array_equal(all_of(picture)[:, :, 0], planted(1)[:, :, 0])
    assert time.process_time() - start < 10  # 28 s and more, when each element made its own list


def test_many_samples_of_a_tiff_are_refused(tmp_path: Path) -> None:
    about = [tag for tag in tags(600, 600) if tag[0] != 277]
    refused(tiff_of(tmp_path / "a.tif", [*about, (277, 3, 1, 900)]), "900 samples per pixel")


def test_a_tiff_of_many_pixels_and_few_bytes_is_refused(tmp_path: Path) -> None:
    """Its 36 tiles are left out; cutting 10,000,000,000 black pixels would take minutes."""
    n, side, tile = 36, 98_304, 16_384
    start = 8 + 2 + 12 * 10 + 4
    about = [tag for tag in tags(side, side, tile=tile) if tag[0] not in {324, 325}]
    about += [(324, 4, n, start), (325, 4, n, start + 4 * n)]
    refused(tiff_of(tmp_path / "a.tif", about, bytes(8 * n)), "empty or incomplete")


def test_a_zarr_of_many_pixels_and_few_bytes_is_refused(tmp_path: Path) -> None:
    write_spatialdata(tmp_path / "s.zarr", 2, {"type": "identity"})
    changed_json(tmp_path / "s.zarr/images/he/0/.zarray", shape=[3, 90_000, 90_000])
    refused(tmp_path / "s.zarr", "empty or incomplete")


def test_tiles_are_decoded_a_few_at_a_time(tmp_path: Path) -> None:
    """One deflated tile of 2048 x 2048 x 32 stands for all sixteen: 2 GiB, if all were held at once."""
    n, tile, samples = 16, 2_048, 32
    data = zlib.compress(bytes(tile * tile * samples))
    start = 8 + 2 + 12 * 10 + 4
    about = [tag for tag in tags(4 * tile, 4 * tile, tile=tile) if tag[0] not in {277, 324, 325}]
    about += [(277, 3, 1, samples), (324, 4, n, start), (325, 4, n, start + 4 * n)]
    lists = struct.pack(f"<{n}I", *[start + 8 * n] * n) + struct.pack(f"<{n}I", *[len(data)] * n)
    with open_image(tiff_of(tmp_path / "a.tif", about, lists + data)) as picture:
        tracemalloc.start()
        assert not picture.levels[0].read(Box(0, 0, 4 * tile, 4 * tile), (5,)).any()
        held = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert held < 2**30


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


@pytest.mark.parametrize("factor", ["9" * 400, "1e999", '"a"', "[]", "-1"])
def test_a_scale_factor_that_is_no_number_is_refused(tmp_path: Path, factor) -> None:
    path = tmp_path / "tissue_hires_image.png"
    Image.fromarray(planted()).save(path)
    (tmp_path / "scalefactors_json.json").write_text(f'\ufeff{{"tissue_hires_scalef": {factor}}}')
    with pytest.raises(InputError, match=r"scalefactors_json\.json"), open_image(path):
        pass
