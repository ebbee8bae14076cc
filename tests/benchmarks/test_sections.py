"""Cost of training and tokenising real sections, as whole commands on this machine."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.benchmark


def run(*arguments: object) -> tuple[float, float, float]:
    """Run a command of squint; give its wall seconds, CPU seconds and peak memory in GB."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "squint", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        said = process.stderr.read() if process.stderr else ""
        _, status, usage = os.wait4(process.pid, 0)  # unlike `wait`, tells what this one process used
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, said
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e6


def test_cost_on_real_sections(real_section, tmp_path: Path):
    breast = real_section("xenium_breast_roi_17k")
    serial = real_section("xenium_breast_serial_rep1_rep2_crop")
    pancreas = real_section("xenium_human_pancreas_full")
    bundle, large = tmp_path / "breast", tmp_path / "pancreas"
    facts = tmp_path / "facts.json"
    commands = {
        "train breast ROI, K 512, 30 epochs": [
            "train", breast, "--codes", 512, "--out", bundle, "--json", facts
        ],
        "train pancreas, 1 epoch": ["train", pancreas, "--epochs", 1, "--out", large],
        "tokenise pancreas": ["tokenize", pancreas, "--model", large, "--out", tmp_path / "a.h5ad"],
        "tokenise serial breast by the breast model": [
            "tokenize", serial, "--model", bundle, "--out", tmp_path / "b.h5ad"
        ],
        "tokenise pancreas by the breast model": [
            "tokenize", pancreas, "--model", bundle, "--out", tmp_path / "c.h5ad"
        ],
    }  # fmt: skip
    print("\n| command | wall s | CPU s | peak GB |\n|---|---|---|---|")
    for name, arguments in commands.items():
        wall, cpu, peak = run(*arguments)
        print(f"| {name} | {wall:.0f} | {cpu:.0f} | {peak:.2f} |", flush=True)
    metrics = json.loads(facts.read_text())["metrics"]
    print(f"\nBreast ROI, after training: {re.sub(r'[{}]', '', json.dumps(metrics))}")
