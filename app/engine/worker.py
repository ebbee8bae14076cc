"""The worker process: holds the model, does one job at a time, talks JSON lines over its standard streams."""

import importlib
import json
import os
import queue
import sys
import threading
import traceback
from pathlib import Path
from typing import Any, TextIO

from squint.errors import InputError


class _Stopped(Exception):  # noqa: N818 - not an error: the user asked for it
    pass


class Worker:
    """Reads jobs and writes progress and results."""

    def __init__(self, tasks: str, model: Path | None, answers: TextIO) -> None:
        self._answers = answers
        self._jobs: queue.Queue[dict[str, Any]] = queue.Queue()
        self._stop = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()
        module = importlib.import_module(tasks)
        self._tasks = module.TASKS
        self._say({"ready": module.start(model)})

    def serve(self) -> None:
        """Do jobs until the server closes the stream."""
        while True:
            job = self._jobs.get()
            self._stop.clear()
            try:
                self._say({"result": self._tasks[job["do"]](job["args"], self._report)})
            except _Stopped:
                self._say({"cancelled": True})
            except InputError as error:
                self._say({"input_error": str(error)})
            except OSError as error:
                self._say({"input_error": f"The disk did not do what was asked: {error.strerror or error}."})
            except Exception as error:  # noqa: BLE001 - a defect: reported on the page, the worker lives on
                traceback.print_exc()
                self._say({"error": f"{type(error).__name__} in {job['do']}: see the server's log."})

    def _report(self, fraction: float, words: str) -> None:
        if self._stop.is_set():
            raise _Stopped
        self._say({"progress": float(fraction), "words": words})

    def _listen(self) -> None:
        for line in sys.stdin:
            message = json.loads(line)
            if "do" in message:
                self._jobs.put(message)
            else:
                self._stop.set()
        os._exit(0)  # the server is gone

    def _say(self, message: dict[str, Any]) -> None:
        self._answers.write(json.dumps(message) + "\n")
        self._answers.flush()


def main() -> None:
    """Serve; whatever libraries print goes to the log, not between the answers."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    model = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    Worker(sys.argv[1], model, answers).serve()


if __name__ == "__main__":
    main()
