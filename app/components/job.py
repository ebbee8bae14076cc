"""A job on the page: what it is doing, how far it is, and a way to stop it."""

import hashlib
import json
import time
from collections.abc import Callable

import streamlit as st

from app import session
from app.engine.client import Cancelled, Job, ask
from app.text import sentence
from squint.errors import InputError
from squint.library.results import Answer, Computation, Result, Task, find
from squint.library.store import Library


def run(
    task: Task[Answer],
    library: Library,
    what: str,
    *,
    limit_s: float = 3600,
    beside: Callable[[], None] | None = None,
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

    Returns
    -------
    Its answer; ``None`` if it failed or was cancelled, which the page has then said.
    """
    asked = json.dumps([task.name, str(library.home), task.args], sort_keys=True)
    key = "job-" + hashlib.sha256(asked.encode()).hexdigest()[:16]
    jobs = session.jobs()
    try:
        if key not in jobs:
            jobs[key] = ask(task, library, limit_s=limit_s, asker=session.asker(), about=what)
        _show(jobs[key], what, f"{key}-cancel", beside)
        answer: Answer = jobs[key].result()
    except Cancelled:
        st.info(f"{what}: cancelled. Nothing of it was kept.")
    except (InputError, RuntimeError) as error:
        st.error(f"{what} did not work. {sentence(str(error))}")
    else:
        del jobs[key]
        return answer
    st.button("Try again", on_click=_forget, args=(key,), key=f"{key}-again")
    return None


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
