"""The map that the server draws for browsers without WebGL2: planted tissue, where and in which colours."""

import io
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from app.maps.message import Stack
from app.maps.served import MAPS, Served
from app.maps.stage import leave_stage
from app.maps.views import MapView
from app.requests import DrawStage
from app.routes.maps import ROUTES
from app.tasks.picture import draw_stage
from app.web.buffers import SIGNER
from squint.errors import InputError
from squint.library.store import Library
from squint.pl import DARK, Categories, Continuous, Panel, palette
from tests.helpers.engine import Worker

ID = "b" * 32
F = np.array([[c == "#" for c in row] for row in ("#####", "#....", "####.", "#....", "#....")])
LETTER = np.argwhere(F)[:, ::-1] * 10.0
ORANGE, BLUE, GREY = (230, 159, 0), (86, 180, 233), (0xD5, 0xD7, 0xDD)
KINDS = Categories("cell type", ("T cell", "B cell"))
BOX = {"left": 20, "top": 42, "width": 200, "height": 200}
WINDOW = {"x": 20, "y": 20, "width": 60, "aspect": 1, "rotation": 0, "flipped": False}
STATE: dict[str, Any] = {"panels": [WINDOW], "boxes": [BOX], "width": 300, "height": 260}


def letter(label: str | None = "T cell") -> Panel:
    return Panel("F", LETTER, np.array([label] * len(LETTER), dtype=object), "um")


def serve(library: Library, *panels: Panel, scale: Categories | Continuous = KINDS) -> Served:
    view = MapView("A map", (), panels, scale, pd.DataFrame(), {})
    return MAPS.serve(ID, Served(library, view, ()))


def picture(served: Served, state: object) -> bytes:
    """Draw a map as the worker does what the web process left it."""
    folder = served.library.workspace()
    leave_stage(folder, served, state)
    return Path(draw_stage(served.library, DrawStage(str(folder)), lambda *_: None)).read_bytes()


@pytest.fixture
def served(library: Library) -> Served:
    return serve(library, letter())


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(Starlette(routes=ROUTES)) as running:
        yield running


@pytest.fixture
def ask(client: TestClient, library: Library, worker: Worker) -> Callable[[Any], Any]:
    """Ask for a picture as the map does."""
    worker.serve(library.home)
    path, query = SIGNER.sign(f"/map/{ID}").split("?")

    def post(state: Any) -> Any:
        content = state if isinstance(state, bytes) else json.dumps(state).encode()
        return client.post(f"{path}/picture?{query}", content=content)

    return post


def pixels(png: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(png)) as image:
        assert image.mode == "RGBA"
        return np.asarray(image)


def of(seen: NDArray[np.uint8], colour: tuple[int, int, int]) -> NDArray[np.bool_]:
    same = (np.abs(seen[..., :3].astype(int) - colour) <= 3).all(axis=-1)
    return np.asarray(same & (seen[..., 3] == 255))


def tissue(seen: NDArray[np.uint8], box: dict[str, int] = BOX, width: float = 60) -> NDArray[np.bool_]:
    """Say at which of 5 x 5 places of the letter, seen from above, there is a cell."""
    places = ((np.arange(5) * 10 - 20 + width / 2) / width * box["width"]).astype(int)
    return of(seen, ORANGE)[np.ix_(places + box["top"], places + box["left"])]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, F),
        ({"rotation": 90}, np.rot90(F, -1)),
        ({"flipped": True}, F[:, ::-1]),
        ({"flipped": True, "rotation": 90}, np.rot90(F[:, ::-1], -1)),
    ],
)
@pytest.mark.usefixtures("served")
def test_tissue_lies_as_its_window_says(
    ask: Callable[[Any], Any], change: dict[str, Any], expected: NDArray[np.bool_]
) -> None:
    answer = ask({**STATE, "panels": [{**WINDOW, **change}]})
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["cache-control"] == "no-store"
    seen = pixels(answer.content)
    assert seen.shape == (260, 300, 4)
    np.testing.assert_array_equal(tissue(seen), expected)


def test_outside_of_panels_and_between_cells_it_is_clear_or_the_ground(served: Served) -> None:
    outside = np.ones((260, 300), dtype=bool)
    outside[42:242, 20:220] = False
    state = {**STATE, "size": 0.5}
    clear = pixels(picture(served, state))
    assert (clear[outside] == 0).all()
    assert clear[142, 200, 3] == 0
    served.style = DARK
    light = pixels(picture(served, state))
    assert (light[outside] == 0).all()
    assert light[142, 200].tolist() == [0xF4, 0xF5, 0xF7, 255]


def test_each_section_is_drawn_in_its_box(library: Library) -> None:
    served = serve(library, letter(), letter("B cell"), letter("other"), letter(None))
    corners = [(0, 0), (150, 0), (0, 150), (150, 150)]
    boxes = [{"left": left, "top": top, "width": 140, "height": 140} for left, top in corners]
    state = {"panels": [WINDOW] * 4, "boxes": boxes, "width": 300, "height": 300}
    seen = pixels(picture(served, state))
    for (left, top), colour in zip(corners, (ORANGE, BLUE, GREY), strict=False):
        part = of(seen, colour)
        assert part[top : top + 140, left : left + 140].sum() == part.sum() > 100
    hidden = pixels(picture(served, {**state, "hidden": ["T cell", "__missing__"]}))
    assert not of(hidden, ORANGE).any()
    assert of(hidden, BLUE).any()


def test_colours_are_those_of_the_scale(library: Library) -> None:
    values = np.linspace(-0.2, 1.2, len(LETTER)).astype(np.float32)
    served = serve(library, Panel("F", LETTER, values, "um"), scale=Continuous("score", 0, 1, (0.3, 0.7)))
    places = (LETTER[:, ::-1] + 10) / 60 * 200 + [42, 20]
    rows, columns = places.astype(int).T
    for ends, shown in ((None, (0, 1)), ([0.5, 1.5], (0.5, 1.5))):
        seen = pixels(picture(served, {**STATE, "range": ends}))[rows, columns]
        share = np.clip((values - shown[0]) / (shown[1] - shown[0]), 0, 1)
        expected = palette("Viridis")[(255 * share).astype(int)].astype(int)
        assert np.abs(seen[:, :3] - expected).max() <= 4
    classes = pixels(picture(served, {**STATE, "classes": True}))[rows, columns]
    assert len(np.unique(classes, axis=0)) == 3


def test_more_pixels_show_the_same(served: Served) -> None:
    twice = pixels(picture(served, {**STATE, "ratio": 2}))
    assert twice.shape == (520, 600, 4)
    np.testing.assert_array_equal(tissue(twice, {name: 2 * side for name, side in BOX.items()}), F)
    huge = pixels(picture(served, {**STATE, "width": 4_096, "ratio": 10}))
    assert max(huge.shape) == 4_096


def test_cells_are_as_large_as_the_browser_says(served: Served) -> None:
    small, large = (
        of(pixels(picture(served, {**STATE, "diameters": [size]})), ORANGE).sum() for size in (3, 6)
    )
    assert large == pytest.approx(4 * small, rel=0.35)  # without the edges, which are smoothed


def test_a_stack_is_drawn_from_where_it_is_seen(library: Library) -> None:
    served = serve(library, letter(), letter("B cell"))
    served.stack = Stack("stack", "n", [0.0, 40.0], 2.0, "um")
    above = {"orbit": {"azimuth": 0, "elevation": 90}, "width": 200, "height": 200, "scale": 200 / 60}
    state = {**STATE, "panels": None, "camera": {**above, "centre": [20, 20, 40], "last": 0}}
    np.testing.assert_array_equal(tissue(pixels(picture(served, state))), F)
    both = pixels(picture(served, {**state, "camera": {**above, "centre": [20, 20, 40]}}))
    assert of(both, BLUE).any()
    assert not of(both, ORANGE).any()
    first = pixels(picture(served, {**STATE, "panels": None}))
    assert of(first, BLUE).any()
    assert of(first, ORANGE).any()


def test_pictures_are_refused_unless_signed(served: Served, client: TestClient) -> None:
    del served
    query = SIGNER.sign("/map/" + "c" * 32).split("?")[1]
    for address in (f"/map/{ID}/picture", f"/map/{ID}/picture?{query}"):
        answer = client.post(address, json=STATE)
        assert answer.status_code == 403
        assert b"PNG" not in answer.content
    assert client.get(f"/map/{ID}/picture").status_code == 405


def test_a_map_that_is_gone_is_not_drawn(ask: Callable[[Any], Any]) -> None:
    MAPS.forget()
    assert ask(STATE).status_code == 404


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"width": None}, "width of the stage"),
        ({"width": 1e5}, "width of the stage of the map is not a number from 1 to 4096"),
        ({"height": "9"}, "height of the stage"),
        ({"height": -1}, "height of the stage"),
        ({"ratio": 0}, "ratio of pixels"),
        ({"ratio": True}, "ratio of pixels"),
        ({"boxes": None}, "1 panels, but 0 boxes"),
        ({"boxes": "x"}, "list of boxes of the map is no list"),
        ({"boxes": [BOX] * 99}, "more than 1"),
        ({"boxes": [None]}, "left of a box"),
        ({"boxes": [[1, 2]]}, "box of the map cannot be read"),
        ({"boxes": [{**BOX, "left": -1}]}, "left of a box"),
        ({"boxes": [{**BOX, "width": 0}]}, "lies outside its stage"),
        ({"boxes": [{**BOX, "top": 300}]}, "lies outside its stage"),
        ({"boxes": [{**BOX, "height": 1e300}]}, "height of a box"),
        ({"diameters": [0]}, "diameter of cells"),
        ({"diameters": ["x"]}, "diameter of cells"),
        ({"diameters": {}}, "list of diameters"),
        ({"panels": [{**WINDOW, "width": 0}]}, "width of a window"),
        ({"panels": [WINDOW] * 2}, "1 sections, but 2 windows"),
        ({"camera": {"orbit": {"elevation": 1e9}}}, "tilt of the stack"),
    ],
)
@pytest.mark.usefixtures("served")
def test_what_no_browser_can_have_said_is_refused_in_words(
    ask: Callable[[Any], Any], change: dict[str, Any], words: str
) -> None:
    answer = ask({**STATE, **change})
    assert answer.status_code == 400
    assert words in answer.text
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(("content", "status"), [(b"[1]", 400), (b"{", 400), (b"x" * 70_000, 413)])
@pytest.mark.usefixtures("served")
def test_nonsense_is_refused(ask: Callable[[Any], Any], content: bytes, status: int) -> None:
    assert ask(content).status_code == status


def test_no_number_is_no_size(served: Served) -> None:
    with pytest.raises(InputError, match="width of the stage"):
        picture(served, {**STATE, "width": float("nan")})


@pytest.mark.parametrize(
    "change",
    [
        {"size": 100},
        {"diameters": [1e9]},
        {"panels": [{**WINDOW, "width": 1e-6}]},
        {"panels": [{**WINDOW, "width": 1e9}]},
        {"width": 4_096, "height": 4_096, "boxes": [{"left": 0, "top": 0, "width": 4_096, "height": 4_096}]},
        {"boxes": [{"left": 0, "top": 0, "width": 300, "height": 1}], "size": 100},
    ],
)
def test_extreme_views_are_drawn_in_seconds(served: Served, change: dict[str, Any]) -> None:
    start = time.process_time()
    pixels(picture(served, {**STATE, **change}))
    assert time.process_time() - start < 8


def test_half_a_million_cells_are_drawn_soon(library: Library) -> None:
    rng = np.random.default_rng(0)
    labels = np.array(["T cell", "B cell", "other"], dtype=object)[rng.integers(0, 3, 500_000)]
    panel = Panel("F", rng.uniform(0, 5_000, (500_000, 2)), pd.Categorical(labels), "um")
    state = {**STATE, "panels": [{**WINDOW, "x": 2_500, "y": 2_500, "width": 5_200}], "diameters": [9]}
    served = serve(library, panel)
    picture(served, state)
    start = time.process_time()
    picture(served, state)
    assert time.process_time() - start < 3  # a quarter of a second when nothing else runs


def test_nothing_is_left_of_a_picture(served: Served, ask: Callable[[Any], Any]) -> None:
    assert ask(STATE).status_code == 200
    assert ask({**STATE, "width": None}).status_code == 400
    assert list(served.library.staging.iterdir()) == []


def test_the_web_process_draws_no_picture() -> None:
    drawing = {"matplotlib", "pypdf", "kaleido", "squint.pl._raster", "squint.pl._scene", "app.tasks"}
    code = f"import sys, app.routes.maps; print({drawing} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"
