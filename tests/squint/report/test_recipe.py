"""Recipes of anybody's making: read as they are, or refused in one plain line."""

import copy
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from squint.errors import InputError
from squint.report.packed import _values, read_given
from squint.report.pieces import read_outline, write_outline
from squint.report.reading import MOST_BYTES, read_recipe, write_recipe
from squint.report.recipe import (
    SCHEMA,
    Activation,
    CellSetRecord,
    Comparison,
    GeneSet,
    ModelRecord,
    Recipe,
    SectionRecord,
    Types,
)

A, B, C = ("a" * 64, "b" * 64, "c" * 64)
RECIPE = Recipe(
    schema=SCHEMA,
    squint="0.1.0",
    made="2026-01-01 00:00:00 UTC",
    title="Two sections",
    parts=("types", "tokens", "activation", "comparison", "cells"),
    sections=(
        SectionRecord("P-1 S-1", "S-1", "P-1", A, B, C, 0, {"unit": "um"}, {"min_counts": 10.0}, "um"),
        SectionRecord("S-2", "S-2", "P-2", B, C, "", types=Types("labeling", "by hand", A), shown=False),
    ),
    model=ModelRecord("model", C, A, 50, 300, trained_on="one slide", limits=("One slide alone.",)),
    activation=Activation("P-1", "P-2"),
    comparison=Comparison("cell_set", ("drawn",), ()),
    gene_sets=(GeneSet("marked", ("LDHA",)),),
    cell_sets=(CellSetRecord("drawn", "by hand", B, C),),
    token_names={"7": "rim of the tumour"},
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def test_a_recipe_comes_back_as_it_was_written() -> None:
    assert read_recipe(write_recipe(RECIPE), "recipe.json") == RECIPE


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """List the places of everything in JSON."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, one in inside for place in places(one, (*at, key)))]


PLACES = [place for place in places(json.loads(write_recipe(RECIPE))) if place]


@given(st.sampled_from(PLACES), JSON, st.sampled_from(["put", "remove", "add"]))
def test_whatever_is_changed_is_read_or_refused(place: tuple[Any, ...], value: Any, how: str) -> None:
    facts = json.loads(write_recipe(RECIPE))
    inside = facts
    for key in place[:-1]:
        inside = inside[key]
    if how == "remove":
        del inside[place[-1]]
    elif how == "add" and isinstance(inside, dict):
        inside["new"] = value
    else:
        inside[place[-1]] = value
    said = ""
    try:
        read = read_recipe(json.dumps(facts).encode(), "recipe.json")
    except InputError as error:
        read, said = None, str(error)
    assert read is not None or said.startswith("recipe.json")
    assert "\n" not in said
    assert read is None or read_recipe(write_recipe(read), "again") == read


@given(st.binary(max_size=200))
def test_what_is_no_recipe_is_refused(content: bytes) -> None:
    with pytest.raises(InputError):
        read_recipe(content, "recipe.json")


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("schema",), 2, "a newer squint"),
        (("schema",), 0, "schema 0"),
        (("schema",), True, "schema"),
        (("seeds",), {}, "seeds are missing"),
        (("seeds",), None, "seeds are missing"),
        (("sections", 0, "part"), 10**20, "part of an original"),
        (("sections", 0, "original"), "../../etc/passwd", "no sha256"),
        (("sections", 1, "types", "sha256"), "/etc/passwd", "no sha256"),
        (("cell_sets", 0, "sha256"), f"../{'a' * 61}", "no sha256"),
        (("cell_sets", 0, "outline"), "A" * 64, "no sha256"),
        (("activation", "n_codes"), 10**9, "number of codes"),
        (("activation", "n_bins"), 10**12, "number of bins"),
        (("activation", "n_neighbors"), 10**15, "number of neighbours"),
        (("comparison", "pseudo_count"), 1e300, "pseudo-count"),
        (("comparison", "min_cells"), 10**18, "fewest cells"),
        (("n_token_genes",), 10**6, "genes of a token"),
        (("token_names",), {"-1": "rim"}, "tokens are numbers"),
        (("token_names",), {"7": "two\nlines"}, "name of token 7"),
        (("token_names",), {"7": "x" * 201}, "name of token 7"),
        (("model", "limits"), ["x"] * 21, "limits"),
        (("sections", 0, "part"), "0", "sections.0.part"),
        (("sections", 0, "answers"), {"secret": 1}, "secret"),
        (("sections", 0, "quality"), {"min_counts": -1.0}, "quality filter"),
        (("sections", 0, "sha256"), "abc", "no sha256"),
        (("sections", 1, "sha256"), A, "Two sections are the same"),
        (("activation", "low"), 0.9, "upper threshold"),
        (("activation", "reference"), "P-9", "P-9"),
        (("activation", "n_codes"), True, "activation.n_codes"),
        (("comparison", "by"), "weather", "comparison.by"),
        (("comparison", "group"), ["gone"], "gone"),
        (("comparison", "test"), "z-test", "comparison.test"),
        (("seeds", "tiles"), 1, "seed 0"),
        (("title",), "Jane Doe", "looks like a person"),
        (("model",), None, "need a model"),
        (("extra",), 1, "extra"),
    ],
)
def test_a_refusal_says_what_is_wrong(place: tuple[Any, ...], value: Any, said: str) -> None:
    facts = copy.deepcopy(json.loads(write_recipe(RECIPE)))
    inside = facts
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = value
    with pytest.raises(InputError) as refused:
        read_recipe(json.dumps(facts).encode(), "recipe.json")
    assert said in str(refused.value)


def test_numbers_of_endless_digits_and_none_are_refused() -> None:
    text = write_recipe(RECIPE).decode()
    for number in ("9" * 400, "1e999", "NaN", "-Infinity"):
        with pytest.raises(InputError, match=r"recipe\.json"):
            read_recipe(text.replace('"n_codes": 5', f'"n_codes": {number}').encode(), "recipe.json")


def test_a_recipe_from_before_names_and_outlines_is_read() -> None:
    facts = json.loads(write_recipe(RECIPE))
    del facts["token_names"], facts["cell_sets"][0]["outline"]
    del facts["model"]["trained_on"], facts["model"]["limits"]
    read = read_recipe(json.dumps(facts).encode(), "recipe.json")
    assert (read.token_names, read.cell_sets[0].outline) == ({}, "")


def packed(path: Path, *content: tuple[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, one in content:
            archive.writestr(name, one)
    return path


def bad_files(folder: Path) -> Iterator[Path]:
    """Write files that are no recipe, of the kinds that strangers send."""
    good = packed(folder / "good.zip", ("recipe.json", write_recipe(RECIPE)))
    for name, content in {
        "empty.json": b"",
        "empty.zip": b"",
        "picture.zip": b"\x89PNG\r\n\x1a\n" + bytes(100),
        "half.zip": good.read_bytes()[: good.stat().st_size // 2],
        "nearly.zip": good.read_bytes()[:-5],
        "mark.json": b"\xff\xfe{}",
        "deep.json": b"[" * 100_000,
        "table.json": b"a,b\n1,2\n",
    }.items():
        (folder / name).write_bytes(content)
        yield folder / name
    yield packed(folder / "another.zip", ("../recipe.json", write_recipe(RECIPE)))
    yield packed(folder / "bomb.zip", ("recipe.json", b" " * (MOST_BYTES + 1)))
    locked = bytearray(good.read_bytes())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        locked[locked.index(mark) + at] |= 1  # said to be encrypted
    (folder / "locked.zip").write_bytes(locked)
    yield folder / "locked.zip"
    flipped = bytearray(good.read_bytes())
    flipped[60] ^= 0xFF
    (folder / "flipped.zip").write_bytes(flipped)
    yield folder / "flipped.zip"
    (folder / "folder.json").mkdir()
    yield folder / "folder.json"
    yield folder / "absent.zip"


def test_files_of_strangers_are_refused_in_one_line_and_leave_nothing(tmp_path: Path) -> None:
    for path in bad_files(tmp_path):
        with pytest.raises(InputError) as refused:
            read_given(path)
        assert "\n" not in str(refused.value), path.name
        assert path.stem in str(refused.value), path.name
    assert not (tmp_path.parent / "recipe.json").exists()


def test_an_outline_comes_back_and_what_is_none_is_refused() -> None:
    ring = np.array([[0.1, 0.0], [1e9, 0.2], [3.0, 4.0]])
    hole = ring / 7
    given = {"S-1": ((ring, hole), (hole,)), "S-2": ((hole,),)}
    read = read_outline(write_outline(given), "The outline")
    assert read.keys() == given.keys()
    for name, polygons in given.items():
        for one, other in zip(polygons, read[name], strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    head = '"section","polygon","ring","x","y"\n'
    row = '"S-1","0","0","{}","0"\n'
    for rows in (
        "".join(row.format(x) for x in ("1", "2", "nan")),
        "".join(row.format(x) for x in ("1", "2", "1e300")),
        "".join(row.format(x) for x in ("1", "2", "three")),
        "".join(row.format(x) for x in ("1", "2")),
        '"S-1","0"\n',
    ):
        with pytest.raises(InputError, match="The outline"):
            read_outline((head + rows).encode(), "The outline")


@pytest.mark.parametrize(
    "content", [b"\xff", b'a,b\n"1,2\n', b'a\n"1"2\n', b"a\n" + b"x" * 200_000, b"a,b\n1\n"]
)
def test_what_is_no_table_of_a_zip_is_refused_by_name(content: bytes) -> None:
    with pytest.raises(InputError, match=r"^tables/a.csv of x.zip is no table: [^\n]+$"):
        _values(content, "tables/a.csv of x.zip")
    assert _values(b"# stamp\na,b\n1,2\n", "a") == [["a", "b"], ["1", "2"]]
