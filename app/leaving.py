"""What the server lets go of by itself: sessions that were left, and what nobody asked for in a while."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable

from streamlit.runtime import get_instance
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app.maps import message
from app.web.measures import SESSIONS as COUNTS
from app.web.memory import give_back, share_arenas

_LOG = logging.getLogger(__name__)
LEFT_S = 110.0  # a browser may be away for so long and find its session again; Streamlit forgets after 120
EVERY_S = 5.0
GIVEN_BACK_S = 30.0  # from one time to the next


class Sessions:
    """Which sessions there are, and since when their browser is gone.

    Nobody can come back to a session whose browser left 120 seconds ago, but Streamlit holds it in memory
    until others come and go. Here it ends.
    """

    def __init__(self) -> None:
        self._left: dict[str, float | None] = {}  # since when, by id; None: its browser is there
        self._lock = threading.Lock()

    def note(self, session_id: str) -> None:
        """Note a session that shows a page."""
        with self._lock:
            self._left[session_id] = None

    def take_left(self, active: Callable[[str], bool], now: float) -> list[str]:
        """Return the sessions that were left long ago, each once."""
        with self._lock:
            for session_id, since in self._left.items():
                self._left[session_id] = None if active(session_id) else now if since is None else since
            left = [
                session_id
                for session_id, since in self._left.items()
                if since is not None and now - since >= LEFT_S
            ]
            for session_id in left:
                del self._left[session_id]
            away = sum(since is not None for since in self._left.values())
            COUNTS.labels("left").set(away)
            COUNTS.labels("there").set(len(self._left) - away)
        return left


class Returns:
    """When memory is given back: some time after the last, as it holds up every request."""

    def __init__(self) -> None:
        self._waits, self._last = False, -GIVEN_BACK_S

    def note(self, n: int) -> None:
        """Note how many things went that took some."""
        self._waits = self._waits or n > 0

    def is_due(self, now: float) -> bool:
        """Say whether it is time, and take it as done."""
        if not self._waits or now - self._last < GIVEN_BACK_S:
            return False
        self._waits, self._last = False, now
        return True


SESSIONS = Sessions()
_RETURNS = Returns()


def note_session() -> None:
    """Note the session that runs the page."""
    context = get_script_run_ctx(suppress_warning=True)
    if context is not None:
        SESSIONS.note(context.session_id)


async def let_go() -> None:
    """Look every few seconds, for as long as the server runs, what can go."""
    share_arenas()
    while True:
        await asyncio.sleep(EVERY_S)
        try:
            look(time.monotonic())
        except Exception:  # noqa: BLE001 - one failure is no reason to look no more
            _LOG.exception("Sessions that were left could not be ended")


def look(now: float) -> None:
    """End sessions that were left, and forget what is too old; to be called where the server's events run."""
    runtime = get_instance()
    left = SESSIONS.take_left(runtime.is_active_session, now)
    for session_id in left:
        runtime.close_session(session_id)
    _RETURNS.note(message.expire() + len(left))
    if _RETURNS.is_due(now):
        give_back()
