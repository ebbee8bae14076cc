"""Threads that wait for work soon sleep: for the library, the command and the dashboard's worker alike.

torch shares its work among threads of GNU's OpenMP. Those that have done their share spin until the others
have, and until there is more. Alone on a machine that costs no CPU time, and spares the waking. Beside other
busy programs the spinning threads hold the cores that the working ones wait for: a small training on two
cores took 7.9 CPU seconds instead of 5.3 beside one other process on each, and 15.4 instead of 7.0 beside
four (``tests/benchmarks/test_threads.py``). With a thousand turns before they sleep, it costs about the same
anywhere.

OpenMP reads this when it is loaded, which is when torch is imported. So it is said here, in the first module
that ``import squint`` runs. Where torch was imported before, it is too late for this process, and only
another start changes that: :func:`warn_if_spinning` says so where it costs.
"""

import os
import sys
import warnings

_NAME = "GOMP_SPINCOUNT"
_TURNS = "1000"

TOO_LATE = _NAME not in os.environ and "torch" in sys.modules and sys.platform == "linux"
os.environ.setdefault(_NAME, _TURNS)


def warn_if_spinning() -> None:
    """Warn before long work, if waiting threads spin and other programs want the cores."""
    if TOO_LATE and os.getloadavg()[0] > (os.cpu_count() or 1):
        warnings.warn(
            "torch was imported before squint, so its threads spin while they wait, on a busy machine: "
            f"several times the CPU time. Import squint first, or start Python with {_NAME}={_TURNS}.",
            RuntimeWarning,
            stacklevel=3,
        )
