"""The cluster that an engine starts: which workers, and from where they can be reached."""

import os
import socket
from pathlib import Path

import pytest

from squint.engine import cluster
from squint.engine.lanes import FILES, LANES, MODEL, SHORT


@pytest.mark.parametrize(
    ("shown", "expected"), [("", []), ("-1", []), ("0", ["0"]), ("1,GPU-8", ["1", "GPU-8"])]
)
def test_the_gpus_are_those_that_may_be_used(
    monkeypatch: pytest.MonkeyPatch, shown: str, expected: list[str]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", shown)
    assert cluster.gpus() == expected


@pytest.mark.parametrize(
    ("said", "status", "expected"),
    [
        ("GPU 0: NVIDIA H100 (UUID: GPU-1)\nGPU 1: NVIDIA H100 (UUID: GPU-2)", 0, ["0", "1"]),
        ("No devices were found", 0, []),
        ("GPU 0: half a line", 9, []),
    ],
)
def test_the_gpus_are_those_that_the_driver_lists(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str, status: int, expected: list[str]
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{said}\nEND\nexit {status}\n")
    program.chmod(0o700)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert cluster.gpus() == expected


def test_each_gpu_has_a_worker_of_its_own_and_the_other_lanes_use_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    workers = list(cluster._processes().values())
    assert [(lane, told["CUDA_VISIBLE_DEVICES"]) for lane, told in workers] == [
        (MODEL, "0"),
        (MODEL, "1"),
        (FILES, ""),
        (SHORT, ""),
    ]


@pytest.mark.slow
def test_every_lane_has_a_worker_and_nobody_from_outside_reaches_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with cluster.start() as client:
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
        assert sorted(lane for known in workers for lane in known["resources"]) == sorted(LANES)
        assert {address for pid in family(os.getpid()) for address in listening(pid)} == {"127.0.0.1"}


def family(pid: int) -> list[int]:
    """List a process and all that it started, as far as they live."""
    children = [
        int(child)
        for told in Path(f"/proc/{pid}/task").glob("*/children")
        for child in told.read_text().split()
    ]
    return [pid, *(one for child in children for one in family(child))]


def listening(pid: int) -> list[str]:
    """List the addresses on which a process takes connections."""
    own = {str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir() if file.is_symlink()}
    found = []
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *more = line.split()
            if state == "0A" and f"socket:[{more[5]}]" in own:
                words = bytes.fromhex(local.split(":")[0])
                turned = b"".join(words[i : i + 4][::-1] for i in range(0, len(words), 4))
                found.append(socket.inet_ntop(family, turned))
    return found
