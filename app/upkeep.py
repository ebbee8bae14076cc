"""What the server does by itself, visited or not: it sweeps its libraries, lets go, and has an engine."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.concurrency import run_in_threadpool

from app.engine.supervisor import supervised
from app.leaving import let_go
from app.settings import settings
from squint.library import care

EVERY_S = 600.0


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
    """Sweep all libraries when the server starts, and then from time to time."""
    await run_in_threadpool(_begin)
    while True:
        await run_in_threadpool(_sweep)
        await asyncio.sleep(EVERY_S)


def _begin() -> None:
    care.begin(settings().home)


def _sweep() -> None:
    care.sweep(settings().home)
