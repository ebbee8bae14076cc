"""What commands share."""

import json
from pathlib import Path

import numpy as np

from squint.cli.terminal import write_json


def test_numbers_that_are_not_known_are_null_as_json_has_no_other_word(tmp_path: Path) -> None:
    facts = {"a": {"b": [1.5, float("nan")], "c": (np.float64("nan"), float("inf"))}, "d": "NaN", "e": True}
    write_json(tmp_path / "facts.json", facts)
    text = (tmp_path / "facts.json").read_text()
    told = json.loads(text, parse_constant=lambda word: f"no JSON: {word}")
    assert told == {"a": {"b": [1.5, None], "c": [None, None]}, "d": "NaN", "e": True}
