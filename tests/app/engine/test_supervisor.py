"""The dashboard and its engine: started together, and what becomes of jobs when either is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.engine import facts, supervisor
from app.engine.client import AWAY, ask
from app.requests import ImportSamples, Tokenise, TrainModel
from app.settings import settings
from squint.engine import locks
from squint.library import trainings
from squint.library.database import database
from squint.library.jobs import DONE, Jobs
from squint.library.models import known
from squint.library.records import TokenRun
from squint.library.store import Library
from squint.library.verify import verify
from squint.model.card import weights_sha256
from tests.helpers.app import wait_for
from tests.helpers.dashboard import end_engine, free_port, serve, started
from tests.helpers.engine import Engine, Worker, copied, read_engine
from tests.helpers.paths import ROOT

pytestmark = pytest.mark.slow


def tokens_of(library: Library) -> dict[str, bytes]:
    paths = library.sections_folder.glob("*/tokens/*.parquet")
    return {str(path.relative_to(library.home)): path.read_bytes() for path in paths}


def engine_of(home: Path) -> int:
    return int(locks.read(home / locks.ENGINE).split()[0])


def test_an_engine_outlives_the_dashboard_and_the_dashboard_an_engine(loaded: Library) -> None:
    library, home = loaded, loaded.home
    expected = tokens_of(library)
    ids = tuple(section.id for section in library.sections())
    assert len(expected) == len(ids) == 4
    with started(home):
        assert facts.wait_ready(120) is not None
        number = engine_of(home)
        for path in library.sections_folder.glob("*/tokens/*"):
            path.unlink()
        job = ask(Tokenise(ids, weights_sha256(settings().model)), library)
        wait_for(lambda: tokens_of(library))
        os.kill(number, signal.SIGKILL)  # in the middle of a section, or between two
        assert sorted(job.result(120)) == sorted(ids)
        assert tokens_of(library) == expected
        assert engine_of(home) != number


def test_tokens_are_the_same_though_their_worker_was_killed(loaded: Library, worker: Worker) -> None:
    expected = tokens_of(loaded)
    ids = tuple(section.id for section in loaded.sections())
    for path in loaded.sections_folder.glob("*/tokens/*"):
        path.unlink()
    job = worker.ask(Tokenise(ids, worker.model), loaded)
    wait_for(lambda: tokens_of(loaded))
    os.kill(worker.pid(), signal.SIGKILL)  # in the middle of a section, or between two
    assert sorted(job.result(180)) == sorted(ids)
    assert Jobs(database(loaded.home)).get(job.id).tries == 2
    assert tokens_of(loaded) == expected
    assert verify(loaded).problems == ()
    with loaded.database.reading() as session:
        assert sorted(session.scalars(sa.select(TokenRun.section_id))) == sorted(ids)


def test_a_training_whose_worker_was_killed_goes_on_and_gives_the_same_model(
    loaded: Library, filled: Path, worker: Worker, tmp_path: Path
) -> None:
    other = Library(copied(filled, tmp_path / "other"))
    ids = tuple(sorted(section.id for section in loaded.sections()))
    asked = TrainModel(ids, 5, "My tissue")
    worker.ask(asked, other).result(300)
    job, place = worker.ask(asked, loaded), trainings.place(loaded, asked.args)
    wait_for(lambda: len(trainings.history(place)) > 3)
    os.kill(worker.pid(), signal.SIGKILL)  # in the middle of an epoch, or between two
    killed_at = len(trainings.history(place))
    reached = set()
    while not job.done:
        if Jobs(database(loaded.home)).get(job.id).tries == 2:
            reached.add(max((row["epoch"] for row in trainings.history(place)), default=killed_at))
        time.sleep(0.01)
    job.result()
    assert Jobs(database(loaded.home)).get(job.id).tries == 2
    assert min(reached) >= killed_at  # it did not begin anew
    (model,), (whole,) = ([one for one in known(of, []) if not one.problem] for of in (loaded, other))
    assert (model.name, model.sha256) == (whole.name, whole.sha256)
    assert not place.exists()
    assert verify(loaded).problems == ()


def test_an_engine_that_is_not_heard_of_is_away_until_another_one_is(home: Path) -> None:
    engine = Engine(home)
    job = engine.ask("count", steps=100)
    engine.pid_of(job)
    assert not facts.is_away(home)
    engine.kill()
    wait_for(lambda: facts.is_away(home))
    assert job.progress.words == AWAY
    engine.start()
    wait_for(lambda: not facts.is_away(home))
    assert job.result(60) == "finished"
    engine.close()


def test_a_job_survives_the_dashboard_that_asked_for_it(loaded: Library, tmp_path: Path) -> None:
    home = loaded.home
    command = [sys.executable, "-m", "streamlit", "run", "app/main.py", "--server.port=0"]
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        assert facts.wait_ready(120) is not None
        ids = tuple(section.id for section in loaded.sections())
        job = ask(Tokenise(ids, weights_sha256(settings().model)), loaded, asker="a browser")
        wait_for(lambda: job.progress.words != "waiting for its turn")
        server.send_signal(signal.SIGKILL)
        server.wait()
        again = ask(Tokenise(ids, weights_sha256(settings().model)), loaded, asker="a browser")
        assert sorted(again.result(120)) == sorted(ids)
    assert read_engine(home) is not None
    assert {job.state for job in Jobs(database(home)).list("a browser")} == {DONE}
    end_engine(home)


def test_a_dashboard_of_other_settings_has_an_engine_of_its_own(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[int] = []
    for days in ("90", "90", "30"):
        monkeypatch.setenv("SQUINT_KEEP_DAYS", days)
        server = serve(home, free_port())
        wait_for(lambda: locks.is_held(home / locks.WEB) and locks.is_held(home / locks.ENGINE), 120)
        wait_for(lambda: (row := read_engine(home)) is not None and row.facts["worker"], 120)
        if days == "30":
            wait_for(lambda: engine_of(home) != found[-1])
        found.append(engine_of(home))
        server.send_signal(signal.SIGTERM)
        server.wait(60)
    assert found[0] == found[1] != found[2]
    wait_for(lambda: locks.is_held(home / locks.ENGINE))
    end_engine(home)


@pytest.mark.usefixtures("home")
def test_an_engine_that_ends_as_soon_as_it_starts_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_LOOK_S", 0.1)
    monkeypatch.setattr(sys, "executable", "false")
    with supervisor.supervised():
        wait_for(supervisor.problem)
    assert "does not start" in supervisor.problem()
    supervisor._problems.clear()


def test_control_c_ends_the_dashboard_and_its_engine(loaded: Library, tmp_path: Path) -> None:
    home = loaded.home
    command = [sys.executable, "-m", "streamlit", "run", "app/main.py", "--server.port=0"]
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
        assert facts.wait_ready(120) is not None
        os.killpg(server.pid, signal.SIGINT)  # as a terminal does
        assert server.wait(60) is not None
        wait_for(lambda: not locks.is_held(home / locks.ENGINE), 60)
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_the_samples_are_imported_as_soon_as_the_engine_is_there(home: Path, filled: Path) -> None:
    del filled
    library = Library(home)
    job = ask(ImportSamples(str(home / "none")), library)
    time.sleep(0.2)
    assert job.progress.words == "waiting for its turn"
    with started(home):
        assert job.result(120) == []
    assert library.samples_imported()
