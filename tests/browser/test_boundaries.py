"""Cells by their boundaries in a real browser: seen and picked where they were outlined, and nowhere else."""

import json
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from squint.chrome import find_chrome
from squint.io.content import Answers
from squint.library import adding
from squint.library.ingest import Labels
from squint.library.store import Library
from squint.pp import QualityFilter
from tests.helpers.dashboard import MAP, PATIENCE, started
from tests.helpers.letters import HEAD, at_rest, opened, seen
from tests.helpers.xenium_folder import Run, write_run, write_transcripts

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chrome() is None, reason="chromium is not installed"),
]
ORANGE = (230, 159, 0)
LOW = 5  # transcripts of low quality


class Known(NamedTuple):
    """What is served."""

    address: str
    run: Run
    dots: np.ndarray  # places of transcripts of CD3E


def corners_of_an_l(x: float, y: float) -> np.ndarray:
    """Give an L whose arms are 4 um wide and 40 long, with as many corners as the others have."""
    along = [(0, 40 - 5 * k) for k in range(1, 7)]
    ring = [(0, 0), (40, 0), (40, 4), (4, 4), (4, 40), (0, 40), *along, (0, 0)]
    return np.array(ring, float) + np.array([x, y])


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Known]:
    """Serve a run of Xenium whose first cell is an L, far from the others, with transcripts."""
    folder = tmp_path_factory.mktemp("xenium")
    run = Run(30)
    run.rings[0] = corners_of_an_l(105, 20)
    run.positions[0] = [119, 34]  # the centre lies outside of the L
    run.positions[1] = [175, 60]  # at the edge of the window
    path = write_run(folder / "run", run)
    rng = np.random.default_rng(3)
    dots = rng.uniform([152, 22], [168, 50], (40, 2))  # where no cell is
    genes = ["CD3E"] * len(dots) + ["CD3E"] * LOW + ["ACTB"] * 3 + ["NegControlProbe_00001"] * 7
    qv = np.r_[np.full(len(dots), 33.0), np.full(LOW, 12.0), np.full(10, 40.0)]
    places = np.r_[dots, rng.uniform(0, 20, (len(genes) - len(dots), 2))]
    write_transcripts(path, "transcripts.parquet", genes, places, qv)
    library = Library(folder / "library")
    library.note_samples()
    settled = adding.read(path, Answers())
    labels = Labels({"": "P-1"}, {})
    adding.keep(library, path, settled, labels, Answers(), QualityFilter(), lambda *_: None)
    with started(library.home) as address:
        yield Known(address, run, dots)


@pytest.fixture
def page(browser: Browser, known: Known) -> Iterator[Page]:
    with opened(browser, known.address) as page:
        expect(page.locator(f"{MAP}[data-polygons='30']")).to_be_visible(timeout=PATIENCE)
        at_rest(page)
        yield page


class Screen:
    """Where places of the tissue are on the stage, by what the map told the server."""

    def __init__(self, page: Page) -> None:
        page.wait_for_timeout(500)
        told = page.locator(".stage").get_attribute("data-told")
        assert told is not None
        (self.window,) = json.loads(told)["panels"]
        page.locator(".stage").scroll_into_view_if_needed()
        box = page.locator(".stage").bounding_box()
        assert box is not None
        self.left, self.top, self.wide = box["x"], box["y"], box["width"]

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Give the place on the stage, from its corner."""
        scale = self.wide / self.window["width"]
        tall = self.wide * self.window["aspect"]
        return (
            self.wide / 2 + scale * (x - self.window["x"]),
            HEAD + tall / 2 + scale * (y - self.window["y"]),
        )


def point_at(page: Page, screen: Screen, x: float, y: float) -> None:
    page.mouse.move(screen.left + 2, screen.top + 2)
    expect(page.locator(".card")).to_be_hidden(timeout=PATIENCE)
    at = screen.at(x, y)
    page.mouse.move(screen.left + at[0], screen.top + at[1])


def assert_picked(page: Page, screen: Screen, x: float, y: float, name: str) -> None:
    point_at(page, screen, x, y)
    card = page.locator(".card")
    try:
        expect(card).to_contain_text(name, timeout=PATIENCE)
    except AssertionError as error:
        now = vars(Screen(page))
        error.add_note(f"The card says {card.inner_text()!r}; measured {vars(screen)}, now {now}")
        raise


def assert_none(page: Page, screen: Screen, x: float, y: float) -> None:
    """Point at what is no cell: the server, which is asked for a card within 0.1 s, is not asked."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/cell/" in request.url else None)
    point_at(page, screen, x, y)
    page.wait_for_timeout(1_200)
    expect(page.locator(".card")).to_be_hidden()
    assert not asked


def test_an_l_is_seen_and_picked_within_its_border_alone(page: Page, known: Known) -> None:
    screen, pixels = Screen(page), seen(page)
    ground = pixels[2, 2]

    def differs(x: float, y: float) -> bool:
        column, row = screen.at(x, y)
        return bool(np.abs(pixels[round(row), round(column)] - ground).sum() > 60)

    name = known.run.ids[0]
    for x, y in ((107, 22), (142, 22), (107, 57), (125, 22)):
        assert differs(x, y), (x, y)
        assert_picked(page, screen, x, y, name)
    for x, y in ((119, 34), (140, 55), (115, 30)):  # its centre, and what lies between its arms
        assert not differs(x, y), (x, y)
        assert_none(page, screen, x, y)


def test_every_cell_is_picked_where_it_lies(page: Page, known: Known) -> None:
    screen = Screen(page)
    for i in (8, 15, 22):
        x, y = known.run.positions[i]
        assert_picked(page, screen, x + 3, y - 3, known.run.ids[i])
        assert_none(page, screen, x + 4.6, y + 4.6)  # between cells


def test_a_cell_beneath_a_pointer_at_rest_is_told_of_again_once_the_map_has_changed(
    page: Page, known: Known
) -> None:
    screen, card = Screen(page), page.locator(".card")
    x, y = known.run.positions[15]
    assert_picked(page, screen, x + 3, y - 3, known.run.ids[15])
    page.mouse.wheel(0, -100)  # nearer, about the pointer
    expect(card).to_be_hidden()
    expect(card).to_contain_text(known.run.ids[15], timeout=PATIENCE)
    expect(card).to_be_visible(timeout=PATIENCE)


def test_a_turned_and_mirrored_section_is_picked_as_it_is_seen(page: Page, known: Known) -> None:
    page.locator(".stage").focus()
    page.keyboard.press("f")
    page.wait_for_timeout(600)
    at_rest(page)
    screen = Screen(page)
    assert screen.window["flipped"]
    mirrored = 2 * screen.window["x"]
    assert_picked(page, screen, mirrored - 142, 22, known.run.ids[0])
    assert_none(page, screen, mirrored - 119, 34)


def test_cells_are_points_where_boundaries_are_switched_off(page: Page, known: Known) -> None:
    page.get_by_label("Cell boundaries").uncheck()
    expect(page.locator(f"{MAP}[data-polygons='0']")).to_be_visible(timeout=PATIENCE)
    screen = Screen(page)
    assert_picked(page, screen, 119, 34, known.run.ids[0])  # its centre
    page.reload()
    expect(page.locator(MAP)).to_be_visible(timeout=PATIENCE)


def test_transcripts_of_a_gene_are_points(page: Page, known: Known) -> None:
    def orange() -> int:
        return int((np.abs(seen(page) - ORANGE).sum(axis=2) < 12).sum())

    before = orange()
    page.get_by_label("Transcripts of genes (at most 8)").click()
    page.keyboard.type("CD3E")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(page.get_by_text(f"{len(known.dots)} transcripts of 1 gene")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text(f"{LOW} of quality below Q20 left out")).to_be_visible()
    expect(page.get_by_text("7 of controls")).to_be_visible()
    at_rest(page)
    assert orange() > before + 5 * len(known.dots)
    screen, pixels = Screen(page), seen(page)
    for x, y in known.dots:
        column, row = screen.at(x, y)
        part = pixels[round(row) - 2 : round(row) + 3, round(column) - 2 : round(column) + 3]
        assert np.abs(part - ORANGE).sum(axis=2).min() < 12
    page.get_by_role("switch", name="Show CD3E").click()
    page.wait_for_timeout(500)
    assert orange() <= before + 200  # the chip of the legend lies beside the stage
