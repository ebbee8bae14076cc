"""Whatever becomes of a file, it is read, asked about or refused in one line, and its reader lives."""

import json
import queue
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import pytest

from tests.helpers.fuzz_targets import TARGETS, outcome
from tests.helpers.paths import ROOT

pytestmark = pytest.mark.fuzz

PATIENCE_S = 120.0  # for a case, on a machine that others use too
GROWTH = 1.1  # of the process from the first third of its cases to the end
NOISE_MB = 30.0


@dataclass
class Found:
    """What came of the cases of a target."""

    came: Counter[str] = field(default_factory=Counter)
    wrong: dict[str, list[str]] = field(default_factory=dict)  # by what was raised and where
    memory: list[float] = field(default_factory=list)  # MB, after each case of the last process
    slowest: float = 0.0

    def note(self, what: str, case: str) -> None:
        """Note a case that ended as none may."""
        self.came["wrong"] += 1
        self.wrong.setdefault(what, []).append(case)


def look(name: str, valid: Path, work: Path, seed: int, n_cases: int) -> Found:
    """Give all cases to processes of their own: a new one where one died or stands still."""
    found, first = Found(), 0
    while first < n_cases:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        first = _go_on(found, name, valid, work, seed, range(first, n_cases))
    return found


def _go_on(found: Found, name: str, valid: Path, work: Path, seed: int, cases: range) -> int:
    """Run cases in one process until it ends; give the case to go on with."""
    numbers = map(str, (seed, cases.start, cases.stop))
    command = [sys.executable, "-m", "tests.helpers.fuzz_child", name, str(valid), str(work), *numbers]
    with (work / "log").open("w") as log:
        child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True)
    found.memory, case, file = [], cases.start - 1, ""
    for line in _told(child):
        facts = json.loads(line)
        if "file" in facts:
            case, file = facts["case"], facts["file"]
        else:
            _note(found, facts, f"case {case} of seed {seed}, {file}")
            file = ""
    said = (work / "log").read_text()
    if case < cases.start:
        pytest.fail(said[-4_000:])
    if file:
        why = f"the process died with {child.returncode}, or stood still for {PATIENCE_S:.0f} s"
        found.note(why, f"case {case} of seed {seed}, {file}\n{said[-2_000:]}")
    return case + 1


def _told(child: "subprocess.Popen[str]") -> Iterator[str]:
    """Give what a process says until it ends, or has said nothing for long and is ended."""
    lines: queue.Queue[str] = queue.Queue()
    assert child.stdout is not None

    def read(told: IO[str]) -> None:
        for line in told:
            lines.put(line)
        lines.put("")

    reading = threading.Thread(target=read, args=(child.stdout,))
    reading.start()
    with suppress(queue.Empty):
        while line := lines.get(timeout=PATIENCE_S):
            yield line
    child.kill()
    child.wait(60)
    reading.join(60)
    child.stdout.close()


def _note(found: Found, facts: dict[str, object], case: str) -> None:
    found.memory.append(float(str(facts["megabytes"])))
    found.slowest = max(found.slowest, float(str(facts["took"])))
    if trace := str(facts["trace"]):
        last = [line.strip() for line in trace.splitlines() if line.strip().startswith("File ")][-1]
        found.note(f"{str(facts['came'])[:300]} at {last}", f"{case}\n{trace[-3_000:]}")
    else:
        found.came[str(facts["came"])] += 1


@pytest.mark.parametrize("name", TARGETS)
def test_any_change_of_a_file_is_taken_or_refused_in_one_line(
    name: str, tmp_path: Path, n_cases: int, seed: int
) -> None:
    valid = tmp_path / "valid" / "run"
    valid.parent.mkdir()
    TARGETS[name].write(valid)
    found = look(name, valid, tmp_path / "work", seed, n_cases)
    third = found.memory[len(found.memory) // 3] if found.memory else 0.0
    last = found.memory[-1] if found.memory else 0.0
    print(
        f"\n{name}: {n_cases} cases: {dict(found.came)}; slowest {found.slowest:.1f} s; "
        f"{third:.0f} MB after a third, {last:.0f} MB in the end"
    )
    if found.wrong:
        pytest.fail("\n\n".join(f"{len(cases)} x {what}\n{cases[0]}" for what, cases in found.wrong.items()))
    assert last < GROWTH * third + NOISE_MB


@pytest.mark.parametrize("name", TARGETS)
def test_the_file_that_is_changed_is_taken_as_it_is(name: str, tmp_path: Path) -> None:
    """Or what is changed would not say much."""
    folder = tmp_path / "valid" / "run"
    folder.parent.mkdir()
    TARGETS[name].write(folder)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        again = tmp_path / "again" / "run"
        shutil.copytree(folder, again)
        assert outcome(TARGETS[name], again, again / path.relative_to(folder)) == "read", path.name
        shutil.rmtree(again)
