"""Trainings under way: what is noted of them, and that nothing stays of one that nobody goes on with."""

from pathlib import Path

import pytest

from squint.library import trainings
from squint.library.jobs import Jobs
from squint.library.store import Library

ARGS = {"ids": ["a"], "n_codes": 5, "model_name": "m"}


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "home")


def ask(library: Library) -> int:
    return Jobs(library.database).submit("train_model", ARGS, module="m", lane="model", asker="ann").id


def test_an_epoch_that_is_learned_again_takes_the_place_of_those_that_followed(library: Library) -> None:
    place = trainings.place(library, ARGS)
    assert trainings.history(place) == []
    for number, loss in ((1, 3.0), (2, 2.0), (3, 1.0), (2, 2.5)):
        trainings.note(place, {"epoch": number, "loss": loss})
    assert trainings.history(place) == [{"epoch": 1, "loss": 3.0}, {"epoch": 2, "loss": 2.5}]
    (place / "history.json").write_text("{")
    assert trainings.history(place) == []


def test_others_that_are_asked_for_lie_elsewhere(library: Library) -> None:
    assert trainings.place(library, ARGS) == trainings.place(library, dict(reversed(ARGS.items())))
    assert trainings.place(library, ARGS) != trainings.place(library, {**ARGS, "n_codes": 6})


def test_one_that_waits_or_failed_just_now_stays_and_others_go(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, jobs = trainings.place(library, ARGS), Jobs(library.database)
    trainings.note(place, {"epoch": 1})
    trainings.note(trainings.place(library, {}), {"epoch": 1})
    job = ask(library)
    trainings.sweep(library)
    assert list((library.home / trainings.FOLDER).iterdir()) == [place]
    assert jobs.take(job, "an engine", "a worker")
    jobs.fail(job, 1, "The disk is full.")
    library.sweep()
    assert trainings.history(place)
    monkeypatch.setattr(trainings, "KEEP_S", -1.0)
    library.sweep()
    assert not place.exists()


def test_one_that_is_cancelled_goes(library: Library) -> None:
    place, jobs = trainings.place(library, ARGS), Jobs(library.database)
    trainings.note(place, {"epoch": 1})
    jobs.cancel(ask(library), "ann")
    trainings.sweep(library)
    assert not place.exists()
