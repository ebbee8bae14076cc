"""What the page on hostile input says is shown by tests that exist."""

import ast
import re
from functools import cache

import pytest

from tests.helpers.paths import ROOT

PAGE = (ROOT / "docs" / "method" / "withstands.md").read_text()
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| what")]


@cache
def defined_in(path: str) -> set[str]:
    """Name the tests of a file."""
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_test_that_is_named_exists() -> None:
    missing = [f"{path}::{name}" for path, name in NAMED if name not in defined_in(path)]
    assert not missing
    assert len(NAMED) > 100


@pytest.mark.parametrize("row", ROWS)
def test_every_row_names_a_test_or_says_why_not(row: str) -> None:
    what, happens, shown = (part.strip() for part in row.strip("|").split("|"))
    assert what
    assert happens
    assert re.fullmatch(r"`tests/[\w/]+\.py::test_\w+`(<br>`tests/[\w/]+\.py::test_\w+`)*", shown)
