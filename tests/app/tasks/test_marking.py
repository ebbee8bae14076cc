"""What R.json marks, as the worker reads and counts it."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from app.requests import CountInside, ReadRegions
from app.tasks.exports import TASKS
from squint.errors import InputError
from squint.geometry.regions import Polygon, Rectangle, Shape, from_items
from squint.library.store import Library
from tests.helpers.cell_sets import SQUARE, A


def read(store: Library, path: Path, content: bytes) -> Any:
    path.write_bytes(content)
    args = {"home": str(store.home), "asked": ReadRegions(str(path), "S").args}
    return json.loads(json.dumps(TASKS["read_regions"](args, lambda *_: None)))


def written(*regions: dict[str, Any]) -> bytes:
    return json.dumps({"regions": regions}).encode()


def test_the_regions_of_the_section_are_read(store: Library, tmp_path: Path) -> None:
    corners = {"section": "S", "polygon": SQUARE}
    content = written(corners, {"section": "T", "fraction": 0.1}, {"section": "S", "cells": ["a"]})
    for mark in (b"", b"\xef\xbb\xbf"):
        found = from_items(read(store, tmp_path / "R.json", mark + content), "R.json")
        assert [type(one).__name__ for one in found] == ["Polygon", "Cells"]
        assert found[0] == Polygon("S", tuple((x, y) for x, y in SQUARE))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[" + b"{}," * 21_000_000 + b"{}]", "holds more than 500,000 values"),
        (b"x" * 64_000_001, "larger than 64 MB"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"regions": [{"section": "S", "x0": ' + b"9" * 400 + b"}]}", "whole number of 400 digits"),
        (written({"section": "T" * 10_000, "fraction": 0.5}), "marks nothing in section 'S'"),
        (written(*[{"section": "S", "polygon": SQUARE}] * 2_000), "more than 1,000 areas"),
        (written({"section": "S", "polygon": SQUARE * 6_000}), "20,000 corners"),
    ],
    ids=["64 MB of {}", "too large", "deep", "digits", "elsewhere", "areas", "corners"],
)
def test_what_a_page_cannot_hold_is_refused_soon(
    store: Library, tmp_path: Path, content: bytes, words: str
) -> None:
    start = time.process_time()
    with pytest.raises(InputError, match=words) as refused:
        read(store, tmp_path / "R.json", content)
    assert time.process_time() - start < 5
    assert len(str(refused.value)) < 500


def test_cells_inside_are_counted_once(store: Library) -> None:
    regions: tuple[Shape, ...] = (
        Polygon("A", tuple((x, y) for x, y in SQUARE)),
        Rectangle("A", 2.5, 9.5, 2.5, 9.5),
    )
    args = {"home": str(store.home), "asked": json.loads(json.dumps(CountInside(A, regions).args))}
    assert TASKS["count_inside"](args, lambda *_: None) == 16 + 49 - 1
