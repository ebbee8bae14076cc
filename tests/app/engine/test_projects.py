"""One engine for all libraries of a server: turns, projects that come and go, and whatever dies."""

import os
import shutil
import signal
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.engine import client as engines
from app.engine import facts
from app.engine.client import Job
from app.requests import Tokenise
from app.tasks import models
from squint.engine.bell import Bell
from squint.engine.changes import Libraries
from squint.engine.lanes import LANES, MODEL, SHORT
from squint.errors import InputError
from squint.library.database import FILE, database
from squint.library.jobs import Jobs
from squint.library.place import project_home, project_of
from squint.library.removing import remove
from squint.library.store import Library
from squint.library.verify import verify
from squint.model.card import CONFIG, weights_sha256
from tests.helpers.app import wait_for
from tests.helpers.engine import Engine, Worker, copied, read_engine
from tests.helpers.paths import ROOT
from tests.helpers.postgres import postgres

ONE, OTHER = "0a" * 8, "0b" * 8  # projects

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(tmp_path_factory.mktemp("engine") / "home")
    yield engine
    engine.close()


def make(engine: Engine, project: str = "") -> Library:
    """Make the library of a new project."""
    return Library(project_home(engine.home, project or uuid.uuid4().hex[:16]))


def ask(library: Library, task: str, *, lane: str = MODEL, **args: Any) -> Job:
    """Ask for a job of a library."""
    how = {"module": "tests.helpers.slow_tasks", "lane": lane, "asker": "ann"}
    return Job(library, engines.jobs_of(library).submit(task, args, **how), "ann")


def test_jobs_of_projects_are_done_also_of_one_that_came_later(engine: Engine) -> None:
    first, second = make(engine), make(engine)
    began = time.monotonic()
    jobs = [ask(library, "add", a=1, b=n) for n, library in enumerate((engine.library, first, second))]
    assert [job.id for job in jobs[1:]] == [1, 1]  # numbers are told apart by their library
    assert [job.result(60) for job in jobs] == [1, 2, 3]
    assert time.monotonic() - began < 30
    assert read_engine(first.home) is None  # the sign of life is the server's
    assert not facts.is_away(first.home)


def test_libraries_take_turns(engine: Engine) -> None:
    """One that asked for much does not keep the next one waiting for all of it."""
    greedy, modest = make(engine), make(engine)
    holder = engine.ask("count", steps=10_000, held=uuid.uuid4().hex)
    engine.pid_of(holder)
    many = [ask(greedy, "add", a=n, b=0) for n in range(8)]
    few = [ask(modest, "add", a=n, b=0) for n in range(2)]
    holder.cancel()
    assert [job.result(60) for job in many] == list(range(8))
    assert [job.result(60) for job in few] == [0, 1]

    def started(library: Library) -> list[float]:
        return [float(job.started or 0) for job in Jobs(library.database).list()[::-1]]

    behind_greedy, behind_modest = started(greedy), started(modest)
    assert behind_greedy == sorted(behind_greedy)  # within a library the oldest first
    assert behind_modest == sorted(behind_modest)
    assert behind_modest[1] < behind_greedy[2]  # greedy, modest, greedy, modest, greedy ...


def test_tokens_of_two_projects_are_the_same_though_their_worker_was_killed(
    home: Path, filled: Path, worker: Worker
) -> None:
    Library(home)
    libraries = [Library(copied(filled, project_home(home, name))) for name in (ONE, OTHER)]

    def tokens() -> list[dict[str, bytes]]:
        found = [one.sections_folder.glob("*/tokens/*.parquet") for one in libraries]
        return [{path.name + path.parts[-3]: path.read_bytes() for path in paths} for paths in found]

    expected, ids = tokens(), tuple(section.id for section in libraries[0].sections())
    assert [len(one) for one in expected] == [4, 4]
    for one in libraries:
        for path in one.sections_folder.glob("*/tokens/*"):
            path.unlink()
    worker.serve(home)
    jobs = [engines.ask(Tokenise(ids, worker.model), one) for one in libraries]
    wait_for(lambda: any(tokens()))
    os.kill(worker.pid(), signal.SIGKILL)
    assert [sorted(job.result(180)) for job in jobs] == [sorted(ids)] * 2
    assert tokens() == expected
    tries = [Jobs(one.database).get(job.id).tries for one, job in zip(libraries, jobs, strict=True)]
    assert sorted(tries) == [1, 2]
    assert [verify(one).problems for one in libraries] == [(), ()]


def test_a_task_that_kills_workers_in_one_project_fails_while_others_finish(engine: Engine) -> None:
    bad, good = make(engine), make(engine)
    deadly = ask(bad, "die")
    others = [ask(good, "add", lane=lane, a=4, b=n) for lane in LANES for n in range(2)]
    with pytest.raises(InputError, match="ended 2 times"):
        deadly.result(120)
    assert [job.result(120) for job in others] == [4, 5] * 3
    assert ask(bad, "add", a=1, b=1).result(60) == 2


def test_the_jobs_of_a_project_that_is_removed_end_and_nobody_waits_for_them(engine: Engine) -> None:
    doomed, other = make(engine), make(engine)
    job = ask(doomed, "hang")
    pid = engine.pid_of(job)
    behind = ask(other, "add", a=2, b=2)
    remove(engine.home, project_of(doomed.home))
    assert behind.result(60) == 4
    wait_for(lambda: not Path(f"/proc/{pid}").exists())
    assert not doomed.home.exists()


def test_a_damaged_project_keeps_nobody_from_working(engine: Engine) -> None:
    bad, good = make(engine), make(engine)
    bad.database.close()
    for path in bad.home.glob(f"{FILE}*"):
        path.write_bytes(b"no database at all" * 1000)
    assert ask(good, "add", lane=SHORT, a=1, b=1).result(60) == 2
    assert engine.process.poll() is None
    shutil.rmtree(bad.home)


def test_an_engine_killed_with_jobs_in_two_libraries_has_both_done_by_the_next(tmp_path: Path) -> None:
    engine = Engine(tmp_path / "home")
    project = make(engine)
    running, waiting = engine.ask("count", steps=50), ask(project, "add", a=1, b=2)
    other = ask(project, "count", lane=SHORT, steps=50)
    pids = [engine.pid_of(running), engine.pid_of(other)]
    engine.kill()
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
    assert not any(job.done for job in (running, waiting, other))
    engine.start()
    assert [job.result(60) for job in (running, other, waiting)] == ["finished", "finished", 3]
    assert engine.jobs.get(running.id).tries == Jobs(project.database).get(other.id).tries == 2
    engine.close()


def test_jobs_of_projects_in_postgresql_are_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with postgres() as server:
        monkeypatch.setenv("SQUINT_DATABASE_URL", server.create(f"squint_{uuid.uuid4().hex}"))
        engine = Engine(tmp_path / "home")
        first, second = make(engine), make(engine)
        jobs = [ask(one, "count", steps=10 + n) for n, one in enumerate((engine.library, first, second))]
        assert [job.result(60) for job in jobs] == ["finished"] * 3
        assert [job.id for job in jobs] == [1, 1, 1]
        remove(engine.home, project_of(first.home))
        assert ask(second, "add", a=1, b=1).result(60) == 2
        engine.close()


def test_a_model_of_one_project_is_not_found_by_another_through_the_worker(tmp_path: Path) -> None:
    pretrained = ROOT / "data_samples" / "pretrained"
    first, second = (Library(project_home(tmp_path, name)) for name in (ONE, OTHER))
    from squint.library.models import add  # noqa: PLC0415 - with torch

    add(first, pretrained)
    sha256 = weights_sha256(pretrained)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "shipped", list)
        models.use(None)
        held = models.bundle_of(first, sha256)
        with pytest.raises(InputError, match="not here any more"):
            models.bundle_of(second, sha256)
        add(second, pretrained)
        own = models.bundle_of(second, sha256)
        assert own is not held  # nor what lies beside the same weights
        assert models.bundle_of(first, sha256) is held
        (path,) = first.models.glob(f"*/{CONFIG}")
        path.write_text(path.read_text().replace("0", "1"))
        assert models.bundle_of(second, sha256) is own
        with pytest.raises(InputError, match="damaged"):
            models.bundle_of(first, sha256)
    models.use(None)


def test_a_database_that_does_not_answer_is_logged_now_and_then_and_no_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    libraries = Libraries(tmp_path, "engine")
    for _ in range(20):  # as for a sign of life, which is tried all the time
        with libraries.trying(tmp_path):
            raise InputError("The database does not answer.")
    assert [record.getMessage() for record in caplog.records] == ["The database does not answer."]
    assert not libraries.answers(tmp_path)
    with libraries.trying(tmp_path):
        pass
    assert libraries.answers(tmp_path)


def test_libraries_that_rest_cost_next_to_nothing(tmp_path: Path) -> None:
    """Of 50 libraries one changes: it alone is read again. How much time that takes is a benchmark."""
    root = Library(tmp_path)
    homes = [Library(project_home(tmp_path, f"{n:016x}")).home for n in range(3)]
    libraries = Libraries(root.home, "engine")
    assert libraries.find() == set()
    libraries.look()
    assert [one.home for one in libraries] == [tmp_path, *homes]
    assert not [one for one in libraries if one.has_changed()]
    Jobs(database(homes[1])).submit("add", {}, module="m", lane=MODEL, asker="ann")
    assert [one.home for one in libraries if one.has_changed()] == [homes[1]]
    bell = Bell(root.home)
    began = time.monotonic()
    libraries.wait(bell, began + 60)  # nobody rang
    libraries.look()
    assert time.monotonic() - began < 10
    assert libraries.n_open == 1
    shutil.rmtree(homes[0])
    assert libraries.find() == {homes[0]}
    libraries.close()
    bell.close()
