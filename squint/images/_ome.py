"""What OME-XML says of a picture: its planes, channels and pixel size."""

import math
import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from squint.errors import InputError
from squint.images._picture import MAX_CHANNELS, check_channels, check_samples

MAX_XML = 64 * 2**20
MAX_PLANES = 100 * MAX_CHANNELS  # of all pictures of a file together, and so of what says where they lie
ASIDE = re.compile(
    r"\b(label|macro|thumbnail|overview|barcode|map)\b", re.IGNORECASE
)  # a slide's other pictures
_UM = {"km": 1e9, "m": 1e6, "dm": 1e5, "cm": 1e4, "mm": 1e3, "um": 1.0, "nm": 1e-3, "pm": 1e-6, "Å": 1e-4}
_UM |= {"in": 25_400.0, "ft": 304_800.0, "pt": 25_400.0 / 72}


@dataclass(frozen=True)
class Ome:
    """One picture of an OME-TIFF."""

    name: str
    width: int
    height: int
    channels: tuple[str, ...]
    samples: int  # channels per plane
    planes: tuple[int | None, ...]  # the file's page of each plane; None if it lies in another file
    um_per_pixel: tuple[float, float] | None
    notes: tuple[str, ...]


def parse_xml(text: str, name: str) -> ET.Element:
    """Parse XML of a stranger.

    Raises
    ------
    InputError
        If it declares a document type or entities, which no picture needs, or is broken.
    """
    refuse_entities(text, name)
    try:
        return ET.fromstring(text)  # noqa: S314 - see above
    except ET.ParseError as error:
        raise InputError(f"{name}: its OME-XML is broken. Save it again as OME-TIFF.") from error


def refuse_entities(text: str, name: str) -> None:
    """Refuse a description that could unfold to more than it is."""
    if len(text) > MAX_XML or re.search(r"<!\s*(DOCTYPE|ENTITY)", text, re.IGNORECASE):
        raise InputError(f"{name} is refused: its description declares XML entities, or is far too long.")


def read_ome(text: str, name: str) -> Ome:
    """Read the description of the largest picture in a file that is no label or overview."""
    root = parse_xml(text, name)
    _check_planes(root, name)
    found = [
        _read_image(image, pixels, root.get("UUID"), name)
        for image in root
        if _tag(image) == "Image"
        for pixels in image
        if _tag(pixels) == "Pixels"
    ]
    found = [ome for ome in found if not ASIDE.search(ome.name) and any(p is not None for p in ome.planes)]
    if not found:
        raise InputError(
            f"{name}: its OME-XML describes no picture in this file. If it names another file, give that one."
        )
    return max(found, key=lambda ome: ome.width * ome.height)


def _check_planes(root: ET.Element, name: str) -> None:
    """Refuse a description of more planes than any file holds, before they are looked for."""
    n_planes = n_said = 0
    for pixels in (child for image in root for child in image if _tag(child) == "Pixels"):
        n_planes += math.prod(_count(pixels.get(f"Size{axis}"), name) for axis in "CZT")
        n_said += sum(_tag(child) == "TiffData" for child in pixels)
    if n_planes > MAX_PLANES or n_said > MAX_PLANES:
        raise InputError(
            f"{name} declares {max(n_planes, n_said):,} planes; at most {MAX_PLANES:,} are read. "
            "Save one picture per file, without its heights and times."
        )


def _read_image(image: ET.Element, pixels: ET.Element, uuid: str | None, name: str) -> Ome:
    sizes = {axis: _count(pixels.get(f"Size{axis}"), name) for axis in "XYCZT"}
    if min(sizes.values()) < 1:
        raise InputError(f"{name}: its OME-XML declares a picture without pixels. Save it again as OME-TIFF.")
    check_channels(name, sizes["C"])
    channels = [child for child in pixels if _tag(child) == "Channel"]
    samples = _count(channels[0].get("SamplesPerPixel", "1"), name) if channels else 1
    named = [channel.get("Name") or f"channel {i + 1}" for i, channel in enumerate(channels)]
    check_samples(name, samples)
    n_planes = max(1, sizes["C"] // samples)
    if samples > 1 or len(named) != n_planes:
        named = [f"channel {i + 1}" for i in range(n_planes * samples)]
    notes = []
    if sizes["Z"] > 1:
        notes.append(f"Of {sizes['Z']} heights the middle one is shown.")
    if sizes["T"] > 1:
        notes.append(f"Of {sizes['T']} times the first is shown.")
    return Ome(
        image.get("Name") or "",
        sizes["X"],
        sizes["Y"],
        tuple(named),
        samples,
        _planes(pixels, sizes | {"C": n_planes}, uuid, name),
        _pixel_size(pixels.attrib),
        tuple(notes),
    )


def _planes(
    pixels: ET.Element, sizes: Mapping[str, int], uuid: str | None, name: str
) -> tuple[int | None, ...]:
    """Find the page of each channel, at the middle height and the first time."""
    order = [axis for axis in pixels.get("DimensionOrder", "XYCZT") if axis in "CZT"]
    if sorted(order) != ["C", "T", "Z"]:
        raise InputError(f"{name}: its OME-XML names no order of planes. Save it again as OME-TIFF.")
    middle = sizes["Z"] // 2
    wanted = [_ravel(order, sizes, {"C": c, "Z": middle, "T": 0}) for c in range(sizes["C"])]  # ascending
    pages: dict[int, int] = {}
    total = sizes["C"] * sizes["Z"] * sizes["T"]
    for data in (child for child in pixels if _tag(child) == "TiffData"):
        start = _ravel(order, sizes, {axis: _count(data.get(f"First{axis}", "0"), name) for axis in "CZT"})
        page = _count(data.get("IFD", "0"), name)
        count = _count(
            data.get("PlaneCount", data.get("NumPlanes", "1" if "IFD" in data.attrib else "0")), name
        )
        if _is_here(data, uuid):
            first, last = bisect_left(wanted, start), bisect_left(wanted, start + (count or total))
            pages |= {plane: page + plane - start for plane in wanted[first:last]}
    return tuple(pages.get(plane) for plane in wanted)


def _is_here(data: ET.Element, uuid: str | None) -> bool:
    """Say whether a plane lies in this file; a description may name others, which are never opened."""
    named = [child.text for child in data if _tag(child) == "UUID"]
    return not named or uuid is None or named[0] == uuid


def _ravel(order: Iterable[str], sizes: Mapping[str, int], at: Mapping[str, int]) -> int:
    index, step = 0, 1
    for axis in order:
        index += at[axis] * step
        step *= sizes[axis]
    return index


def _pixel_size(attributes: Mapping[str, str]) -> tuple[float, float] | None:
    sizes = []
    for axis in "XY":
        unit = attributes.get(f"PhysicalSize{axis}Unit", "um").replace("\u00b5", "u").replace("\u03bc", "u")
        try:
            sizes.append(float(attributes.get(f"PhysicalSize{axis}", "nan")) * _UM.get(unit, float("nan")))
        except ValueError:
            return None
    return believable(sizes[0], sizes[1])


def believable(across: float, down: float) -> tuple[float, float] | None:
    """Give a pixel size in um, if microscopes have such pixels."""
    return (across, down) if all(0.01 <= size <= 200 for size in (across, down)) else None


def _count(text: str | None, name: str) -> int:
    if text is None or not re.fullmatch(r"\s*\d{1,9}\s*", text):
        raise InputError(f"{name}: its OME-XML holds {str(text)[:20]!r} where a number should be.")
    return int(text)


def _tag(element: ET.Element) -> str:
    return str(element.tag).rpartition("}")[2]
