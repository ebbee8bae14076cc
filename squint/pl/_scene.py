"""The cells of a stack as one picture: those nearer hide those farther, and some show others through."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from squint.pl._layers import MISSING, REST
from squint.pl._look import Look
from squint.pl._orbit import Heights, Orbit, bounds
from squint.pl._panel import Categories, Continuous, Panel
from squint.pl._plate import BORDER, DIAMOND, coloured, diameter_of, within
from squint.pl._raster import Mark, mark_of
from squint.pl._style import PRINT, Style
from squint.pl._view import View

_SHARE = 0.7  # of the diameter of a cell that is drawn, as levels lie behind each other
_SMALLEST = 2.0  # pixels
_CLEAR = 0.75  # of what is behind a faint cell that is seen through it


@dataclass(frozen=True)
class Scene:
    """The cells of a stack that are seen from a point of view, the farthest first."""

    view: View  # the panel
    points: NDArray[np.float64]  # (n, 2) from its upper left corner
    diameters: NDArray[np.float64]  # (n,)
    colours: NDArray[np.uint8]  # (n, 3)
    hollow: NDArray[np.bool_]  # (n,)
    predicted: NDArray[np.bool_]  # (n,)
    faint: NDArray[np.bool_]  # (n,) no label of interest, or no value
    n_seen: int  # cells whose centre is in the panel, drawn or hidden


def scene_of(
    panels: Sequence[Panel],
    scales: Sequence[Continuous | Categories],
    heights: Sequence[Heights],
    orbit: Orbit,
    look: Look,
    style: Style = PRINT,
    diameters: Sequence[float | None] = (),
) -> Scene:
    """Find what is seen of a stack.

    Parameters
    ----------
    panels, scales, heights
        Of each level.
    orbit
        From where it is seen.
    look, style
        What is hidden, how large cells are, and the colours of the page.
    diameters
        Of the cells of each level where they are known, which takes time to find.
    """
    low, high = bounds(panels, heights)
    orbit = orbit.around(low, high)
    view, unit = orbit.view, orbit.pixels_per_unit
    size = np.array([view.width, view.height])
    parts, n_seen = [], 0
    for i, panel in enumerate(panels):
        if not orbit.drawn(i, len(panels)):
            continue
        known = diameters[i] if diameters else None
        diameter = known * look.size if known else diameter_of(panel, look, view.width / 20)
        diameter = max(_SHARE * diameter, _SMALLEST / unit)
        places = np.column_stack(
            [panel.coordinates[:, :2], np.broadcast_to(heights[i], len(panel.coordinates))]
        )
        turned = orbit.turn(places)
        points = view.place(turned)
        axis, share = orbit.cut
        kept = places[:, axis - 1] >= (low + share * (high - low))[axis - 1] if axis else np.True_
        n_seen += int((within(points, 0, size) & kept).sum())
        touched = within(points, -diameter, size + diameter) & kept
        for found, colours, layer in coloured(panels, i, touched, scales[i], look, style):
            n = len(found)
            parts.append(
                (
                    turned[found, 2],
                    points[found],
                    np.full(n, diameter * (DIAMOND if layer.outlined else 1)),
                    np.broadcast_to(colours, (n, 3)),
                    np.full(n, layer.hollow),
                    np.full(n, layer.outlined),
                    np.full(n, layer.rank in {REST, MISSING}),
                )
            )
    if not parts:
        nothing = np.zeros(0, dtype=bool)
        colours = np.zeros((0, 3), dtype=np.uint8)
        return Scene(view, np.zeros((0, 2)), np.zeros(0), colours, nothing, nothing, nothing, n_seen)
    near, points, widths, colours, hollow, predicted, faint = (
        np.concatenate(p) for p in zip(*parts, strict=True)
    )
    order = np.argsort(near, kind="stable")
    return Scene(
        view,
        points[order],
        widths[order],
        colours[order],
        hollow[order],
        predicted[order],
        faint[order],
        n_seen,
    )


def draw_scene(scene: Scene, n_pixels: int, ground: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """Draw a scene (h, w, 4), ``n_pixels`` along its longer side, on a ground of one colour."""
    scale = n_pixels / max(scene.view.width, scene.view.height)
    height, width = (max(1, round(side * scale)) for side in (scene.view.height, scene.view.width))
    places = np.floor(scene.points * scale).astype(np.int64)[:, ::-1]  # row, column
    groups = list(_groups(scene, scale, places, (height, width)))
    margin = 2 * max((mark.reach for mark, cells in groups if not mark.wide(len(cells))), default=0)
    places += margin  # cells at the edge need no care
    keys = np.zeros((height + 2 * margin, width + 2 * margin), dtype=np.int64)  # of the nearest cell; 0: none
    solid = [(mark, cells) for mark, cells in groups if not scene.faint[cells[0]]]
    for mark, cells in solid:
        for rim in (False, True) if mark.diamond else (False,):
            for key, at in _pixels(mark, places[cells], 2 * (cells + 1) + rim, keys.shape, rim=rim):
                nearer = (
                    key > keys.reshape(-1)[at]
                )  # of cells at one pixel the last, which is the nearest, stays
                keys.reshape(-1)[at[nearer]] = key[nearer]
    table = np.concatenate([np.array([ground[:3]], dtype=np.uint8), scene.colours])
    inner = slice(margin, margin + height), slice(margin, margin + width)
    seen = keys[inner]
    picture = np.empty((height, width, 4), dtype=np.uint8)
    picture[..., :3] = np.where((seen % 2 == 1)[..., None], BORDER, table[seen // 2])
    picture[..., 3] = np.where(seen > 0, 255, ground[3])
    veils = [
        (scene.colours[cells[0]], _veil(mark, places[cells], 2 * (cells + 1), keys)[inner])
        for mark, cells in groups
        if scene.faint[cells[0]]
    ]
    return _veiled(picture, veils) if veils else picture


def _groups(
    scene: Scene, scale: float, places: NDArray[np.int64], shape: tuple[int, int]
) -> Iterator[tuple[Mark, NDArray[np.int64]]]:
    """Give the cells of each mark that touch the picture and, of those that are faint, of each colour."""
    sizes = np.round(2 * scene.diameters * scale).astype(np.int64)  # half pixels
    packed = np.where(scene.faint, scene.colours.astype(np.int64) @ [1 << 16, 1 << 8, 1], 0)
    looks = 4 * scene.hollow + 2 * scene.predicted + scene.faint
    code = np.unique(sizes, return_inverse=True)[1] * 8 + looks
    code = np.unique(packed, return_inverse=True)[1] * (int(code.max(initial=0)) + 1) + code
    for kind in np.unique(code):
        cells = np.flatnonzero(code == kind)
        first = cells[0]
        mark = mark_of(
            sizes[first] / 2,
            len(cells),
            max(shape),
            hollow=bool(scene.hollow[first]),
            diamond=bool(scene.predicted[first]),
        )
        near = (places[cells] >= -mark.reach) & (places[cells] < np.array(shape) + mark.reach)
        cells = cells[near.all(axis=1)]
        if len(cells):
            yield mark, cells


def _pixels(
    mark: Mark,
    places: NDArray[np.int64],
    keys: NDArray[np.int64],
    shape: tuple[int, ...],
    *,
    rim: bool = False,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Give the pixels that cells at places (n, 2) cover, and the key of the cell at each."""
    if mark.wide(len(places)):
        for (row, column), key in zip(places.tolist(), keys, strict=True):
            _, down, right = mark.block(row, column, shape)
            at = ((down + row) * shape[1] + right + column)[mark.covers(down, right, rim=rim)]
            yield np.broadcast_to(key, at.shape), at
        return
    flat = places[:, 0] * shape[1] + places[:, 1]
    for down, right in zip(*mark.pixels(rim=rim), strict=True):
        yield keys, flat + (down * shape[1] + right)


def _veil(
    mark: Mark, places: NDArray[np.int64], keys: NDArray[np.int64], solid: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Count the faint cells before what is solid at each pixel."""
    count = np.zeros(solid.shape, dtype=np.int64)
    for key, at in _pixels(mark, places, keys, solid.shape):
        np.add.at(count.reshape(-1), at[key > solid.reshape(-1)[at]], 1)
    return count


def _veiled(
    picture: NDArray[np.uint8], veils: Sequence[tuple[NDArray[np.uint8], NDArray[np.int64]]]
) -> NDArray[np.uint8]:
    """Lay faint cells over a picture."""
    counts = np.stack([count for _, count in veils])  # (k, h, w)
    n = counts.sum(axis=0)
    colours = np.stack([colour for colour, _ in veils]).astype(np.float64)  # (k, 3)
    colour = np.einsum("khw,kc->hwc", counts, colours) / np.maximum(n, 1)[..., None]
    alpha = picture[..., 3:] / 255
    clear = (_CLEAR**n)[..., None]
    behind = alpha * clear
    whole = behind + 1 - clear
    mixed = (picture[..., :3] * behind + colour * (1 - clear)) / np.maximum(whole, 1e-9)
    return np.round(np.concatenate([mixed, 255 * whole], axis=-1)).astype(np.uint8)
