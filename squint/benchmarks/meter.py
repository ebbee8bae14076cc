"""Times stages of work, beside what the machine could do at best."""

import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import torch

from squint.nn import linear

PRODUCT, COPY = 4096, 64_000_000  # rows of the square matrices multiplied; float32 numbers copied
REPEATS = 5
GIGA = 1e9


class Machine(NamedTuple):
    """What a device does at best."""

    name: str
    operations: float  # per s, of a plain float32 matrix product, by torch or as the model multiplies
    bytes: float  # per s, read and written by a plain copy


class Work(NamedTuple):
    """What a stage cannot do without."""

    operations: float  # multiplications and additions
    bytes: float  # read and written, once each

    def floor(self, machine: Machine) -> float:
        """Give the least time, s."""
        return max(self.operations / machine.operations, self.bytes / machine.bytes)


class Meter:
    """Times stages, and keeps what they cost.

    Parameters
    ----------
    device
        Where the work is done.

    Attributes
    ----------
    rows
        Per stage: ``stage``; ``seconds``; ``cells_per_second``; ``cpu_seconds`` of all threads;
        ``share_of_floor``, 1 where the machine can do no better, None where no floor is known; ``peak_gb``
        and ``device_gb``, the most that the process, and its tensors on the device, held, in 10^9 bytes.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.machine = measure_machine(device)
        self.rows: list[dict[str, Any]] = []

    @contextmanager
    def stage(self, name: str, n_cells: int, work: Work | None = None) -> Iterator[None]:
        """Time what is done inside, on some cells, beside the floor of the work."""
        on_gpu = self.device.type == "cuda"
        _forget_peak()
        if on_gpu:
            torch.cuda.reset_peak_memory_stats(self.device)
            torch.cuda.synchronize(self.device)
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        if on_gpu:
            torch.cuda.synchronize(self.device)
        seconds = time.perf_counter() - wall
        self.rows.append(
            {
                "stage": name,
                "seconds": seconds,
                "cells_per_second": n_cells / seconds,
                "cpu_seconds": time.process_time() - cpu,
                "share_of_floor": None if work is None else work.floor(self.machine) / seconds,
                "peak_gb": _peak_bytes() / GIGA,
                "device_gb": torch.cuda.max_memory_allocated(self.device) / GIGA if on_gpu else 0.0,
            }
        )

    def lines(self) -> list[str]:
        """Give the table as lines of Markdown, and what the machine does at best."""
        machine = self.machine
        return [
            "| stage | s | cells/s | CPU s | share of the floor | peak memory, GB | on the device, GB |",
            "|---|---|---|---|---|---|---|",
            *(
                f"| {row['stage']} | {row['seconds']:.2f} | {row['cells_per_second']:,.0f} "
                f"| {row['cpu_seconds']:.1f} "
                f"| {'' if row['share_of_floor'] is None else format(row['share_of_floor'], '.0%')} "
                f"| {row['peak_gb']:.2f} | {row['device_gb']:.2f} |"
                for row in self.rows
            ),
            "",
            f"The floor: {machine.name}, {machine.operations / GIGA:,.0f} billion operations/s in a plain "
            f"matrix product, {machine.bytes / GIGA:.1f} GB/s in a plain copy.",
        ]


def measure_machine(device: torch.device) -> Machine:
    """Measure a plain matrix product and a plain copy."""
    left, right = torch.randn(2, PRODUCT, PRODUCT, device=device)
    source = torch.randn(COPY, device=device)
    target = torch.empty_like(source)
    by_torch = _fastest(lambda: torch.mm(left, right), device)
    product = min(by_torch, _fastest(lambda: linear.product(left, right), device))
    copy = _fastest(lambda: target.copy_(source), device)
    on_gpu = device.type == "cuda"
    name = torch.cuda.get_device_name(device) if on_gpu else f"{torch.get_num_threads()} CPU threads"
    return Machine(name, 2 * PRODUCT**3 / product, 2 * source.nbytes / copy)


def _fastest(work: Callable[[], object], device: torch.device) -> float:
    """Time some work at its best, s."""
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def _forget_peak() -> None:
    """Let the peak of the process's memory start anew, where the system can."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_bytes() -> float:
    """Give the peak of the process's memory since `_forget_peak`, or of its whole life."""
    with suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        return 1024 * float(next(line for line in lines if line.startswith("VmHWM")).split()[1])
    unit = 1 if sys.platform == "darwin" else 1024
    return float(unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
