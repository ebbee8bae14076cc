"""Whether the server can do its work, for whoever watches it: ``GET /health``.

200 says that all libraries can be read and written, and that the engine is there; 503 that one is not so,
with the reason in the server's log alone, as anybody may ask.
"""

import logging

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from app.engine.facts import is_away, worker_problem
from app.settings import settings
from squint.errors import InputError
from squint.library import care

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


HEALTH_ROUTES = [Route("/health", _health)]
