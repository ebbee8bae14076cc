"""Tasks of a worker that freezes when it makes them ready for the first time."""

import time
from pathlib import Path
from typing import Any

from tests.helpers import slow_tasks


def start(model: Path | None) -> dict[str, Any]:
    if model is not None and not (model / "began").exists():
        (model / "began").touch()
        time.sleep(600)
    return slow_tasks.start(model)


TASKS = slow_tasks.TASKS
