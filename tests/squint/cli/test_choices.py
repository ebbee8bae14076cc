"""The choices that a file holds, as the commands take them."""

from pathlib import Path

import pytest

from squint.cli.terminal import choices
from squint.errors import InputError


def taken(path: Path, content: bytes):
    path.write_bytes(content)
    return choices(path, model={"n_codes": None}, train={"seed": 3})


def test_a_byte_order_mark_is_no_part_of_the_choices(tmp_path):
    model, train = taken(tmp_path / "c.json", b'\xef\xbb\xbf{"model": {"n_codes": 7}}')
    assert (model.n_codes, train.seed) == (7, 3)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe{", "no JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"model": {"n_codes": ' + b"9" * 400 + b"}}", "400 digits"),
        (b'{"model": {"n_codes": ' + b"9" * 5_000 + b"}}", "5,000 digits"),
        (b'{"model": {"n_codes": "7"}}', "n_codes: a whole number"),
        (b'{"model": {"n_codes": 1e30}}', "n_codes: a whole number"),
        (b'{"model": {"dropout": NaN}}', "dropout: a number"),
        (b'{"model": {"dropout": 5}}', "dropout: in"),
        (b'{"model": {"n_wings": 5}}', "n_wings"),
        (b'{"model": []}', "no choices"),
        (b'{"model": "x"}', "no choices"),
        (b"[]", "no choices"),
        (b'{"train": {"learning_rate": [1]}}', "learning_rate: a number"),
        (b'{"train": {"seed": -1}}', "seed: at least 0"),
        (b'{"train": {"n_epochs": true}}', "n_epochs: a whole number"),
    ],
)
def test_other_choices_are_refused_in_one_line(tmp_path, content, said):
    with pytest.raises(InputError, match=rf"^[^\n]*{said}[^\n]*$"):
        taken(tmp_path / "c.json", content)
