"""How long a page takes to come to rest in a browser, and what it waits for."""

import time
from collections.abc import Callable
from typing import NamedTuple

import sqlalchemy as sa
from playwright.sync_api import Page

from squint.library.database import database
from squint.library.records import JobRow
from squint.library.store import Library

_QUIET_MS = 300  # a page that was at rest for so long stays so
_REST = """async ([quiet, patience]) => {
    const shadows = (root) => [root, ...[...root.querySelectorAll('*')]
        .filter((one) => one.shadowRoot).flatMap((one) => shadows(one.shadowRoot))];
    const busy = () => {
        const app = document.querySelector("[data-testid='stApp']");
        if (app?.dataset.testScriptState !== 'notRunning') return 'script';
        const working = "[data-testid='stProgress'], [data-testid='stSpinner'], [data-stale='true']";
        if (document.querySelector(working)) return 'work';
        for (const root of shadows(document)) {
            if (root.querySelector(".stage:not([data-state='drawn'])")) return 'drawing';
        }
        for (const chart of document.querySelectorAll('.stPlotlyChart'))
            if (!chart.querySelector('.main-svg')) return 'drawing';
        return '';
    };
    const began = performance.now(), spent = {script: 0, work: 0, drawing: 0};
    let last = began, before = began;
    for (;;) {
        await new Promise((done) => setTimeout(done, 10));
        const now = performance.now(), why = busy();
        if (why) { spent[why] += now - before; last = now; }
        before = now;
        const since = window.lastAct || began;
        if (now - last > quiet) return {...spent, all: Math.max(0, last - since), rest: true};
        if (now - began > patience) return {...spent, all: now - since, rest: false};
    }
}"""
_WATCH = """() => {
    if (window.lastAct !== undefined) return;
    window.lastAct = 0;
    for (const kind of ['pointerdown', 'keydown'])
        document.addEventListener(kind, () => { window.lastAct = performance.now(); }, true);
}"""
_TRANSFER = """(since) => performance.getEntriesByType('resource').filter((one) => one.startTime >= since)
    .reduce((all, one) => [all[0] + one.transferSize, all[1] + one.duration], [0, 0])"""


class Wait(NamedTuple):
    """Seconds until a page came to rest, and what they went into; some of it at the same time."""

    all: float
    script: float  # while the page's script ran
    followed: float  # while the page showed how far some work was
    drawing: float  # while cells or charts were on their way, or were drawn, and nothing else
    queue: float  # of jobs that began meanwhile
    work: float  # likewise
    n_jobs: int
    kilobytes: float  # fetched beside the socket
    at_rest: bool

    def __str__(self) -> str:
        """Say it in one line of a table."""
        jobs = f"{self.queue:.1f} + {self.work:.1f} ({self.n_jobs})" if self.n_jobs else "-"
        parts = (
            f"{self.script:.1f} | {self.followed:.1f} | {jobs} | {self.drawing:.1f} | {self.kilobytes:,.0f}"
        )
        return f"{self.all:.1f}{'' if self.at_rest else ' and not at rest'} | {parts}"


def wait_after(page: Page, library: Library, act: Callable[[], object], patience_s: float = 180) -> Wait:
    """Do something, and give how long it took until the page was at rest, from the last click or key."""
    page.evaluate(_WATCH)
    since, now = page.evaluate("performance.now()"), time.time()
    act()
    told = page.evaluate(_REST, [_QUIET_MS, patience_s * 1000])
    n_bytes, _ = page.evaluate(_TRANSFER, since)
    with database(library.home).reading() as session:
        jobs = session.execute(
            sa.select(JobRow.added, JobRow.started, JobRow.ended).where(JobRow.added >= now - 0.05)
        ).all()
    done = [(added, started, ended) for added, started, ended in jobs if started and ended]
    return Wait(
        told["all"] / 1e3,
        told["script"] / 1e3,
        told["work"] / 1e3,
        told["drawing"] / 1e3,
        sum(started - added for added, started, _ in done),
        sum(ended - started for _, started, ended in done),
        len(done),
        n_bytes / 1e3,
        told["rest"],
    )
