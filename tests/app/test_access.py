"""Whoever may only look at a library changes nothing in it, whatever page or function they come by."""

import ast
import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from app.cell_sets.store import CellSets
from app.engine.client import ask, jobs_of
from app.requests import Keep, MakeTiles, Tokenise, TrainModel
from squint.io.content import Answers
from squint.library.access import Access, NotAllowedError
from squint.library.images import Images
from squint.library.people import ANALYST, VIEWER
from squint.library.store import Library
from tests.helpers.paths import ROOT

FREE = {"sweep", "take"}  # what whoever runs the server put there, or does by itself
PAGES_CHANGE_BY = (
    *("squint.library.store", "squint.library.gene_sets", "squint.library.token_naming"),
    *("squint.library.images", "squint.library.labelings", "squint.library.relabeling"),
    *("squint.library.models", "squint.library.preferred_model", "squint.library.patient_facts"),
    *("squint.library.answers", "app.cell_sets.store"),
)
WRITES = ("writing", "once", "freeing", "commit", "step", "clear", "discard", "_commit", "_put", "stage")


class Looks(Access):
    """The right to look."""

    def require(self, role: str, what: str = "change") -> None:  # noqa: ARG002 - as its kin
        """Refuse what is more than to look."""
        if role != VIEWER:
            raise NotAllowedError(role)


def _functions(name: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Give the public functions of a module, and the public methods of its public classes."""
    path = ROOT / (name.replace(".", "/") + ".py")
    for node in ast.parse(path.read_text()).body:
        inside = node.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_") else [node]
        for one in inside:
            if isinstance(one, ast.FunctionDef) and not one.name.startswith("_"):
                yield one.name, one


def _is_changing(function: ast.FunctionDef) -> bool:
    return any(isinstance(one, ast.Name) and one.id == "changing" for one in function.decorator_list)


def _writes(function: ast.FunctionDef) -> bool:
    called = [node.func for node in ast.walk(function) if isinstance(node, ast.Call)]
    names = {one.attr if isinstance(one, ast.Attribute) else getattr(one, "id", "") for one in called}
    return bool(names & set(WRITES))


@pytest.mark.parametrize("module", PAGES_CHANGE_BY)
def test_what_pages_change_by_is_refused_to_who_may_only_look(module: str) -> None:
    functions = dict(_functions(module))
    unguarded = {name for name, one in functions.items() if _writes(one) and not _is_changing(one)}
    assert not unguarded - FREE
    assert any(map(_is_changing, functions.values()))


def test_every_function_that_is_guarded_refuses_before_it_does_anything(tmp_path: Path) -> None:
    library = Library(tmp_path / "home").for_access(Looks())
    holders: dict[str, Any] = {"Library": library, "Images": Images(library), "CellSets": CellSets(library)}
    holders["Folders"] = library
    n_refused = 0
    for name in (*PAGES_CHANGE_BY, "squint.library.folders"):
        module = import_module(name)
        for _, owner in [("", module), *inspect.getmembers(module, inspect.isclass)]:
            if owner is not module and owner.__module__ != name:
                continue
            for _, function in inspect.getmembers(owner, inspect.isfunction):
                if function.__module__ == name and function.__code__.co_name == "guarded":
                    holder = holders.get(getattr(owner, "__name__", ""), library)
                    with pytest.raises(NotAllowedError):
                        function(holder)
                    n_refused += 1
    assert n_refused > 35


def test_the_same_library_is_found_in_memory_whoever_looks(tmp_path: Path) -> None:
    library, other = Library(tmp_path / "home"), Library(tmp_path / "other")
    assert library.for_access(Looks()) == library
    assert hash(library.for_access(Looks())) == hash(library)
    assert library != other
    library.access.require(ANALYST)


def test_whoever_may_only_look_asks_for_nothing_that_changes(tmp_path: Path) -> None:
    library = Library(tmp_path / "home").for_access(Looks())
    asked = [Tokenise(("a",), "ff"), TrainModel(("a",), 5, "x"), Keep("f", Answers(), {}, {})]
    for task in asked:
        with pytest.raises(NotAllowedError):
            ask(task, library)
    ask(MakeTiles("ab"), library)
    assert [job.task for job in jobs_of(library).list()] == ["make_tiles"]
