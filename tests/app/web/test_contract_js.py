"""The types that the scripts are checked against: those of Python, and no others."""

from pathlib import Path

import pytest

from app.web.assets import DROP_ASSETS, MAP_ASSETS
from app.web.contract_js import CONTRACTS, typescript


@pytest.mark.parametrize(("module", "written"), CONTRACTS.items(), ids=lambda path: path.parent.name)
def test_the_scripts_are_checked_against_the_types_of_python(module: Path, written: Path) -> None:
    told = "Run `python -m app.web.contract_js` and commit what it writes."
    assert written.read_text() == typescript(module.read_text()), told


def test_a_contract_says_the_same_in_typescript() -> None:
    written = typescript('''
"""About a house."""

from typing import Literal, NotRequired, TypedDict

Place = tuple[float, float]  # x and y


class Door(TypedDict):
    """A way
    in."""

    state: Literal["open", "shut"]  # "ajar" is open
    at: Place  # metres


class House(Door, total=False):
    """Where somebody lives."""

    doors: list[Door | None]  # none is bricked up
    around: "list[list[Place]]"  # the fence


class Street(TypedDict):
    """Houses."""

    name: NotRequired[str | None]  # if it has one
    long: bool  # over a mile
    houses: list[House]  # in order
''')
    _, types = written.split("\n\n", 1)
    assert (
        types
        == """/** x and y */
export type Place = [number, number];

/** A way in. */
export interface Door {
  /** "ajar" is open */
  state: "open" | "shut";
  /** metres */
  at: Place;
}

/** Where somebody lives. */
export interface House extends Door {
  /** none is bricked up */
  doors?: (Door | null)[];
  /** the fence */
  around?: Place[][];
}

/** Houses. */
export interface Street {
  /** if it has one */
  name?: string | null;
  /** over a mile */
  long: boolean;
  /** in order */
  houses: House[];
}
"""
    )


@pytest.mark.parametrize(
    ("field", "problem"),
    [
        ("a: int", "does not say in a comment"),
        ("a: Any  # anything", "no word for the type Any"),
        ("a: dict[str, int]  # counts", "no word for the type dict"),
    ],
)
def test_what_cannot_be_said_is_refused(field: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        typescript(f'class A(TypedDict):\n    """A."""\n\n    {field}\n')


def test_types_are_not_sent_to_browsers() -> None:
    for assets in (MAP_ASSETS, DROP_ASSETS):
        assert (assets.folder / "contract.d.ts").exists()
        assert not [name for name in assets.files if name.endswith(".ts")]
