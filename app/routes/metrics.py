"""What the server counts, for whoever watches it: ``GET /metrics``, as OpenMetrics 1.0.0.

Off until ``SQUINT_METRICS_TOKEN`` (or a file, ``SQUINT_METRICS_TOKEN_FILE``) names the token of who may ask,
or ``SQUINT_METRICS=loopback`` lets programs of this machine ask: directly, not through a proxy.
"""

import hmac
import ipaddress
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from app.engine import facts
from app.settings import metrics_here, metrics_token, settings
from app.web.measures import JOB_WAITS, JOBS_DONE, REGISTRY
from squint.errors import InputError
from squint.library import care
from squint.library.jobs import QUEUED, Jobs
from squint.library.place import all_homes

_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")
_FRESH = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


async def _metrics(request: Request) -> Response:
    if not _may_ask(request):
        return PlainTextResponse("Not Found", 404, _FRESH)
    text = await run_in_threadpool(generate_latest, _ALL)
    return Response(text, 200, {**_FRESH, "Content-Type": CONTENT_TYPE_LATEST})


def _may_ask(request: Request) -> bool:
    try:
        token, here = metrics_token(), metrics_here()
    except InputError:  # said when the server starts
        return False
    if token:
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        return kind.lower() == "bearer" and hmac.compare_digest(given.encode(), token.encode())
    if not here or request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


class _Server(Collector):
    """What is read when somebody asks: of the libraries, their jobs and the engine."""

    def __init__(self) -> None:
        self._began, self._lock = time.time(), threading.Lock()
        self._after: dict[Path, int] = {}  # jobs up to this number were noted
        self._noted: dict[Path, set[int]] = {}  # those above it that were

    def collect(self) -> Iterator[Metric]:
        """Read all of it."""
        root = settings().home
        try:
            disk = shutil.disk_usage(root)
            yield _one("squint_disk_free_bytes", "Room on the disk of the library.", disk.free)
            yield _one("squint_disk_bytes", "Size of the disk of the library.", disk.total)
            found = list(self._of_libraries(root))
        except (InputError, OSError):
            yield _one("squint_library_up", "Whether all libraries answer.", 0)
            return
        yield _one("squint_library_up", "Whether all libraries answer.", 1)
        yield from found
        if (age := facts.age(root)) is not None:
            yield _one("squint_engine_silent_seconds", "Since the last sign of life of the engine.", age)
        workers = GaugeMetricFamily("squint_workers", "Workers of the engine.", labels=["lane"])
        for lane, n in facts.workers().items():
            workers.add_metric([lane], n)
        yield workers

    def _of_libraries(self, root: Path) -> Iterator[Metric]:
        n, kept, counts, waits = 0, 0, dict[tuple[str, str], int](), dict[str, float]()
        with self._lock:
            for home in all_homes(root):
                try:
                    n_bytes, own_counts, own_waits = self._of_library(home)
                except (InputError, OSError):
                    if home != root and not home.exists():  # removed just now
                        continue
                    raise
                n, kept = n + 1, kept + n_bytes
                for what, of_it in own_counts.items():
                    counts[what] = counts.get(what, 0) + of_it
                for lane, wait in own_waits.items():
                    waits[lane] = max(waits.get(lane, 0.0), wait)
        yield _one("squint_libraries", "Libraries: the first, and those of projects.", n)
        yield _one("squint_kept_bytes", "Bytes of all files that libraries keep.", kept)
        jobs = GaugeMetricFamily(
            "squint_jobs", "Jobs that are known; of those that ended, the last.", labels=["lane", "state"]
        )
        for (lane, state), n in sorted(counts.items()):
            jobs.add_metric([lane, state], n)
        oldest = GaugeMetricFamily(
            "squint_job_longest_wait_seconds", "Of the jobs that wait, by lane.", labels=["lane"]
        )
        for lane, wait in sorted(waits.items()):
            oldest.add_metric([lane], wait)
        yield from (jobs, oldest)

    def _of_library(self, home: Path) -> tuple[int, dict[tuple[str, str], int], dict[str, float]]:
        """Give the bytes that one keeps, its jobs by lane and state, and how long others wait, by lane."""
        library = care.opened(home)
        jobs = Jobs(library.database)
        return library.used_bytes(), jobs.count(), self._note_jobs(home, jobs)

    def _note_jobs(self, home: Path, jobs: Jobs) -> dict[str, float]:
        """Note the jobs that ended since this was read last; return how long others wait, by lane."""
        waits: dict[str, float] = {}
        after, noted = self._after.get(home, 0), self._noted.setdefault(home, set())
        first_open = None
        for job in jobs.times(after=after):
            if job.ended is None:
                first_open = first_open or job.id
                if job.state == QUEUED:
                    waits[job.lane] = max(waits.get(job.lane, 0.0), time.time() - job.added)
            elif job.id not in noted:
                noted.add(job.id)
                if job.ended >= self._began:
                    began = job.started or job.ended
                    JOB_WAITS.labels(job.lane).observe(max(began - job.added, 0.0))
                    JOBS_DONE.labels(job.lane, job.state).observe(max(job.ended - began, 0.0))
            after = job.id
        self._after[home] = after if first_open is None else first_open - 1
        noted.difference_update([one for one in noted if one <= self._after[home]])
        return waits


def _one(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(name, words, value=value)


class _All(Collector):
    """What is read when somebody asks, which counts jobs too, and then what was counted."""

    def __init__(self) -> None:
        self._server = _Server()

    def collect(self) -> Iterator[Metric]:
        """Read all of it."""
        read = list(self._server.collect())
        yield from REGISTRY.collect()
        yield from read


_ALL = _All()
METRICS_ROUTES = [Route("/metrics", _metrics)]
