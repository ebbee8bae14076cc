"""Where a patient lies among references, in words."""

import numpy as np
import pytest

from squint.stats.placing import beside, nearest

REFERENCES = {"H": 0.4, "L": 0.02}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.1, "between L (2.0 %) and H (40.0 %)"),
        (0.5, "outside: above all references, the highest being H (40.0 %)"),
        (0.0, "outside: below all references, the lowest being L (2.0 %)"),
        (0.4, "as H (40.0 %)"),
    ],
)
def test_a_share_lies_between_references_or_outside(value: float, words: str) -> None:
    assert beside(value, REFERENCES) == words


def test_one_reference_is_named_alone() -> None:
    assert beside(0.5, {"H": 0.4}) == "outside: above H (40.0 %)"


def test_the_nearest_comes_first_and_far_from_all_is_outside() -> None:
    patients = ["N", "N", "H", "L"]
    distance = np.array([[0, 0.1, 0.2, 0.6], [0.1, 0, 0.3, 0.5], [0.2, 0.3, 0, 0.5], [0.6, 0.5, 0.5, 0]])
    words = nearest(distance, patients, "N", ["L", "H"])
    assert (
        words
        == "In the mean, sections of N lie 0.25 from H, 0.55 from L; the references lie 0.50 from each other"
    )
    far = distance.copy()
    far[:2, 2:], far[2:, :2] = 0.9, 0.9
    assert "Outside: farther from H, the nearest" in nearest(far, patients, "N", ["L", "H"])
    assert nearest(distance, patients, "N", ["H"]) == "In the mean, sections of N lie 0.25 from H"
