"""Waiting threads sleep, whoever starts squint; measured in tests/benchmarks/test_threads.py."""

import os
import subprocess
import sys
import warnings

import pytest

from squint import threads
from tests.helpers.paths import ROOT

pytestmark = pytest.mark.slow

NAME = "GOMP_SPINCOUNT"
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="torch comes with another OpenMP here")


def openmp_says(code: str, **environment: str) -> list[str]:
    """Run code, and give the turns that each OpenMP said, when it was loaded, its waiting threads take."""
    given = {name: value for name, value in os.environ.items() if name != NAME} | environment
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=given | {"OMP_DISPLAY_ENV": "VERBOSE"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [line.split("'")[1] for line in done.stderr.splitlines() if NAME in line]


@on_linux
@pytest.mark.parametrize(
    "code", ["import squint, torch", "import squint.training.run", "import squint.engine.worker, torch"]
)
def test_torch_is_told_before_it_is_imported(code: str) -> None:
    assert openmp_says(code)[-1] == "1000"


@on_linux
def test_the_users_own_choice_is_kept() -> None:
    assert openmp_says("import squint, torch", **{NAME: "20"})[-1] == "20"


@on_linux
def test_torch_that_came_first_spins_and_squint_knows() -> None:
    code = "import torch, squint; assert squint.threads.TOO_LATE"
    assert int(openmp_says(code)[-1]) > 1000


def test_it_is_said_in_one_place() -> None:
    folders = (ROOT / "squint", ROOT / "app", ROOT / "pages")
    files = [ROOT / "Makefile", *(path for folder in folders for path in folder.rglob("*.py"))]
    assert [path.name for path in files if NAME in path.read_text()] == ["threads.py"]


@pytest.mark.parametrize(("late", "load", "warned"), [(True, 1e6, 1), (True, 0.0, 0), (False, 1e6, 0)])
def test_spinning_is_warned_of_where_it_costs(
    late: object, load: float, warned: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "TOO_LATE", late)
    monkeypatch.setattr(os, "getloadavg", lambda: (load, load, load))
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        threads.warn_if_spinning()
    assert ["Import squint first" in str(one.message) for one in given] == [True] * warned
