"""Recipes of anybody's making: read as they are, or refused in one plain line."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squint.errors import InputError
from squint.report.reading import read_recipe, write_recipe
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
    model=ModelRecord("model", C, A, 50, 300),
    activation=Activation("P-1", "P-2"),
    comparison=Comparison("cell_set", ("drawn",), ()),
    gene_sets=(GeneSet("marked", ("LDHA",)),),
    cell_sets=(CellSetRecord("drawn", "by hand", B),),
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
        (("schema",), 2, "schema 2"),
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
