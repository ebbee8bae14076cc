"""The script for a GPU, tried on the CPU: as a program, and where something is missing."""

import os
import subprocess
import sys

import pytest
import torch

from tests.helpers.paths import ROOT

pytestmark = pytest.mark.slow
SCRIPT = ROOT / "tests" / "benchmarks" / "gpu.py"
SMALL = ["--cells", "400", "--genes", "40", "--codes", "20", "--epochs", "2"]


def run(folder, *words):
    """Run the script from another folder, without squint being installed or named."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-W", "ignore", str(SCRIPT), *words]
    return subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=folder, env=environment, timeout=300
    )


def test_all_parts_run_on_the_cpu(tmp_path):
    done = run(tmp_path, "--device", "cpu", *SMALL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [f"({letter}) done in" in done.stdout for letter in "abcd"] == [True] * 4
    assert "failed: none" in done.stdout
    assert "tokens differ for 0 of" in done.stdout  # of one device from itself
    assert "| epoch 2 |" in done.stdout
    assert "none of its numbers is of a GPU" in done.stdout


def test_without_a_gpu_it_says_so(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    done = run(tmp_path, *SMALL)
    assert done.returncode == 3
    assert "Missing here: a GPU, for this torch" in done.stdout


def test_what_is_not_installed_is_named(tmp_path):
    code = "import sys, runpy; sys.path[:] = [path for path in sys.path if 'site-packages' not in path]; "
    code += f"sys.argv[:] = ['gpu']; runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 3
    assert "Missing here: torch, torch_geometric, anndata" in done.stdout
