"""Tasks of a worker that its model ends, as one does that fills the memory."""

import os
import signal
from pathlib import Path
from typing import Any

from tests.helpers import slow_tasks


def start(model: Path | None) -> dict[str, Any]:
    if model is not None:
        os.kill(os.getpid(), signal.SIGKILL)
    return slow_tasks.start(model)


TASKS = slow_tasks.TASKS
