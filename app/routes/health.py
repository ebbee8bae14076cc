"""Whether the server can do its work, for whoever watches it: ``GET /health`` and ``GET /ready``.

``/health`` answers 200 as long as all libraries can be read and written, and the engine has not gone.
``/ready`` asks for more, before visitors are sent here: the tables are those of this version, the engine was
heard of and has a worker in each lane, and the server's model and the samples can be read. Else it is 503,
with the reason in the server's log alone, as anybody may ask.
"""

import logging
import os

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from app.engine.facts import age, is_away, worker_problem, workers
from app.settings import settings
from squint.engine.lanes import LANES
from squint.errors import InputError
from squint.library import care
from squint.library.database import HEAD, database
from squint.model.card import CARD

_FRESH = {"Cache-Control": "no-store"}
_log = logging.getLogger(__name__)


async def _health(_request: Request) -> Response:
    try:
        await run_in_threadpool(care.check, settings().home)
        problem = await run_in_threadpool(_engine_problem)
    except (InputError, OSError) as error:
        _log.warning("Not healthy: %s", error)
        return PlainTextResponse("The library cannot be used: see the server's log.", 503, _FRESH)
    if problem:
        _log.warning("Not healthy: %s", problem)
        return PlainTextResponse("No work is done: see the server's log.", 503, _FRESH)
    return PlainTextResponse("ok", headers=_FRESH)


def _engine_problem() -> str:
    if is_away(settings().home):
        return "the engine has not been heard of for some seconds"
    return worker_problem()


async def _ready(_request: Request) -> Response:
    try:
        problem = await run_in_threadpool(_why_not_ready)
    except (InputError, OSError) as error:
        problem = str(error)
    if problem:
        _log.warning("Not ready: %s", problem)
        return PlainTextResponse("Not ready: see the server's log.", 503, _FRESH)
    return PlainTextResponse("ready", headers=_FRESH)


def _why_not_ready() -> str:
    care.check(settings().home)
    now = settings()
    if (found := database(now.home).revision()) != HEAD:
        return f"the tables of the library are of revision {found}, and this squint's of {HEAD}"
    if age(now.home) is None:
        return "the engine has not been heard of yet"
    if problem := _engine_problem():
        return problem
    if missing := sorted(set(LANES) - workers().keys()):
        return f"there is no worker yet for what is in the lane {' or '.join(missing)}"
    (now.model / CARD).read_bytes()
    unread = [path.name for path in now.samples.glob("*.h5ad") if not os.access(path, os.R_OK)]
    if unread or not now.samples.is_dir():
        return f"the samples in {now.samples} cannot be read"
    return ""


HEALTH_ROUTES = [Route("/health", _health), Route("/ready", _ready)]
