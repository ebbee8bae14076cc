"""How much one person may send in a day, so that none fills the disk for all."""

import threading
import time
from collections import deque
from collections.abc import Callable

from app.uploads.disk import RefusedError

DAY_S = 86_400.0
_STEP_S = 600.0  # what comes in so long counts as one


class Allowance:
    """Bytes that each person sent in the last day; a server that starts anew begins at none.

    Parameters
    ----------
    most
        Says how many bytes one may send in a day; ``None``: as many as the disk takes.
    clock
        Seconds that only grow.
    """

    def __init__(self, most: Callable[[], int | None], clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = most, clock
        self._sent: dict[str, deque[tuple[float, int]]] = {}
        self._lock = threading.Lock()

    def check(self, who: str, n_bytes: int) -> None:
        """Refuse what would be more than somebody may send yet."""
        most = self._most()
        if most is None:
            return
        with self._lock:
            sent = self._sum(who)
        if sent + n_bytes > most:
            raise RefusedError(
                429,
                f"In a day one may send {_size(most)} to this server (SQUINT_MAX_UPLOAD_GB_PER_DAY), and "
                f"{_size(sent)} came from here. Try again tomorrow, or use the import folder.",
            )

    def spend(self, who: str, n_bytes: int) -> None:
        """Note what came, unless it is more than somebody may send."""
        self.check(who, n_bytes)
        with self._lock:
            steps, now = self._sent.setdefault(who, deque()), self._clock()
            if steps and now - steps[-1][0] < _STEP_S:
                steps[-1] = (steps[-1][0], steps[-1][1] + n_bytes)
            else:
                steps.append((now, n_bytes))

    def _sum(self, who: str) -> int:
        """Sum what counts yet, and forget what does not, of everybody."""
        now = self._clock()
        for one, steps in list(self._sent.items()):
            while steps and now - steps[0][0] >= DAY_S:
                steps.popleft()
            if not steps:
                del self._sent[one]
        return sum(n_bytes for _, n_bytes in self._sent.get(who, ()))


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:,.1f} GB" if n_bytes >= 10**8 else f"{n_bytes / 1e6:,.1f} MB"
