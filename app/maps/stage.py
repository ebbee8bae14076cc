"""A map for browsers that cannot draw it: what they say of their stage, checked, and left to the worker."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from app.maps.packed import pack
from app.maps.served import Served
from app.maps.state import read_list, read_mapping, read_number, read_state
from squint.errors import InputError
from squint.pl import Panel, frames_of

LARGEST = 4_096  # pixels, a side of the picture


@dataclass(frozen=True)
class Box:
    """A panel on the stage, in its pixels."""

    left: int
    top: int
    width: int
    height: int

    @property
    def aspect(self) -> float:
        """Height over width."""
        return self.height / self.width


def leave_stage(folder: Path, served: Served, state: object) -> None:
    """Leave a map where the worker can draw its stage, as :mod:`app.tasks.picture` does.

    Parameters
    ----------
    folder
        An empty folder.
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
        If no browser can have said this; nothing is left then.
    """
    given = read_mapping(state, "state")
    view, stack = served.view, served.stack
    seen = read_state(given, view, stack.stretch if stack else None)
    width, height, ratio = _size(given)
    boxes = _boxes(given, (width, height), ratio, 1 if stack else len(view.panels))
    pack(
        folder,
        view.panels,
        view.scale,
        seen,
        stack.heights if stack and seen.orbit else (),
        size=[width, height],
        boxes=[asdict(box) for box in boxes],
        diameters=_diameters(given, view.panels),
        style=asdict(served.style),
    )


def _size(given: Mapping[str, object]) -> tuple[int, int, float]:
    """Give width and height of the stage in pixels, and how many are a CSS pixel."""
    width = read_number(given.get("width"), "width of the stage", 1, LARGEST)
    height = read_number(given.get("height"), "height of the stage", 1, LARGEST)
    ratio = read_number(given.get("ratio", 1), "ratio of pixels", 0.1, 10)
    ratio = min(ratio, LARGEST / max(width, height))
    return max(1, round(width * ratio)), max(1, round(height * ratio)), ratio


def _boxes(given: Mapping[str, object], stage: tuple[int, int], ratio: float, n: int) -> list[Box]:
    listed = read_list(given.get("boxes"), "list of boxes", n)
    if len(listed) != n:
        raise InputError(f"The map has {n} panels, but {len(listed)} boxes were told. Reload the page.")
    boxes = []
    for box in listed:
        sides = read_mapping(box, "box")
        left, top, width, height = (
            read_number(sides.get(name), f"{name} of a box", 0, LARGEST)
            for name in ("left", "top", "width", "height")
        )
        first = round(left * ratio), round(top * ratio)
        last = min(round((left + width) * ratio), stage[0]), min(round((top + height) * ratio), stage[1])
        if not all(low < high for low, high in zip(first, last, strict=True)):
            raise InputError("A panel of the map lies outside its stage. Reload the page and try again.")
        boxes.append(Box(*first, last[0] - first[0], last[1] - first[1]))
    return boxes


def _diameters(given: Mapping[str, object], panels: Sequence[Panel]) -> list[float | None]:
    """Give the diameters of cells that are known; no cell is larger than the map."""
    listed = read_list(given.get("diameters"), "list of diameters", len(panels))
    known = [read_number(diameter, "diameter of cells", 1e-6) for diameter in listed]
    most = (max(frame.width, frame.height) for frame in frames_of(panels))
    return [*map(min, known, most), *[None] * (len(panels) - len(known))]
