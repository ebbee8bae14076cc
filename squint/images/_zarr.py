"""A picture in a SpatialData or OME-Zarr store, chunk by chunk."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.storage import LocalStore, ZipStore

from squint.errors import InputError
from squint.images._files import Files, list_files
from squint.images._ome import believable
from squint.images._picture import (
    MAX_LEVELS,
    Box,
    Level,
    Picture,
    check_block,
    check_size,
    check_stored,
    reading,
)
from squint.images._turned import LevelOnWhite
from squint.images.placing import Affine, check_affine
from squint.io.ngff import matrix_of, to_system

GLOBAL = "global"  # SpatialData's name of the coordinates that all its elements share
_DTYPES = re.compile(r"[<>|]?([uif][1248]|b1)|u?int(8|16|32|64)|float(16|32|64)|bool")
_CODECS = {"bytes", "gzip", "zstd", "blosc", "crc32c", "transpose", "sharding_indexed"}
_COMPRESSORS = {"blosc", "gzip", "zlib", "zstd", "lz4"}
_SLACK = 2**20  # bytes that a compressed chunk may be longer than its values
_PATH = re.compile(r"(?!.*(^|/)\.\.?(/|$))[\w.-]+(/[\w.-]+){0,4}")


@dataclass(frozen=True)
class ZarrLevel:
    """One resolution: an array whose axes besides channel, y and x are fixed."""

    array: Any  # zarr.Array
    axes: tuple[str, ...]
    fixed: Mapping[str, int]
    name: str

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.array.shape[self.axes.index("x")])

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.array.shape[self.axes.index("y")])

    @property
    def block(self) -> tuple[int, int]:
        """Rows and columns of a chunk."""
        return int(self.array.chunks[self.axes.index("y")]), int(self.array.chunks[self.axes.index("x")])

    def read(self, box: Box, channels: Sequence[int]) -> NDArray[Any]:
        """Read a region."""
        low, high = min(channels), max(channels) + 1
        part = {"y": slice(box.top, box.bottom), "x": slice(box.left, box.right), "c": slice(low, high)}
        with reading(self.name):
            values = np.asarray(self.array[tuple(part.get(a, self.fixed.get(a, 0)) for a in self.axes)])
        left = [axis for axis in self.axes if axis in part]
        if "c" not in left:
            values, left = values[..., None], [*left, "c"]
        values = values.transpose([left.index(axis) for axis in "yxc"])
        return values[:, :, [channel - low for channel in channels]]


def open_zarr(path: Path, element: str = "") -> Picture:
    """Open one picture of a store, after all its entries and descriptions were checked."""
    files = list_files(path)
    group = _find(files, element)
    prefix = f"{group}/" if group else ""
    attributes = files.attributes(group)
    ome = attributes.get("ome", attributes)
    with reading(path.name):
        scales = ome["multiscales"][0]
        axes = tuple(a["name"] if isinstance(a, dict) else str(a) for a in scales.get("axes", "tczyx"))
        datasets = [str(dataset["path"]) for dataset in scales["datasets"]]
        if not {"y", "x"} <= set(axes) <= set("tczyx") or len(set(axes)) < len(axes):
            raise InputError(f"{path.name}: its picture has no axes y and x, or unknown ones.")
    if not 0 < len(datasets) <= MAX_LEVELS or not all(_PATH.fullmatch(name) for name in datasets):
        raise InputError(f"{path.name} declares no resolutions, more than {MAX_LEVELS}, or harmful names.")
    shapes = [_check_array(files, f"{prefix}{dataset}", axes) for dataset in datasets]
    sizes = dict(zip(axes, shapes[0], strict=True))
    n_channels = sizes.get("c", 1)
    check_size(path.name, sizes["x"], sizes["y"], n_channels)
    check_stored(path.name, sizes["x"], sizes["y"], files.stored(prefix))
    affine, um, notes = _place(files, scales, axes)
    levels, close = _open_levels(files, [f"{prefix}{d}" for d in datasets], axes, sizes)
    named = _channels(attributes, ome, n_channels)
    is_rgb = _is_rgb(named, levels[0]) if n_channels in {3, 4} else False
    if is_rgb and n_channels == 4 and named[3].lower() in {"a", "alpha"}:
        levels, named = [LevelOnWhite(level) for level in levels], named[:3]
    return Picture(tuple(levels), named, is_rgb, affine, um, notes, close)


def _find(files: Files, element: str) -> str:
    found = sorted(
        {
            name.rpartition("/")[0]
            for name in files.sizes
            if re.fullmatch(r"images/[^/]+/(\.zattrs|zarr\.json)", name)
        }
    )
    if not found:
        attributes = files.attributes("")
        if "multiscales" in attributes.get("ome", attributes):
            return ""
        raise InputError(
            f"{files.path.name} holds no images/: it is no SpatialData or OME-Zarr with a picture."
        )
    names = [group.removeprefix("images/") for group in found]
    if element in names:
        return f"images/{element}"
    if element or len(found) > 1:
        raise InputError(f"{files.path.name} holds several pictures: name one of {', '.join(names[:10])}.")
    return found[0]


def _check_array(files: Files, array: str, axes: Sequence[str]) -> tuple[int, ...]:
    """Refuse, from its description alone, an array with harmful parts; give its shape."""
    name = files.path.name
    third, second = files.json(f"{array}/zarr.json"), files.json(f"{array}/.zarray")
    if not third and not second:
        raise InputError(f"{name} is incomplete: {array} is missing.")
    with reading(name):
        if third:
            shape, chunks, dtype = _check_third(third, name)
        else:
            shape, chunks, dtype = _check_second(second, name)
        if not isinstance(dtype, str) or not _DTYPES.fullmatch(dtype):
            raise InputError(f"{name} is refused: {array} holds {str(dtype)[:30]!r}, which are no pixels.")
        if len(shape) != len(axes) or len(chunks) != len(axes) or min(*shape, *chunks) < 1:
            raise InputError(f"{name}: {array} has {len(shape)} axes; its description names {len(axes)}.")
        n_bytes = math.prod(chunks) * _bytes_of(dtype)
    check_block(name, n_bytes)
    _check_consolidated(files, array, third or second)
    if not third:  # in the third version, shards are much longer than their chunks
        longest = max((s for n, s in files.sizes.items() if n.startswith(f"{array}/")), default=0)
        if longest > 2 * n_bytes + _SLACK:
            raise InputError(f"{name} is refused: a chunk of {array} is longer than it declares.")
    return shape


def _check_third(about: Mapping[str, Any], name: str) -> tuple[tuple[int, ...], tuple[int, ...], Any]:
    if about.get("node_type") != "array" or about["chunk_grid"]["name"] != "regular":
        raise InputError(f"{name} is refused: its picture is stored in an unusual way.")
    if about.get("storage_transformers"):
        raise InputError(f"{name} is refused: its picture is stored with transformers.")
    chunks = _integers(about["chunk_grid"]["configuration"]["chunk_shape"])
    inner = _check_codecs(about["codecs"], name)
    return _integers(about["shape"]), inner or chunks, about["data_type"]


def _check_codecs(codecs: Any, name: str, depth: int = 0) -> tuple[int, ...] | None:
    """Refuse codecs that are no compression; give the shape of chunks within shards, if there are any."""
    inner = None
    for codec in codecs:
        kind = codec if isinstance(codec, str) else codec["name"]
        if kind not in _CODECS or depth > 2:
            raise InputError(f"{name} is refused: its picture is stored with {str(kind)[:30]!r}.")
        if kind == "sharding_indexed":
            about = codec["configuration"]
            inner = _integers(about["chunk_shape"])
            _check_codecs(about["codecs"], name, depth + 1)
            _check_codecs(about["index_codecs"], name, depth + 1)
    return inner


def _check_second(about: Mapping[str, Any], name: str) -> tuple[tuple[int, ...], tuple[int, ...], Any]:
    compressor = about.get("compressor")
    kind = compressor["id"] if compressor else None
    if about.get("filters") or (kind is not None and kind not in _COMPRESSORS):
        raise InputError(f"{name} is refused: its picture is stored with {str(kind)[:30]!r} or with filters.")
    return _integers(about["shape"]), _integers(about["chunks"]), about["dtype"]


def _integers(values: Any) -> tuple[int, ...]:
    if not isinstance(values, list) or not all(type(value) is int for value in values):
        raise InputError("The shape of a picture is no list of numbers.")
    return tuple(values)


def _bytes_of(dtype: str) -> int:
    bits = re.search(r"(\d+)$", dtype)
    number = int(bits[1]) if bits else 1
    return number // 8 if number >= 8 and not re.match(r"[<>|]?[uifb]\d", dtype) else number


def _check_consolidated(files: Files, array: str, about: Mapping[str, Any]) -> None:
    """Refuse a store whose summary of all descriptions says something else than the array's own."""
    second = files.json(".zmetadata").get("metadata")
    third = (files.json("zarr.json").get("consolidated_metadata") or {}).get("metadata")
    for summary, key in ((second, f"{array}/.zarray"), (third, array)):
        said = summary.get(key) if isinstance(summary, dict) else None
        if isinstance(said, dict) and any(
            said.get(part) != about.get(part) for part in about if part in said
        ):
            raise InputError(
                f"{files.path.name} is refused: its consolidated metadata disagrees with {array}."
            )


def _open_levels(
    files: Files, arrays: Sequence[str], axes: tuple[str, ...], sizes: Mapping[str, int]
) -> tuple[list[Level], Callable[[], None]]:
    fixed = {"t": 0, "z": sizes.get("z", 1) // 2}
    name = files.path.name
    with reading(name):
        store = ZipStore(files.path, mode="r") if files.zipped else LocalStore(files.path, read_only=True)
        levels: list[Level] = []
        for path in arrays:
            version = 3 if f"{path}/zarr.json" in files.sizes else 2
            array = zarr.open_array(store=store, path=files.root + path, mode="r", zarr_format=version)  # type: ignore[arg-type]
            if array.dtype.kind not in "uifb":
                raise InputError(f"{name} is refused: it holds {array.dtype}, which are no pixels.")
            level = ZarrLevel(array, axes, fixed, name)
            if not levels or level.width < levels[-1].width:
                levels.append(level)
    return levels, store.close


def _place(
    files: Files, scales: Mapping[str, Any], axes: Sequence[str]
) -> tuple[Affine | None, tuple[float, float] | None, tuple[str, ...]]:
    """Say where the picture lies: in the coordinates of the cells that the table annotates, if it does."""
    whole = scales.get("coordinateTransformations")
    first = scales["datasets"][0].get("coordinateTransformations") or []
    own = np.eye(3)
    for one in first:
        own = matrix_of(one, axes) @ own
    found = to_system(whole, GLOBAL, axes)
    if found is None:
        return None, _pixel_size(scales, own), ()
    matrix = found @ own
    notes: tuple[str, ...] = ()
    for cells in _annotated(files):
        to_global = to_system(
            files.attributes(f"shapes/{cells}").get("coordinateTransformations"), GLOBAL, "xy"
        )
        if to_global is not None:
            matrix = np.linalg.inv(_invertible(to_global)) @ matrix
            notes = (f"Placed in the coordinates of the cells, {cells[:60]}.",)
            break
    return check_affine(matrix[:2]), None, notes


def _invertible(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    check_affine(matrix[:2])
    return matrix


def _annotated(files: Files) -> list[str]:
    """Name the elements that the tables of a SpatialData store annotate."""
    tables = {
        n.rpartition("/")[0] for n in files.sizes if re.fullmatch(r"tables?/[^/]+/(\.zattrs|zarr\.json)", n)
    }
    regions = [files.attributes(table).get("region") for table in sorted(tables)]
    names = [
        str(one) for region in regions if region for one in (region if isinstance(region, list) else [region])
    ]
    return [name for name in names if _PATH.fullmatch(name) and "/" not in name]


def _pixel_size(scales: Mapping[str, Any], own: NDArray[np.float64]) -> tuple[float, float] | None:
    units = {
        a.get("unit") for a in scales.get("axes", []) if isinstance(a, dict) and a.get("name") in {"x", "y"}
    }
    return (
        believable(float(own[0, 0]), float(own[1, 1]))
        if units <= {"micrometer", "micron", "um"} and units
        else None
    )


def _channels(attributes: Mapping[str, Any], ome: Mapping[str, Any], n_channels: int) -> tuple[str, ...]:
    own = attributes.get("spatialdata_attrs")
    named = own.get("channel_names") if isinstance(own, dict) else None
    omero = ome.get("omero")
    if named is None and isinstance(omero, dict) and isinstance(omero.get("channels"), list):
        named = [c.get("label") if isinstance(c, dict) else None for c in omero["channels"]]
    if not isinstance(named, list) or len(named) != n_channels:
        named = [None] * n_channels
    return tuple(f"channel {i + 1}" if n is None else str(n) for i, n in enumerate(named))


def _is_rgb(named: Sequence[str], level: Level) -> bool:
    """Say whether three or four channels are colours: by their names, or because nothing else names them."""
    first = [name.lower() for name in named[:3]]
    colours = first in (["r", "g", "b"], ["red", "green", "blue"])
    unnamed = first in (["0", "1", "2"], ["channel 1", "channel 2", "channel 3"])
    return colours or (unnamed and level.read(Box(0, 0, 1, 1), (0,)).dtype == np.uint8)
