"""Tasks for the tests of the engine."""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from squint.errors import InputError
from squint.io.limits import memory_limit

Report = Callable[[float, str], None]


def start(model: Path | None) -> dict[str, Any]:
    return {"model": None, "device": "CPU", "problem": "", "folder": str(model)}


def add(args: Mapping[str, Any], report: Report) -> int:
    report(0.5, "adding")
    print("a library that prints to standard output")  # noqa: T201 - must not reach the answers
    return int(args["asked"]["a"] + args["asked"]["b"])


def refuse(args: Mapping[str, Any], report: Report) -> None:
    del args, report
    raise InputError("This is not a section.")


def break_(args: Mapping[str, Any], report: Report) -> None:
    del args, report
    raise KeyError("/secret/path")


def count(args: Mapping[str, Any], report: Report) -> str:
    report(0.01, f"process {os.getpid()}")
    time.sleep(0.3)  # long enough to be read
    for i in range(args["asked"].get("steps", 500)):
        report(i / 500, f"step {i}")
        time.sleep(0.02)
    return "finished"


def hang(args: Mapping[str, Any], report: Report) -> None:
    del args
    report(0.1, f"process {os.getpid()}")
    time.sleep(600)


def die_once(args: Mapping[str, Any], report: Report) -> str:
    marker = Path(args["asked"]["marker"])
    if not marker.exists():
        marker.touch()
        report(0.5, "dying")
        os.kill(os.getpid(), 9)
    return "survived"


def die(args: Mapping[str, Any], report: Report) -> None:
    del args, report
    os._exit(1)


def fill(args: Mapping[str, Any], report: Report) -> int:
    del report
    with memory_limit(args["asked"]["limit"]):
        return len(bytearray(args["asked"]["wanted"]))


def answer_no_json(args: Mapping[str, Any], report: Report) -> object:
    del args, report
    return object()


def own_pid(args: Mapping[str, Any], report: Report) -> int:
    del args, report
    return os.getpid()


TASKS = {
    "own_pid": own_pid,
    "answer_no_json": answer_no_json,
    "fill": fill,
    "add": add,
    "refuse": refuse,
    "break": break_,
    "count": count,
    "hang": hang,
    "die_once": die_once,
    "die": die,
}
