"""Areas as they are drawn and typed."""

import numpy as np
import pandas as pd
import pytest

from app.areas import marking
from app.components.in_painting.marking import _rounded
from squint.geometry.regions import Rectangle, Shape


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
