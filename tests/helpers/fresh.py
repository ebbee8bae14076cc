"""What a call costs in a process of its own: seconds, processor seconds, and memory at its peak."""

import json
import subprocess
import sys
from typing import NamedTuple

# The peak of a process begins with that of the one that started it: a small one must come between.
BETWEEN = "import subprocess, sys; subprocess.run(sys.argv[1:], check=True)"
PROGRAM = """
import json, os, re, sys, time
{setup}
cpu = os.times()
start = time.perf_counter()
{call}
seconds = time.perf_counter() - start
after = os.times()
used = after.user + after.system - cpu.user - cpu.system
status = open("/proc/self/status").read()
peak = int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) / 1e6
print(json.dumps([seconds, used, peak]))
"""


class Cost(NamedTuple):
    """Of one call."""

    seconds: float
    cpu: float  # user and system, of all threads
    peak: float  # GB that lay in memory at most, imports included

    def __str__(self) -> str:
        return f"{self.seconds:.2f} s, {self.cpu:.2f} CPU s, {self.peak:.2f} GB"


def cost(setup: str, call: str, *, times: int = 3, python: str = sys.executable) -> Cost:
    """Measure a call after its imports, each time in a new process, and give the quickest."""
    program = PROGRAM.format(setup=setup, call=call)
    found = []
    for _ in range(times):
        command = [sys.executable, "-c", BETWEEN, python, "-c", program]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        found.append(Cost(*json.loads(done.stdout.splitlines()[-1])))
    return min(found)
