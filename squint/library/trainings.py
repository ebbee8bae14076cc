"""Trainings that are under way: where each is kept from epoch to epoch, and how far it came.

Each lies in a folder of its own, named by what its job was asked, so that a job that is begun again goes on
where it was. A folder whose job has ended is removed: at once by whoever sees that, else with the next sweep.
"""

import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from squint.files import list_sha256, make_folder, write_json
from squint.library.folders import Folders
from squint.library.jobs import FAILED, Jobs, JobState

FOLDER = "training"
KEEP_S = 24 * 3600.0  # of one that failed: whoever asks again goes on with it
_HISTORY = "history.json"


def place(library: Folders, args: Mapping[str, Any]) -> Path:
    """Give the folder of the training that is asked for so, which need not exist."""
    return library.home / FOLDER / _key(args)


def note(folder: Path, row: Mapping[str, float]) -> None:
    """Note of an epoch, by its ``"epoch"``, what is shown while the training goes on."""
    make_folder(folder)
    before = [known for known in history(folder) if known["epoch"] < row["epoch"]]
    write_json(folder / _HISTORY, [*before, dict(row)])


def history(folder: Path) -> list[dict[str, float]]:
    """Read what was noted of each epoch; nothing if there is nothing, or it cannot be read."""
    try:
        rows: list[dict[str, float]] = json.loads((folder / _HISTORY).read_text())
    except (OSError, ValueError):
        return []
    return rows


def forget(folder: Path) -> None:
    """Remove what is kept of a training."""
    shutil.rmtree(folder, ignore_errors=True)


def sweep(library: Folders, task: str = "train_model") -> None:
    """Remove what is kept of trainings that nobody goes on with.

    Parameters
    ----------
    library
        Where they are.
    task
        Name of the jobs that train.
    """
    folders = [path for path in (library.home / FOLDER).glob("*") if path.is_dir()]
    if not folders:
        return
    jobs = Jobs(library.database)
    known = [*jobs.open(), *jobs.list()]  # of the latter, as many as are kept: one may go on for longer
    wanted = {_key(job.args) for job in known if job.task == task and _goes_on(job)}
    for folder in folders:
        if folder.name not in wanted:
            forget(folder)


def _goes_on(job: JobState) -> bool:
    recent = job.ended is not None and time.time() - job.ended < KEEP_S
    return (job.is_open and not job.cancel) or (job.state == FAILED and recent)


def _key(args: Mapping[str, Any]) -> str:
    return list_sha256([json.dumps(dict(args), sort_keys=True)])[:16]
