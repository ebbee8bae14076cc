"""Garbage is collected for several runs of pages at once, and what outlives that is passed over by the next.

Streamlit would collect after each run, for which ``postScriptGC`` is off: in 50 to 250 ms with all modules
and sessions, during which the server answers nobody.
"""

import gc
import threading
import time

_RUNS, _EVERY_S = 8, 5.0  # collected for so many at the most, or as long as that after the last time

_guard = threading.Lock()
_n_runs = 0
_last = 0.0


def after_run() -> None:
    """Count a run of a page, and collect what it left if it is time."""
    global _n_runs, _last  # noqa: PLW0603 - of the process, as garbage is
    with _guard:
        _n_runs += 1
        if _n_runs < _RUNS and time.monotonic() - _last < _EVERY_S:
            return
        _n_runs, _last = 0, time.monotonic()
    gc.collect()
    gc.freeze()


def collect() -> None:
    """Collect what was taken for what stays too: sessions that have left are in it."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
