"""What a training costs through Python, alone and beside others, with waiting threads that sleep or spin."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.helpers.paths import ROOT

pytestmark = pytest.mark.benchmark
N_TIMES = 2
TRAIN = """
import os, time
{first}
import squint
from squint import TrainConfig, datasets
section = datasets.toy(n_cells=2_000)
choices = TrainConfig(n_epochs=6, context_steps=0)
start, before = time.perf_counter(), os.times()
*_, last = squint.train(section, train=choices, device="cpu")
after = os.times()
cpu = after.user + after.system - before.user - before.system
print(cpu, time.perf_counter() - start, last.losses["total"])
"""
SPIN = """
import os, sys
os.sched_setaffinity(0, [int(sys.argv[1])])
while os.getppid() == int(sys.argv[2]):
    pass
"""
Measured = tuple[float, float, str]  # CPU seconds, seconds, and the loss, to the last digit


@contextmanager
def busy_cores(n_each: int) -> Iterator[None]:
    """Keep every core busy with other processes that do nothing but turn."""
    cores = sorted(os.sched_getaffinity(0)) * n_each
    words = [sys.executable, "-c", SPIN]
    others = [subprocess.Popen([*words, str(core), str(os.getpid())]) for core in cores]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def train(first: str) -> Measured:
    """Train in a new process that imports something first; the cheaper of two."""
    environment = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"}
    command = [sys.executable, "-W", "ignore", "-c", TRAIN.format(first=first)]
    found = []
    for _ in range(N_TIMES):
        done = subprocess.run(
            command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True, timeout=600
        )
        cpu, wall, loss = done.stdout.split()
        found.append((float(cpu), float(wall), loss))
    return min(found)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processes cannot be bound to cores here")
def test_a_training_costs_the_same_beside_other_programs(record) -> None:
    what, first = "train toy, 2,000 cells, 6 epochs", "import torch"
    losses = set()
    for n_each in (0, 1, 4):
        where = f"{n_each} other processes on each core" if n_each else "alone"
        with busy_cores(n_each):
            asleep, spinning = train(""), train(first)
        record(f"{what}, {where}", told(asleep), "at most 1.5 times the CPU time of alone" if n_each else "")
        record(f"{what}, {where}, torch imported first", told(spinning), "")
        losses |= {asleep[2], spinning[2]}
    assert len(losses) == 1  # it learns the same


def told(measured: Measured) -> str:
    return f"{measured[0]:.1f} CPU s, {measured[1]:.1f} s"
