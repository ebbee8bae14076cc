"""The process that worker processes are forked from: it imports once what all of them need."""

import multiprocessing
from multiprocessing import forkserver

# Nothing that starts threads or takes a GPU, which no fork outlives: so no torch.
_NEEDED = ["distributed", "squint.library.ingest"]


def begin() -> None:
    """Start it, if it does not run yet; it imports beside this process, and ends with it."""
    multiprocessing.set_forkserver_preload(_NEEDED)
    forkserver.ensure_running()
