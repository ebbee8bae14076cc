"""Coroutines run to their end, also where a loop runs already, as Playwright's does beside all tests."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Answer = TypeVar("Answer")


def finish(work: Coroutine[Any, Any, Answer]) -> Answer:
    """Run a coroutine on a loop of its own, in a thread of its own; return what it gives."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()
