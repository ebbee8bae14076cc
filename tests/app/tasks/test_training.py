"""Training in the worker: taken up where it was, kept whole, and tokens asked for."""

from pathlib import Path

import pytest
from anndata import AnnData

from app.models import trained_on
from app.requests import EstimateTraining, LearnToInpaint, PackModel, TrainModel
from app.tasks import training
from app.tasks.packing import pack
from squint.errors import InputError
from squint.library import ingest, trainings
from squint.library.jobs import Jobs
from squint.library.models import known
from squint.library.preferred_model import preferred
from squint.library.store import Library, Section


class Ended(Exception):  # noqa: N818 - as a worker's process does
    """The worker is gone."""


class Reports:
    """Hears what a task says, and ends it at some words."""

    def __init__(self, end_at: str = "nothing") -> None:
        self.said: list[str] = []
        self._end_at = end_at

    def __call__(self, fraction: float, words: str) -> None:
        """Hear how far a task is."""
        assert 0 <= fraction <= 1
        self.said.append(words)
        if words.startswith(self._end_at):
            raise Ended

    @property
    def epochs(self) -> list[str]:
        """The epochs that were run."""
        return [words.partition(":")[0] for words in self.said if words.startswith("epoch")]


def test_a_training_that_was_ended_is_taken_up_and_its_model_kept_once(
    library: Library, added: Section
) -> None:
    asked = TrainModel((added.id,), 4, "Own tissue")
    place = trainings.place(library, asked.args)
    with pytest.raises(Ended):
        training.train(library, asked, Reports("epoch 28 of 30"))
    assert [row["epoch"] for row in trainings.history(place)] == list(range(1, 29))
    assert not list(library.models.iterdir())
    second = Reports()
    folder = training.train(library, asked, second)
    assert second.epochs == ["epoch 29 of 30", "epoch 30 of 30"]
    assert second.said[-2].endswith(" of 4 codes used")
    (model,) = known(library, [])
    assert (str(model.folder), model.name) == (folder, "Own tissue")
    assert model.card is not None
    assert not model.card.in_paints
    assert model.card.metrics["codes_used"] >= 1
    assert not place.exists()
    assert preferred(library) == model.sha256
    (tokens,) = Jobs(library.database).open()
    assert (tokens.task, tokens.args) == ("tokenise", {"ids": [added.id], "model": model.sha256})


def test_a_model_learns_to_in_paint_when_it_is_asked(library: Library, toy: AnnData) -> None:
    labels = ingest.Labels({str(name): str(name) for name in toy.obs["patient_id"].unique()}, {})
    added = [ingest.add(library, part, labels)[0].id for part in ingest.clean(toy.copy(), labels)]
    training.train(library, TrainModel(tuple(added), 4, "Own tissue"), Reports())
    (model,) = known(library, [])
    assert model.card is not None
    ids = trained_on(library, model.card)
    assert set(ids) == set(added)
    folder = training.teach(library, LearnToInpaint(model.sha256, ids, "Own tissue, in-paints"), Reports())
    learned = next(one for one in known(library, []) if str(one.folder) == folder)
    assert learned.name == "Own tissue, in-paints"
    assert learned.card is not None
    assert learned.card.in_paints
    assert learned.card.sections == model.card.sections
    assert len(known(library, [])) == 2
    library.delete(added[0])
    assert trained_on(library, model.card) == ()


def test_sections_of_one_name_are_refused_before_anything_is_learned(
    library: Library, added: Section
) -> None:
    with pytest.raises(InputError, match="Two of the sections are called"):
        training.train(library, TrainModel((added.id, added.id), 4, "m"), Reports())
    assert not (library.home / trainings.FOLDER).exists()


def test_the_time_is_measured_for_the_sections_asked_for(library: Library, added: Section) -> None:
    found = training.estimate_here(library, EstimateTraining((added.id,), 4), Reports())
    assert found["seconds"] > 0
    assert f"taken to {added.n_cells:,} cells and 30 epochs" in found["basis"]


def test_a_damaged_model_is_not_packed(library: Library, added: Section) -> None:
    folder = Path(training.train(library, TrainModel((added.id,), 4, "m"), Reports()))
    whole = Path(pack(library, PackModel(str(folder)), Reports()))
    assert whole.stat().st_size > 1_000
    library.unstage(whole)
    (folder / "weights.safetensors").write_bytes(b"other")
    with pytest.raises(InputError):
        pack(library, PackModel(str(folder)), Reports())
    assert not list(library.staging.iterdir())
