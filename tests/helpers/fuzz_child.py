"""A process that reads changed files until it ends, or dies: ``python -m tests.helpers.fuzz_child ...``.

Its arguments are the name of a target, the folder of its valid files, one to work in, a seed, and the first
case and the one after the last. It writes a line of JSON before and after each case.
"""

import json
import os
import shutil
import sys
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from tests.helpers.fuzz_targets import TARGETS, outcome
from tests.helpers.mutations import mutated
from tests.helpers.visits import megabytes


def run(name: str, valid: Path, work: Path, seed: int, cases: range) -> None:
    """Read each case, and say what came of it."""
    pid = int(Path("/proc/self").resolve().name)
    target = TARGETS[name]
    paths = sorted(path.relative_to(valid) for path in valid.rglob("*") if path.is_file())
    contents = [(valid / path).read_bytes() for path in paths]
    for case in cases:
        rng = np.random.default_rng([seed, case])
        which, other = (int(n) for n in rng.integers(len(paths), size=2))
        folder = work / valid.name
        shutil.copytree(valid, folder)
        (folder / paths[which]).write_bytes(mutated(contents[which], contents[other], rng))
        _say(case=case, file=str(paths[which]))
        start, trace = time.perf_counter(), ""
        try:
            came = outcome(target, folder, folder / paths[which])
        except Exception as error:  # noqa: BLE001 - which is what is looked for
            came = f"{type(error).__name__}: {error}"
            trace = traceback.format_exc()
        _say(case=case, came=came, trace=trace, took=time.perf_counter() - start, megabytes=megabytes(pid))
        shutil.rmtree(folder)


def _say(**facts: Any) -> None:
    _told.write(json.dumps(facts) + "\n")
    _told.flush()


_told = os.fdopen(os.dup(1), "w")  # what libraries print on standard output goes to the log instead

if __name__ == "__main__":
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    _name, _valid, _work, *_numbers = sys.argv[1:]
    _seed, _first, _end = map(int, _numbers)
    run(_name, Path(_valid), Path(_work), _seed, range(_first, _end))
