"""What the server does by itself, visited or not: it sweeps the library, lets go, and has an engine."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.concurrency import run_in_threadpool

from app.engine.client import jobs_of
from app.engine.supervisor import supervised
from app.leaving import let_go
from app.settings import settings
from squint.errors import InputError
from squint.library.staging import ABANDONED_S
from squint.library.store import Library

EVERY_S = 600.0
_log = logging.getLogger(__name__)


@asynccontextmanager
async def upkeep(_app: object) -> AsyncGenerator[None]:
    """Keep the server in order from its start to its end."""
    with supervised():
        tasks = [asyncio.create_task(work) for work in (_sweep_for_ever(), let_go())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _sweep_for_ever() -> None:
    """Sweep the library when the server starts, and then from time to time."""
    while True:
        await run_in_threadpool(_sweep)
        await asyncio.sleep(EVERY_S)


def _sweep() -> None:
    try:
        library = Library(settings().home)
        jobs_of(library).forget_private(ABANDONED_S)
        library.sweep()
    except (InputError, OSError) as error:  # every page says so too
        _log.warning("The library could not be swept: %s", error)
