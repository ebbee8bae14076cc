"""A map as a picture, without text, for browsers that cannot draw it. Runs in the worker."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor

from app.maps.packed import unpack
from app.maps.stage import Box
from app.requests import DrawStage
from app.tasks.budgets import DRAWING
from squint.files import whole
from squint.io.limits import memory_limit
from squint.library.results import Report
from squint.library.store import Library
from squint.pl import Style
from squint.pl._plate import Plate, plate_of, rasterise, scales_of, settled
from squint.pl._scene import Scene, draw_scene, scene_of

_MOST_PIXELS = 8_000_000  # of all panels, where edges are smoothed
_MOST_CELLS = 300_000  # likewise

Ground = tuple[int, int, int, int]


def draw_stage(library: Library, asked: DrawStage, report: Report) -> str:
    """Draw the map that was left in a folder as a PNG of its stage; return the path of the file."""
    del library
    path = Path(asked.folder) / "stage.png"
    with memory_limit(DRAWING, "Show fewer cells."):
        stage = _draw(Path(asked.folder), report)
        with whole(path) as temporary:
            Image.fromarray(stage).save(temporary, "PNG", compress_level=1)
    return str(path)


def _draw(folder: Path, report: Report) -> NDArray[np.uint8]:
    """Draw a stage (h, w, 4), clear where there is no panel."""
    panels, scale, seen, heights, facts = unpack(folder)
    style, diameters = Style(**facts["style"]), facts["diameters"]
    boxes = [Box(**box) for box in facts["boxes"]]
    scale = seen.scale(scale)
    look = settled(seen.look(), scale)
    scales = scales_of(scale, look, len(panels))
    smooth = sum(box.width * box.height for box in boxes) <= _MOST_PIXELS / 4
    width, height = facts["size"]
    stage = np.zeros((height, width, 4), dtype=np.uint8)
    for i, box in enumerate(boxes):
        report(i / len(boxes), "drawing the map")
        if heights and seen.orbit:
            scene = scene_of(panels, scales, heights, seen.orbit, look, style, diameters)
            pixels = _draw_scene(scene, box, style, smooth=smooth)
        else:
            window, own = replace(seen.views[i], aspect=box.aspect), replace(look, diameter=diameters[i])
            plate = plate_of(panels, i, window, scales[i], own, style)
            pixels = _draw_plate(plate, box, style, smooth=smooth)
        part = stage[box.top : box.top + box.height, box.left : box.left + box.width]
        part[:] = pixels[: part.shape[0], : part.shape[1]]
    return stage


def _draw_plate(plate: Plate, box: Box, style: Style, *, smooth: bool) -> NDArray[np.uint8]:
    """Draw what the window of a panel shows (h, w, 4)."""
    smooth = smooth and sum(len(cells.points) for cells in plate.cells) <= _MOST_CELLS
    longest = max(box.width, box.height) * (2 if smooth else 1)
    return _fit(rasterise(plate, longest, _ground(style)).pixels, box, smooth=smooth)


def _draw_scene(scene: Scene, box: Box, style: Style, *, smooth: bool) -> NDArray[np.uint8]:
    """Draw the levels above each other (h, w, 4)."""
    smooth = smooth and len(scene.points) <= _MOST_CELLS
    longest = max(box.width, box.height) * (2 if smooth else 1)
    return _fit(draw_scene(scene, longest, _ground(style)), box, smooth=smooth)


def _fit(pixels: NDArray[np.uint8], box: Box, *, smooth: bool) -> NDArray[np.uint8]:
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
