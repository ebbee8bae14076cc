"""Areas as they are drawn and typed."""

import numpy as np
import pandas as pd
import pytest

from app.areas import marking
from app.components.in_painting.marking import _rounded
from squint.errors import InputError
from squint.geometry.outlines import LaboriousError
from squint.geometry.regions import Cells, Fraction, Polygon, Rectangle, Shape


@pytest.mark.parametrize("middle", [0.0, 1e3, 1.2e7, 9e8])
@pytest.mark.parametrize("kind", ["rectangle", "box", "lasso"])
def test_an_area_keeps_its_size_wherever_it_lies(middle: float, kind: str) -> None:
    """Of six digits at 1.2e7 um none was left for 40 um."""
    low, high = middle - 20, middle + 20
    corners = [[low, low], [high, low], [high, high], [low, high]]
    regions: list[Shape]
    if kind == "rectangle":
        regions = [marking.rectangle("S", (high, low), (low, high))]
    else:
        regions = marking.drawn({"polygon": corners, "box": kind == "box"}, "S")
    (outline,) = marking.outlines(regions)
    assert marking.area(outline - middle) == pytest.approx(1_600, rel=1e-3)
    cells = middle + np.array([[0.0, 0.0], [19.0, -19.0], [21.0, 0.0], [0.0, -21.0]])
    inside = marking.inside(regions, pd.Index(list("abcd")), cells)
    assert inside.tolist() == [True, True, False, False]


def test_what_is_drawn_is_written_without_digits_that_nobody_meant() -> None:
    assert marking.rectangle("S", (0.1 + 0.2, 1 / 3), (0, 1)) == Rectangle("S", 0.3, 0.333333333333, 0, 1)


@pytest.mark.parametrize("middle", [0.0, 1e3, 1.2e7])
def test_the_rectangle_that_is_proposed_has_a_size_wherever_the_section_lies(middle: float) -> None:
    assert _rounded(middle + 20.123456, 40.0) - _rounded(middle - 20.123456, 40.0) == pytest.approx(
        40.2469, abs=0.1
    )
    assert _rounded(middle, 0.0) == middle


CORNERS = ((0.0, 0.0), (9.0, 0.0), (0.0, 9.0))


@pytest.mark.parametrize(
    "regions",
    [
        [Polygon("S", CORNERS)] * 1_001,
        [Polygon("S", CORNERS * 7_000)],
        [Cells("S", ("a",) * 500_001)],
    ],
    ids=["areas", "corners", "cells"],
)
def test_more_than_a_page_can_hold_is_not_marked(regions: list[Shape]) -> None:
    with pytest.raises(InputError, match="more than 1,000 areas, 20,000 corners or 500,000 cells by name"):
        marking.check(regions)
    marking.check([Polygon("S", CORNERS)] * 1_000)


def test_only_what_is_quick_is_counted_at_once() -> None:
    places = np.random.default_rng(0).uniform(0, 9, (30_000, 2))
    names = pd.Index([f"c{i}" for i in range(len(places))])
    quick = [Polygon("S", CORNERS), Rectangle("S", 0, 5, 0, 5)]
    assert marking.count_quickly(quick, names, places) == marking.inside(quick, names, places).sum()
    zigzag = tuple((i * 9 / 900, 9.0 * (i % 2)) for i in range(900))
    slow: list[list[Shape]] = [
        quick * 20,
        [Polygon("S", zigzag * 2)],
        [Polygon("S", zigzag)],
        [Cells("S", ("c1",))],
        [Fraction("S", 0.5)],
    ]
    for regions in slow:
        with pytest.raises(LaboriousError):
            marking.count_quickly(regions, names, places)
    assert marking.count_quickly(slow[3], names[:100], places[:100]) == 1


def test_an_area_of_more_corners_than_a_hand_draws_is_none() -> None:
    assert marking.drawn({"polygon": [[i, i * i % 7] for i in range(10_001)]}, "S") == []
