"""The page of jobs: what runs, what waits, how the others ended."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from squint.library.database import database
from squint.library.jobs import Jobs
from squint.library.store import Library
from tests.helpers.app import words

Open = Callable[..., AppTest]
NOWHERE = "nowhere"  # a lane that no worker is in: such jobs wait


@pytest.fixture
def jobs(library: Library) -> Jobs:
    """Give the jobs of the library that pages show."""
    return Jobs(database(library.home))


def ask(jobs: Jobs, about: str, n: int = 0, asker: str = "another") -> int:
    """Ask for a job that nobody does."""
    return jobs.submit("t", {"n": n}, module="m", lane=NOWHERE, asker=asker, about=about).id


def begin(jobs: Jobs, about: str, n: int = 0) -> int:
    """Begin a job, as an engine would."""
    job_id = ask(jobs, about, n)
    assert jobs.take(job_id, "an engine", "a worker")
    return job_id


def test_what_runs_and_what_waits_is_shown_with_its_stage_and_place(visit: Open, jobs: Jobs) -> None:
    app = visit("jobs")
    assert "Nothing is being worked on" in words(app)
    running = begin(jobs, "Training a model", 1)
    jobs.progress(running, 1, 0.4, "epoch 2 of 5")
    ask(jobs, "Tokenising S-1", 2)
    ask(jobs, "Tokenising *S-2*", 3)
    app.run()
    assert not app.exception
    (bar,) = app.get("progress")
    assert bar.value == 40
    assert "Training a model**: epoch 2 of 5" in bar.text
    said = words(app)
    assert "Tokenising S-1** waits, 1 ahead of it" in said
    assert "Tokenising *S-2*** waits, 2 ahead of it" in said
    assert "Nothing is being worked on" not in said


def test_cancel_stops_a_job_for_all_who_asked_for_it(visit: Open, jobs: Jobs) -> None:
    app = visit("jobs")
    waiting = ask(jobs, "Waiting", 1)
    ask(jobs, "Waiting", 1, asker="somebody else")
    running = begin(jobs, "Running", 2)
    app.run().button(f"job-{waiting}-cancel").click().run()
    assert jobs.get(waiting).state == "cancelled"
    app.button(f"job-{running}-cancel").click().run()
    assert jobs.get(running).cancel
    assert app.button(f"job-{running}-cancel").disabled
    assert "stopping" in app.get("progress")[0].text


def test_a_failed_job_says_why_and_can_be_asked_for_again(visit: Open, jobs: Jobs) -> None:
    app = visit("jobs")
    failed = begin(jobs, "Reading the file", 1)
    jobs.fail(failed, 1, "The file is damaged.")
    done = begin(jobs, "Drawing", 2)
    jobs.finish(done, 1, "here")
    app.run()
    assert not app.exception
    assert "Reading the file** failed. The file is damaged." in words(app)
    (shown,) = (frame.value for frame in app.dataframe)
    assert list(shown["what"]) == ["Drawing", "Reading the file"]
    assert list(shown["state"]) == ["done", "failed"]
    assert list(shown["why"]) == ["", "The file is damaged."]
    app.button(f"job-{failed}-again").click().run()
    assert not app.exception
    assert [job.about for job in jobs.open()] == ["Reading the file"]


def test_a_failed_job_whose_question_is_forgotten_is_not_offered_again(visit: Open, jobs: Jobs) -> None:
    app = visit("jobs")
    asked = {"path": "Jane_Doe.h5ad"}
    job = jobs.submit("t", asked, module="m", lane=NOWHERE, asker="a", about="Reading", private=True)
    assert jobs.take(job.id, "an engine", "a worker")
    jobs.fail(job.id, 1, "Too large.")
    app.run()
    assert "Reading** failed. Too large." in words(app)
    assert not [button for button in app.button if button.label == "Again"]


def test_a_job_that_was_done_since_is_no_longer_told_of_as_failed(visit: Open, jobs: Jobs) -> None:
    app = visit("jobs")
    failed = begin(jobs, "Reading", 1)
    jobs.fail(failed, 1, "Too large.")
    assert "failed. Too large" in words(app.run())
    again = jobs.again(failed, "me").id
    assert jobs.take(again, "an engine", "a worker")
    jobs.finish(again, 1, None)
    assert "failed. Too large" not in words(app.run())
