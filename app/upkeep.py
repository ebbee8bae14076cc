"""What the server does by itself, whether somebody visits or not: it sweeps the library."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.concurrency import run_in_threadpool

from app.settings import settings
from squint.errors import InputError
from squint.library.store import Library

EVERY_S = 600.0
_log = logging.getLogger(__name__)


@asynccontextmanager
async def upkeep(_app: object) -> AsyncGenerator[None]:
    """Sweep the library when the server starts, and then from time to time, until it ends."""
    sweeping = asyncio.create_task(_sweep_for_ever())
    yield
    sweeping.cancel()


async def _sweep_for_ever() -> None:
    while True:
        await run_in_threadpool(_sweep)
        await asyncio.sleep(EVERY_S)


def _sweep() -> None:
    try:
        Library(settings().home).sweep()
    except (InputError, OSError) as error:  # every page says so too
        _log.warning("The library could not be swept: %s", error)
