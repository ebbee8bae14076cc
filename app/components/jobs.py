"""Jobs of the library: those that run or wait, as they go on, and how the others ended."""

import json
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

import pandas as pd
import streamlit as st

from app import session, who
from app.engine.client import jobs_of
from app.engine.roles import role_for
from app.text import as_text, sentence, without_folders
from squint.errors import InputError
from squint.library.jobs import CANCELLED, DONE, FAILED, RUNNING, Jobs, JobState
from squint.library.store import Library

_LISTED = 200  # jobs that have ended; the last of them
_TOLD = 5  # failed ones of which more is said than a row of the table
_EVERY_S, _SELDOM_S = 1.0, 5.0  # between two looks while there are jobs, and while there are none
_IN_WORDS = {DONE: "done", FAILED: "failed", CANCELLED: "cancelled"}


def show_open(library: Library) -> bool:
    """Show the jobs that run and those that wait, as they go on; say whether there are any."""
    jobs = jobs_of(library)
    there, last = {job.id for job in _own(jobs.open())}, _last(jobs)

    @who.fragment(run_every=_EVERY_S if there else _SELDOM_S)
    def going_on() -> None:
        found = jobs.open()
        if {job.id for job in _own(found)} != there or _last(jobs) != last:
            st.rerun()  # one was asked for, or has ended and is listed below
        ahead: Counter[str] = Counter()
        own = {job.id for job in _own(found)}
        for job in found:
            if job.id in own:
                _show_job(jobs, job, ahead[job.lane])
            ahead[job.lane] += 1

    going_on()
    return bool(there)


def _own(jobs: Sequence[JobState]) -> list[JobState]:
    """List those of some jobs that this page shows: where people sign in, what they asked for themselves."""
    asker = session.asker()
    return [job for job in jobs if not who.person().id or asker in job.askers]


def _last(jobs: Jobs) -> list[int]:
    asker = session.asker() if who.person().id else None
    return [job.id for job in jobs.list(asker, n=1)]


def _show_job(jobs: Jobs, job: JobState, n_ahead: int) -> None:
    with st.container(border=True):
        what, action = st.columns([5, 1], vertical_alignment="center")
        if job.state == RUNNING:
            words = "stopping" if job.cancel else job.words
            text = f"**{as_text(title(job))}**: {sentence(words)} · {_took(job.started, time.time())}"
            what.progress(min(max(job.fraction, 0.0), 1.0), text)
        else:
            waits = f"waits, {n_ahead} ahead of it" if n_ahead else "is next"
            said = f" ({sentence(job.words)})" if job.words else ""
            what.markdown(
                f"**{as_text(title(job))}** {waits}{said} · asked for {_took(job.added, time.time())} ago"
            )
        action.button(
            "Cancel",
            key=f"job-{job.id}-cancel",
            icon=":material/close:",
            disabled=job.cancel,
            on_click=_cancel,
            args=(jobs, job),
            width="stretch",
        )


def show_ended(library: Library) -> None:
    """List the jobs that ended, the last one first, why some failed, and let those be asked for again."""
    jobs = jobs_of(library)
    asker = session.asker() if who.person().id else None
    ended = [job for job in jobs.list(asker, n=_LISTED) if not job.is_open]
    if not ended:
        return
    st.header("Ended")
    failed = [job for job in ended if job.state == FAILED]
    for job in _not_done_since(failed, ended)[:_TOLD]:
        with st.container(border=True):
            what, action = st.columns([5, 1], vertical_alignment="center")
            what.markdown(f":material/error: **{as_text(title(job))}** failed. {sentence(job.problem)}")
            if not job.private and session.may_change():  # what such a one was asked is forgotten
                action.button(
                    "Again",
                    key=f"job-{job.id}-again",
                    icon=":material/replay:",
                    on_click=_again,
                    args=(jobs, job),
                    width="stretch",
                )
    st.dataframe(
        table(ended),
        hide_index=True,
        column_config={
            "number": st.column_config.NumberColumn("Job", width="small"),
            "what": st.column_config.TextColumn("What", width="large"),
            "state": st.column_config.TextColumn("Ended", width="small"),
            "asked": st.column_config.DatetimeColumn("Asked for, UTC", format="YYYY-MM-DD HH:mm:ss"),
            "waited": st.column_config.NumberColumn("Waited, s", format="%.1f"),
            "took": st.column_config.NumberColumn("Took, s", format="%.1f"),
            "why": st.column_config.TextColumn("Why", width="large"),
        },
    )
    st.caption(f"n = {len(ended):,} jobs, the last one first.")


def table(jobs: Sequence[JobState]) -> pd.DataFrame:
    """Give a row for each of some jobs that have ended."""
    return pd.DataFrame(
        {
            "number": [job.id for job in jobs],
            "what": [title(job) for job in jobs],
            "state": [_IN_WORDS.get(job.state, job.state) for job in jobs],
            "asked": [datetime.fromtimestamp(job.added, UTC).replace(tzinfo=None) for job in jobs],
            "waited": [_between(job.added, job.started) for job in jobs],
            "took": [_between(job.started, job.ended) for job in jobs],
            "why": [without_folders(job.problem) for job in jobs],
        }
    )


def title(job: JobState) -> str:
    """Say what a job does, in the user's words."""
    return job.about or job.task.replace("_", " ").capitalize()


def _not_done_since(failed: Sequence[JobState], ended: Sequence[JobState]) -> list[JobState]:
    """List the failed jobs of which the same was not done, or failed, once more."""
    last: dict[tuple[str, str], int] = {}
    for job in ended:
        what = _what(job)
        last[what] = max(last.get(what, 0), job.id)
    return [job for job in failed if last[_what(job)] == job.id]


def _what(job: JobState) -> tuple[str, str]:
    """Name what a job was asked; where that is forgotten, the job itself."""
    return job.task, str(job.id) if job.private else json.dumps(job.args, sort_keys=True)


def _cancel(jobs: Jobs, job: JobState) -> None:
    """Stop a job, for all who asked for it; where people sign in, for who uses this session."""
    try:
        for asker in [session.asker()] if who.person().id else job.askers:
            jobs.cancel(job.id, asker)
    except InputError as error:
        st.toast(sentence(str(error)), icon=":material/error:")


def _again(jobs: Jobs, job: JobState) -> None:
    try:
        session.library().access.require(role_for(job.task), job.task)
        jobs.again(job.id, session.asker())
    except InputError as error:
        st.toast(sentence(str(error)), icon=":material/error:")


def _between(start: float | None, end: float | None) -> float:
    """Give the seconds between two times; clocks may have jumped."""
    return float("nan") if start is None or end is None else max(0.0, end - start)


def _took(start: float | None, end: float) -> str:
    seconds = int(_between(start, end)) if start is not None else 0
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
