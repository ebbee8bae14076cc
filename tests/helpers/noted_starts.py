"""Tasks whose start takes a while, and is noted in the file that ``STARTS`` names."""

import os
import time
from pathlib import Path
from typing import Any

from distributed import get_worker

from tests.helpers import slow_tasks


def start(model: Path | None) -> dict[str, Any]:
    (lane,) = get_worker().total_resources
    note(f"{lane} begins")
    time.sleep(1)
    note(f"{lane} is ready")
    return slow_tasks.start(model)


def note(words: str) -> None:
    """Add a line to the file."""
    with Path(os.environ["STARTS"]).open("a") as file:
        file.write(f"{words}\n")


TASKS = slow_tasks.TASKS
