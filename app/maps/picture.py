"""A map as a picture, for browsers that cannot draw it: no text, which the browser writes above it."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor

from app.maps.served import Served
from app.maps.state import MapState, read_list, read_mapping, read_number, read_state
from squint.errors import InputError
from squint.pl import Categories, Continuous, Look, Orbit, Style
from squint.pl._plate import plate_of, rasterise, scales_of, settled
from squint.pl._scene import draw_scene, scene_of

_LARGEST = 4_096  # pixels, a side of the picture
_MOST_PIXELS = 8_000_000  # of all panels, where edges are smoothed
_MOST_CELLS = 300_000  # likewise

Ground = tuple[int, int, int, int]


@dataclass(frozen=True)
class _Box:
    """A panel on the stage, in its pixels."""

    left: int
    top: int
    width: int
    height: int

    @property
    def aspect(self) -> float:
        return self.height / self.width


def picture(served: Served, state: object) -> bytes:
    """Draw a map as a PNG of its stage, clear where there is no panel.

    Parameters
    ----------
    served
        What the browser shows.
    state
        What it says of it: the reader's settings and windows as for an export, ``width`` and ``height`` of
        the stage, ``boxes`` of its panels with ``left``, ``top``, ``width`` and ``height``, all in CSS
        pixels, the ``diameters`` of cells in each panel if they are known, and the ``ratio`` of pixels to
        CSS pixels.

    Raises
    ------
    InputError
        If no browser can have said this.
    """
    given = read_mapping(state, "state")
    view, stack = served.view, served.stack
    seen = read_state(given, view, stack.stretch if stack else None)
    width, height, ratio = _size(given)
    boxes = _boxes(given, (width, height), ratio, 1 if stack else len(view.panels))
    diameters = _diameters(given, len(view.panels))
    scale = seen.scale(view.scale)
    look = settled(seen.look(), scale)
    scales = scales_of(scale, look, len(view.panels))
    smooth = sum(box.width * box.height for box in boxes) <= _MOST_PIXELS / 4
    drawn: list[NDArray[np.uint8]]
    if stack and seen.orbit:
        drawn = [_draw_stack(served, scales, seen.orbit, look, boxes[0], diameters, smooth=smooth)]
    else:
        drawn = [
            _draw_panel(served, i, scales[i], seen, replace(look, diameter=diameters[i]), box, smooth=smooth)
            for i, box in enumerate(boxes)
        ]
    stage = np.zeros((height, width, 4), dtype=np.uint8)
    for box, pixels in zip(boxes, drawn, strict=True):
        part = stage[box.top : box.top + box.height, box.left : box.left + box.width]
        part[:] = pixels[: part.shape[0], : part.shape[1]]
    file = io.BytesIO()
    Image.fromarray(stage).save(file, "PNG", compress_level=1)
    return file.getvalue()


def _draw_panel(
    served: Served,
    i: int,
    scale: Continuous | Categories,
    seen: MapState,
    look: Look,
    box: _Box,
    *,
    smooth: bool,
) -> NDArray[np.uint8]:
    """Draw what the window of a panel shows (h, w, 4)."""
    window = replace(seen.views[i], aspect=box.aspect)
    plate = plate_of(served.view.panels, i, window, scale, look, served.style)
    smooth = smooth and sum(len(cells.points) for cells in plate.cells) <= _MOST_CELLS
    longest = max(box.width, box.height) * (2 if smooth else 1)
    return _fit(rasterise(plate, longest, _ground(served.style)).pixels, box, smooth=smooth)


def _draw_stack(
    served: Served,
    scales: Sequence[Continuous | Categories],
    orbit: Orbit,
    look: Look,
    box: _Box,
    diameters: Sequence[float | None],
    *,
    smooth: bool,
) -> NDArray[np.uint8]:
    """Draw the levels above each other (h, w, 4)."""
    heights = served.stack.heights if served.stack else ()
    scene = scene_of(served.view.panels, scales, heights, orbit, look, served.style, diameters)
    smooth = smooth and len(scene.points) <= _MOST_CELLS
    longest = max(box.width, box.height) * (2 if smooth else 1)
    return _fit(draw_scene(scene, longest, _ground(served.style)), box, smooth=smooth)


def _fit(pixels: NDArray[np.uint8], box: _Box, *, smooth: bool) -> NDArray[np.uint8]:
    """Give a picture the size of its box, from one twice as large if edges are smoothed."""
    image = Image.fromarray(pixels)
    if smooth:  # of colours that are clear nothing is to be seen: they are weighted by how opaque they are
        image = image.convert("RGBa").reduce(2).convert("RGBA")
    if image.size != (box.width, box.height):
        image = image.resize((box.width, box.height), Image.Resampling.NEAREST)
    return np.asarray(image)


def _ground(style: Style) -> Ground:
    if not style.ground.startswith("#"):
        return (0, 0, 0, 0)
    red, green, blue = ImageColor.getrgb(style.ground)[:3]
    return (red, green, blue, 255)


def _size(given: Mapping[str, object]) -> tuple[int, int, float]:
    """Give width and height of the stage in pixels, and how many are a CSS pixel."""
    width = read_number(given.get("width"), "width of the stage", 1, _LARGEST)
    height = read_number(given.get("height"), "height of the stage", 1, _LARGEST)
    ratio = read_number(given.get("ratio", 1), "ratio of pixels", 0.1, 10)
    ratio = min(ratio, _LARGEST / max(width, height))
    return max(1, round(width * ratio)), max(1, round(height * ratio)), ratio


def _boxes(given: Mapping[str, object], stage: tuple[int, int], ratio: float, n: int) -> list[_Box]:
    listed = read_list(given.get("boxes"), "list of boxes", n)
    if len(listed) != n:
        raise InputError(f"The map has {n} panels, but {len(listed)} boxes were told. Reload the page.")
    boxes = []
    for box in listed:
        sides = read_mapping(box, "box")
        left, top, width, height = (
            read_number(sides.get(name), f"{name} of a box", 0, _LARGEST)
            for name in ("left", "top", "width", "height")
        )
        first = round(left * ratio), round(top * ratio)
        last = min(round((left + width) * ratio), stage[0]), min(round((top + height) * ratio), stage[1])
        if not all(low < high for low, high in zip(first, last, strict=True)):
            raise InputError("A panel of the map lies outside its stage. Reload the page and try again.")
        boxes.append(_Box(*first, last[0] - first[0], last[1] - first[1]))
    return boxes


def _diameters(given: Mapping[str, object], n: int) -> list[float | None]:
    listed = read_list(given.get("diameters"), "list of diameters", n)
    known = [read_number(diameter, "diameter of cells", 1e-6) for diameter in listed]
    return [*known, *[None] * (n - len(known))]
