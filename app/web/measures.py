"""What this server counts and times, for ``GET /metrics``; and the middleware that sees every request.

Labels are few and fixed: templates of routes, titles of our pages, lanes and states. None is an id, a name or
anything that a browser sent.
"""

import logging
import sys
import time
import uuid

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector
from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from squint import logs
from squint._version import __version__

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_CLOSED = "/_stcore/metrics"  # Streamlit's own, which it gives to anybody
_SECONDS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60)
_LONG = (0.1, 0.5, 1, 2, 5, 15, 60, 300, 900, 3600)

logger = logging.getLogger("squint")

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
Info("squint_build", "Version of squint.", registry=REGISTRY).info({"version": __version__})
_REQUESTS = Histogram(
    "squint_request_seconds",
    "Requests, and how long their answers took to the last byte.",
    ["method", "route", "status"],
    registry=REGISTRY,
    buckets=_SECONDS,
)
_PAGES = Histogram(
    "squint_page_run_seconds",
    "Runs of pages, whole ones; stopped: by itself, or to begin anew.",
    ["page", "outcome"],
    registry=REGISTRY,
    buckets=_SECONDS,
)
SOCKETS = Gauge("squint_sockets", "Browsers that are connected.", registry=REGISTRY)
SESSIONS = Gauge("squint_sessions", "Sessions, and those whose browser left.", ["state"], registry=REGISTRY)
UPLOADED = Counter("squint_uploaded_bytes", "Bytes of files that browsers sent.", registry=REGISTRY)
JOB_WAITS = Histogram(
    "squint_job_wait_seconds",
    "How long jobs that have ended had waited before they began.",
    ["lane"],
    registry=REGISTRY,
    buckets=_LONG,
)
JOBS_DONE = Histogram(
    "squint_job_seconds",
    "How long jobs that have ended took.",
    ["lane", "state"],
    registry=REGISTRY,
    buckets=_LONG,
)


def note_run(page: str, began: float) -> None:
    """Note that a page ran since ``began`` (:func:`time.perf_counter`), while it ends, however it does."""
    error = sys.exc_info()[1]
    by_itself = error is not None and type(error).__module__.startswith("streamlit.")
    outcome = "done" if error is None else "stopped" if by_itself else "failed"
    seconds = time.perf_counter() - began
    _PAGES.labels(page, outcome).observe(seconds)
    logs.say(logger, "page", page=page, outcome=outcome, seconds=round(seconds, 4))


class Measure:
    """Middleware that times requests, gives each a name for the log, and closes Streamlit's own metrics."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "websocket":
            with SOCKETS.track_inprogress(), logs.about(request=uuid.uuid4().hex[:16]):
                await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._measure(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _measure(self, scope: Scope, receive: Receive, send: Send) -> None:
        name, status, began = uuid.uuid4().hex[:16], 500, time.perf_counter()

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = name
            await send(message)

        closed = scope["path"].rstrip("/").endswith(_CLOSED)
        app = PlainTextResponse("Not Found", 404) if closed else self._app
        with logs.about(request=name):
            try:
                await app(scope, receive, note)
            finally:
                seconds = time.perf_counter() - began
                method = scope["method"] if scope["method"] in _METHODS else "other"
                route = getattr(scope.get("route"), "path", "") or "other"
                _REQUESTS.labels(method, route, str(status)).observe(seconds)
                logs.say(
                    logger, "request", method=method, route=route, status=status, seconds=round(seconds, 4)
                )
