"""A page that is open while its results are deleted computes them again."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from squint.library.retention import prune
from squint.library.store import Library

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("page", ["risk_map", "co_occurrence"])
def test_a_page_does_without_results_that_were_deleted(
    visit: Callable[..., AppTest], loaded: Library, page: str
) -> None:
    app = visit(page)
    assert not app.exception
    there = {path.name for path in loaded.results.iterdir()}
    assert there
    assert {one.name for one in prune(loaded, 0)} == there
    assert list(loaded.results.iterdir()) == []
    app.run()
    assert not app.exception
    assert not app.error
    assert {path.name for path in loaded.results.iterdir()} == there
