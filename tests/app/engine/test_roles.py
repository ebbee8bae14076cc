"""Who may ask for what."""

from app import requests
from app.engine.roles import ROLES, role_for
from squint.library.people import ANALYST, VIEWER
from squint.library.results import Computation

NO_TASKS = {"FoundPicture"}  # what is part of another


def _tasks() -> dict[str, type]:
    names = [name for name in dir(requests) if name[0].isupper() and name not in NO_TASKS]
    return {kind.name: kind for kind in (getattr(requests, name) for name in names)}


def test_of_every_request_it_is_said_who_may_ask_it() -> None:
    assert set(_tasks()) == set(ROLES)


def test_whoever_may_only_look_may_compute_and_export_and_nothing_else() -> None:
    computed = {name for name, kind in _tasks().items() if issubclass(kind, Computation)}
    assert {role_for(name) for name in computed} == {VIEWER}
    for name in ("keep", "validate", "tokenise", "train_model", "name_cells", "add_model", "take_area"):
        assert role_for(name) == ANALYST


def test_a_task_that_nobody_classed_needs_more_than_the_right_to_look() -> None:
    assert role_for("one_that_was_added_yesterday") == ANALYST
