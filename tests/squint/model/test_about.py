"""What a card says of the data that a model was trained on."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squint.errors import InputError
from squint.model.about import MOST_BYTES, MOST_LETTERS, About, parse_about, read_about
from tests.helpers.bundles import ABOUT
from tests.helpers.paths import ROOT

STARTERS = sorted((ROOT / "data_samples" / "starters").glob("*.json"))
LINE = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=MOST_LETTERS)


def test_what_is_said_is_read(tmp_path: Path) -> None:
    (tmp_path / "about.json").write_text(json.dumps(ABOUT))
    about = read_about(tmp_path / "about.json")
    assert about.json == ABOUT
    assert about.attribution == "A slide; A. Author et al.; CC BY 4.0; https://example.org/slide"


def test_label_and_limits_may_be_left_out() -> None:
    about = parse_about({name: value for name, value in ABOUT.items() if name not in {"label", "limits"}})
    assert (about.label, about.limits) == ("", ())
    assert parse_about(about.json) == about


@given(line=LINE)
def test_any_line_of_text_goes_there_and_back(line: str) -> None:
    about = parse_about({**ABOUT, "authors": line, "limits": [line]})
    assert parse_about(json.loads(json.dumps(about.json))) == about
    assert about.authors == line


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"licence": ""}, "about.licence: one line of 1 to 1,000 letters"),
        ({"licence": "  "}, "about.licence: one line"),
        ({"authors": "A\nB"}, "about.authors: one line"),
        ({"authors": "A \u202e B"}, "about.authors: one line"),
        ({"authors": "x" * (MOST_LETTERS + 1)}, "about.authors: one line"),
        ({"authors": ["A"]}, "about.authors: a text, not"),
        ({"authors": None}, "about.authors: a text, not None"),
        ({"source": "example.org"}, "about.source: the address of a page"),
        ({"source": "javascript:alert(1)"}, "about.source: the address of a page"),
        ({"source": "https://example.org/`code`"}, "about.source: the address of a page"),
        ({"source": "https://example.org/ a"}, "about.source: the address of a page"),
        ({"label": "x" * 21}, "about.label: one line of 1 to 20 letters"),
        ({"label": None}, "about.label: a text, not None"),
        ({"limits": "one"}, "about.limits: a list"),
        ({"limits": ["x"] * 11}, "about.limits: a list of at most 10"),
        ({"limits": ["x", 1]}, r"about.limits\[1\]: a text, not 1"),
        ({"license": "CC BY"}, "'license' is not known"),
    ],
)
def test_what_is_no_answer_is_refused(tmp_path: Path, change: dict[str, object], said: str) -> None:
    path = tmp_path / "about.json"
    path.write_text(json.dumps({**ABOUT, **change}))
    with pytest.raises(InputError, match=said) as caught:
        read_about(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["data", "source", "authors", "licence", "trained_on", "not_trained_on"])
def test_what_is_needed_is_asked_for(name: str) -> None:
    with pytest.raises(ValueError, match=f"about: {name} is missing"):
        parse_about({key: value for key, value in ABOUT.items() if key != name})


@pytest.mark.parametrize("content", [b"[]", b"null", b"{", b"\xff", b" " * (MOST_BYTES + 1)])
def test_a_file_that_holds_something_else_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "about.json").write_bytes(content)
    with pytest.raises(InputError, match=r"about\.json"):
        read_about(tmp_path / "about.json")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_about(tmp_path / "none.json")


@pytest.mark.parametrize("path", STARTERS, ids=lambda path: path.stem)
def test_what_is_said_of_the_starters_can_be_read(path: Path) -> None:
    about = read_about(path)
    assert isinstance(about, About)
    assert about.label == "starter"
    assert about.licence.startswith("CC BY 4.0")
    assert about.source.startswith("https://www.10xgenomics.com/")
    assert any("One patient and one slide" in limit for limit in about.limits)
