"""A scheduler and workers of Dask on this machine, for one engine: reached from this machine alone."""

import logging
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import dask.config
from distributed import Client, Nanny, Scheduler, SpecCluster, utils

from squint.engine import nursery, worker
from squint.engine.lanes import FILES, MODEL, SHORT

# Ctrl-C in a terminal reaches all processes: the engine ends its workers itself.
_BEGIN = (
    "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    "from squint import logs\nlogs.configure('worker')\n"
)
_START_S = 120.0  # for all workers


@contextmanager
def start() -> Iterator[Client]:
    """Start workers: for the model one a GPU, or one for the CPU, and one for each other lane.

    Yields
    ------
    The client.
    """
    nursery.begin()
    utils._forkserver_preload_set = True  # else this process would import what Dask has it import
    here = {"host": "127.0.0.1", "dashboard": False}
    workers = {
        name: {
            "cls": Nanny,
            "options": {
                **here,
                "env": environment,
                "resources": {lane: 1},
                "nthreads": 1,
                "memory_limit": 0,  # what a task may take, it looks after itself
                "silence_logs": logging.WARNING,
                "preload": [_BEGIN],
            },
        }
        for name, (lane, environment) in _processes().items()
    }
    # A task is tried again by us, who count, and not by Dask.
    web = {"dashboard_address": "127.0.0.1:0"}  # Dask wants one; without routes it answers nothing
    scheduler = {"cls": Scheduler, "options": {**here, **web, "port": 0, "allowed_failures": 0}}
    settings = {
        # What Dask would watch all the time costs a sixth of a core while nothing is done.
        "distributed.worker.profile.enabled": False,
        "distributed.admin.tick.interval": "1s",
        "distributed.admin.tick.limit": "1h",
        "distributed.admin.system-monitor.interval": "1h",
        "distributed.scheduler.work-stealing": False,
        "distributed.scheduler.active-memory-manager.start": False,
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
        "distributed.nanny.pre-spawn-environ": {},  # Dask would have one thread in each library
        # Dask would give up a worker process that is not there again after 15 s, as on a busy machine.
        "distributed.deploy.lost-worker-timeout": "100 days",
        "distributed.worker.multiprocessing-method": "forkserver",
        "distributed.worker.daemon": False,  # tasks may have processes of their own
    }
    with (
        dask.config.set(settings),
        SpecCluster(workers, scheduler, silence_logs=logging.WARNING) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        client.wait_for_workers(len(workers), timeout=_START_S)
        try:
            yield client
        finally:  # their jobs wait for the next engine: there is nothing to wait for
            client.run(worker.end, nanny=True, on_error="ignore")


def _processes() -> Mapping[str, tuple[str, Mapping[str, str]]]:
    """Say for each worker process its lane and environment."""
    found = {f"{MODEL}-{gpu}": (MODEL, {"CUDA_VISIBLE_DEVICES": gpu}) for gpu in gpus()}
    others = {lane: (lane, {"CUDA_VISIBLE_DEVICES": ""}) for lane in (FILES, SHORT)}
    return {**(found or {MODEL: (MODEL, {})}), **others}


def gpus() -> list[str]:
    """List the GPUs that may be used, as ``CUDA_VISIBLE_DEVICES`` names them."""
    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    if shown is not None:
        return [name for name in shown.split(",") if name not in {"", "-1"}]
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    said = subprocess.run(  # noqa: S603 - found on the path
        [program, "--list-gpus"], capture_output=True, text=True, check=False, timeout=30
    )
    lines = [line for line in said.stdout.splitlines() if line.startswith("GPU ")]
    return [str(number) for number in range(len(lines))] if said.returncode == 0 else []
