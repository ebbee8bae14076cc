"""A stack in print: its levels above each other, from where a user sees them."""

import zlib
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from PIL import Image

from squint.pl._captions import count
from squint.pl._look import Kind, Look, Page
from squint.pl._orbit import Heights, Orbit, bounds, corners, ticks
from squint.pl._panel import Categories, Continuous, Panel
from squint.pl._plate import Ground, ground_of, scales_of, settled
from squint.pl._print_legend import legend_of
from squint.pl._print_page import BUDGET, FINEST, Box, Head, lay_out, printing, save, write_words
from squint.pl._print_panel import draw_frame, draw_pixels
from squint.pl._scene import Scene, draw_scene, scene_of
from squint.pl._sheet import Sheet, leading, width_of

_EDGE: dict[str, Any] = {"color": "#808080", "alpha": 0.6, "linewidth": 0.7}
_SIZE = 8  # points
_PAD = 0.04  # inches, around words on the tissue


def print_stack(
    panels: Sequence[Panel],
    scale: Continuous | Categories,
    heights: Sequence[Heights],
    orbit: Orbit,
    page: Page,
    look: Look | None = None,
    *,
    kind: Kind = "pdf",
    dpi: int = 300,
) -> bytes:
    """Draw the levels of a stack above each other for print, as a point of view shows them.

    Parameters
    ----------
    panels
        One per level, the lowest first; or one, whose cells lie at all heights.
    scale
        What the values mean: a colour scale, or labels to highlight. Other labels are faint.
    heights
        Of each panel, um; or of each of its cells (n,).
    orbit
        From where the stack is seen, how high it is drawn, and what of it.
    page
        Title, counts and stamp.
    look
        What is hidden, and how large cells are.
    kind
        Of file. Text and lines are vectors in ``"svg"`` and ``"pdf"``; the cells are one picture.
    dpi
        Dots per inch of a PNG, and of the picture of the cells in other files: fewer where it would make
        the file larger than 2 MB.

    Returns
    -------
    The file. Equal stacks give equal files.

    Raises
    ------
    ValueError
        If there are no levels, or not as many heights.
    """
    if not panels or len(panels) != len(heights):
        raise ValueError(f"a stack has a height for each panel, not {len(heights)} for {len(panels)}")
    look = settled(look, scale)
    scales = scales_of(scale, look, len(panels))
    low, high = bounds(panels, heights)
    orbit = orbit.around(low, high)
    with printing():
        scene = scene_of(panels, scales, heights, orbit, look, look.style)
        head = Head(_title(panels, orbit), _notes(panels, scene), scene.view.aspect)
        layout = lay_out([head], lambda width: legend_of(panels, scales, look, width), page)
        sheet, (box,) = layout.sheet, layout.boxes
        axes = sheet.panel(box.x, box.y, box.width, box.width * scene.view.aspect)
        axes.set(xlim=(0, scene.view.width), ylim=(scene.view.height, 0))
        draw_pixels(axes, scene.view, _picture(scene, box, ground_of(look.style), kind, dpi))
        _draw_edges(axes, sheet, box, orbit, corners(low, high), ticks(heights))
        draw_frame(sheet, panels[0], scene.view, box.x, box.y, box.width)
        known = len(panels) == 1 or all(panel.unit != "unknown" for panel in panels)
        _draw_note(sheet, box, scene.view.aspect, orbit.words(known=known))
        write_words(sheet, layout)
        return save(sheet, page, kind, dpi)


def _title(panels: Sequence[Panel], orbit: Orbit) -> str:
    """Say which levels are drawn."""
    if len(panels) == 1:
        return panels[0].title
    drawn = [i for i in range(len(panels)) if orbit.drawn(i, len(panels))]
    if len(drawn) == len(panels):
        return f"{len(panels)} levels"
    return f"levels {drawn[0] + 1} to {drawn[-1] + 1} of {len(panels)}" if drawn else "no level"


def _notes(panels: Sequence[Panel], scene: Scene) -> list[str]:
    all_of_it = scene.n_seen == sum(len(panel.coordinates) for panel in panels)
    return [count(*panels), *([] if all_of_it else [f"{scene.n_seen:,} in view"])]


def _picture(scene: Scene, box: Box, ground: Ground, kind: Kind, dpi: int) -> NDArray[np.uint8]:
    """Draw the cells, as finely as fits into the file."""
    side = box.width * max(1, scene.view.aspect)
    if kind == "png":
        smooth = dpi < FINEST
        picture = draw_scene(scene, round(dpi * side) * (2 if smooth else 1), ground)
        return np.asarray(Image.fromarray(picture).reduce(2)) if smooth else picture
    fine = float(dpi)
    picture = draw_scene(scene, round(fine * side), ground)
    while (n_bytes := len(zlib.compress(picture[..., :3].tobytes(), 6))) > BUDGET:
        fine *= 0.97 * (BUDGET / n_bytes) ** 0.7
        picture = draw_scene(scene, round(fine * side), ground)
    return picture


def _draw_edges(
    axes: Axes, sheet: Sheet, box: Box, orbit: Orbit, ends: NDArray[np.float64], heights: Sequence[float]
) -> None:
    """Draw the edges of the box around the stack, and heights at the upright edge farthest to the left."""
    view = orbit.view
    at = view.place(orbit.turn(ends))
    for i, bit in product(range(8), (1, 2, 4)):
        if not i & bit:
            axes.add_line(Line2D(at[[i, i | bit], 0], at[[i, i | bit], 1], **_EDGE))
    left = int(np.argmin(at[:4, 0]))
    x, y = ends[left, :2]
    inches = box.width / view.width
    edge = view.place(orbit.turn(np.array([[x, y, height] for height in heights]).reshape(-1, 3))) * inches
    if not len(edge) or np.ptp(edge[:, 1]) < leading(_SIZE):  # from above there is no room
        return
    last = np.inf
    for height, (across, down) in zip(heights, edge.tolist(), strict=True):
        words = f"{float(f'{height:.3g}'):g} µm"
        start = max(0.06, across - 0.1 - width_of(words, _SIZE))
        inside = 0.1 < down < box.width * view.aspect - 0.1 and start < box.width - width_of(words, _SIZE)
        if inside and abs(down - last) >= leading(_SIZE):
            _write_on_tissue(sheet, box.x + start, box.y + down - leading(_SIZE) / 2, words)
            last = down


def _draw_note(sheet: Sheet, box: Box, aspect: float, words: str) -> None:
    """Say at the lower right what differs from the tissue."""
    if words:
        x = box.x + box.width - width_of(words, _SIZE) - 0.06 - _PAD
        _write_on_tissue(sheet, x, box.y + box.width * aspect - leading(_SIZE) - 0.06 - _PAD, words)


def _write_on_tissue(sheet: Sheet, x: float, y: float, words: str) -> None:
    wide, tall = width_of(words, _SIZE) + 2 * _PAD, leading(_SIZE)
    sheet.box(x - _PAD, y, wide, tall, facecolor="white", alpha=0.85, linewidth=0)
    sheet.write(x, y, [words], _SIZE)
