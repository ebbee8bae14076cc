"""A job on the page: what it is doing, how far it is, and a way to stop it."""

import hashlib
import json
import time
from collections.abc import Callable
from typing import Any

import streamlit as st

from app import session, who
from app.engine.client import Cancelled, Job, ask
from app.text import sentence
from squint.errors import InputError
from squint.library.results import Answer, Computation, Result, Task, find
from squint.library.store import Library

_LOOK_S = 0.5  # between two looks at a job that is followed


def run(
    task: Task[Answer],
    library: Library,
    what: str,
    *,
    limit_s: float = 3600,
    beside: Callable[[], None] | None = None,
    closed: Callable[[], object] | None = None,
) -> Answer | None:
    """Run a task while the page shows its progress.

    Parameters
    ----------
    task
        What is asked of the worker.
    library
        Where its sections are.
    what
        What it does, in the user's words.
    limit_s
        After so many seconds it is stopped.
    beside
        Draws what else is known of it, in one place of the page, whenever it says something new.
    closed
        Sees to it that the page asks no more, once the user has read that it failed or was cancelled and
        closes that. Without it the task can be tried again, and not be closed.

    Returns
    -------
    Its answer; ``None`` if it failed or was cancelled, which the page has then said.
    """
    key = _key(task, library)
    try:
        _show(_job(key, task, library, what, limit_s), what, f"{key}-cancel", beside)
    except (InputError, RuntimeError) as error:
        _say_failed(key, what, error, closed)
        return None
    answer: Answer | None = _answer(key, what, closed)
    return answer


def follow(
    task: Task[Answer],
    library: Library,
    what: str,
    *,
    limit_s: float = 3600,
    grown: Callable[[], object] = lambda: None,
    closed: Callable[[], object],
) -> Answer | None:
    """Ask for a task while the page goes on: a line says how far it is.

    Parameters
    ----------
    task, library, what, limit_s, closed
        As for `run`.
    grown
        Gives something that is another whenever there is more to be seen: then the page is drawn again.

    Returns
    -------
    Its answer, once, when there is one; ``None`` before, and if it failed or was cancelled, which the page
    has then said.
    """
    key = _key(task, library)
    try:
        job = _job(key, task, library, what, limit_s)
        done = job.done
    except (InputError, RuntimeError) as error:
        _say_failed(key, what, error, closed)
        return None
    if done:
        answer: Answer | None = _answer(key, what, closed)
        return answer
    before = grown()

    @who.fragment(run_every=_LOOK_S)
    def line() -> None:
        try:
            over, (fraction, words) = job.done or grown() != before, job.progress
        except InputError:  # of a database that is away for long, which the page says
            st.rerun()
        if over:
            st.rerun()
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            doing = sentence("stopping" if job.cancelled else words)
            st.progress(min(max(fraction, 0.0), 1.0), f"{what}: {doing} …")
            st.button("Cancel", on_click=job.cancel, key=f"{key}-cancel", disabled=job.cancelled)

    line()
    return None


def is_followed(task: Task[Any], library: Library) -> bool:
    """Say whether this session waits for a task, or for its failure to be read."""
    return _key(task, library) in session.jobs()


def _key(task: Task[Any], library: Library) -> str:
    asked = json.dumps([task.name, str(library.home), task.args], sort_keys=True)
    return "job-" + hashlib.sha256(asked.encode()).hexdigest()[:16]


def _job(key: str, task: Task[Any], library: Library, what: str, limit_s: float) -> Job:
    jobs = session.jobs()
    if key not in jobs:
        jobs[key] = ask(task, library, limit_s=limit_s, asker=session.asker(), about=what)
    return jobs[key]


def _answer(key: str, what: str, closed: Callable[[], object] | None) -> Any:
    """Give the answer of a job that has ended; ``None`` if it failed or was cancelled, which is then said."""
    jobs = session.jobs()
    try:
        answer = jobs[key].result()
    except Cancelled:
        st.info(f"{what}: cancelled. Nothing of it was kept.")
        _offer_again(key, closed)
    except (InputError, RuntimeError) as error:
        _say_failed(key, what, error, closed)
    else:
        del jobs[key]
        return answer
    return None


def _say_failed(key: str, what: str, error: Exception, closed: Callable[[], object] | None) -> None:
    st.error(f"{what} did not work. {sentence(str(error))}")
    _offer_again(key, closed)


def _offer_again(key: str, closed: Callable[[], object] | None) -> None:
    with st.container(horizontal=True):
        st.button("Try again", on_click=_forget, args=(key,), key=f"{key}-again")
        if closed is not None:
            st.button("Close", on_click=_close, args=(key, closed), key=f"{key}-close")


def _show(job: Job, what: str, key: str, beside: Callable[[], None] | None) -> None:
    """Show how far a job is, until it has ended."""
    place, more, began, said = st.empty(), st.empty(), time.monotonic(), ""
    if not job.done:
        with place.container(border=True):
            bar = st.progress(0.0, f"{what} …")
            st.button("Cancel", on_click=job.cancel, key=key, disabled=job.cancelled)
        while not job.done:
            fraction, words = job.progress
            doing = sentence("stopping" if job.cancelled else words)
            bar.progress(min(max(fraction, 0.0), 1.0), f"{what}: {doing} …")
            if beside is not None and words != said:
                said = words
                with more.container():
                    beside()
            time.sleep(0.02 if time.monotonic() - began < 1 else 0.1)
    place.empty()
    more.empty()


def compute(library: Library, asked: Computation, what: str) -> Result:
    """Find a result, or compute it while the page shows its progress; if that fails, stop the page."""
    found = try_to_compute(library, asked, what)
    if found is None:
        st.stop()
    return found


def try_to_compute(library: Library, asked: Computation, what: str) -> Result | None:
    """Find a result, or compute it; ``None`` if that fails, which the page has then said."""
    found = find(library, asked)
    if found is None:
        run(asked, library, what)
        found = find(library, asked)
    return found


def _forget(key: str) -> None:
    session.jobs().pop(key, None)


def _close(key: str, closed: Callable[[], object]) -> None:
    _forget(key)  # so that it is begun anew, should it be asked for once more
    closed()
