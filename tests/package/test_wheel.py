"""The package as a stranger gets it: built, installed into an empty environment, and used there.

Takes minutes, most of them to unpack torch: run by `make test-wheel`, apart from the other tests.
"""

import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.dependencies import CORE, declared
from tests.helpers.paths import ROOT

pytestmark = pytest.mark.wheel

# Nothing of this environment may help: neither its packages nor ours.
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SQUINT"))}
Run = Callable[..., str]

SMALL = {"model": {"n_codes": 8}, "train": {"n_epochs": 1, "context_steps": 0}}
DRAW = """
from pathlib import Path
import squint
from squint import pl
section = squint.read("tokens.h5ad")
pl.spatial(section).write_html("map.html")
score = section.obs["squint_distance"].to_numpy()
x, y = section.obsm["spatial"][:, :2].T
panel = pl.Panel("S", section.obsm["spatial"][:, :2], score, "um")
view = pl.View((x.min() + x.max()) / 2, (y.min() + y.max()) / 2, x.max() - x.min())
page = pl.Page("A map", f"n = {section.n_obs} cells")
drawn = pl.print_map([panel], pl.Continuous("distance", 0, 1), [view], page, kind="png")
Path("map.png").write_bytes(drawn)
print(section.obs["squint_token"].nunique(), drawn[:4] == b"\\x89PNG", Path("map.html").stat().st_size > 1e6)
"""


def pip(*arguments: str | Path, python: str | Path = sys.executable) -> subprocess.CompletedProcess[str]:
    words = [str(python), "-m", "pip", "--disable-pip-version-check", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, env=CLEAN, check=False)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skip where pip reaches neither its cache nor a registry."""
    folder = tmp_path_factory.mktemp("reached")
    asked = pip("download", "--no-deps", "-d", folder, "-c", ROOT / "requirements.txt", "lazy_loader")
    if asked.returncode:
        pytest.skip(f"pip reaches no packages: {asked.stderr.strip().splitlines()[-1]}")


@pytest.fixture(scope="module")
def wheel(registry: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from what git would give, so that no earlier build is taken along."""
    del registry
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("squint", "app", "pages"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    built = pip("wheel", "--no-deps", "-w", source / "dist", source)
    assert built.returncode == 0, built.stderr
    (path,) = (source / "dist").glob("*.whl")
    return path


@pytest.fixture(scope="module")
def run(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Install the wheel into an empty environment; give what runs a command of it in a folder of its own."""
    folder = tmp_path_factory.mktemp("empty")
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True, env=CLEAN)
    python = folder / "venv" / "bin" / "python"
    # Exactly the tested versions: an open range of torch would fetch gigabytes of another CUDA.
    installed = pip("install", "-c", ROOT / "requirements.txt", wheel, python=python)
    assert installed.returncode == 0, installed.stderr
    size = sum(path.stat().st_size for path in (folder / "venv").rglob("*") if not path.is_symlink())
    print(f"\ninstalled in {time.perf_counter() - start:.0f} s, {size / 1e9:.2f} GB", file=sys.stderr)
    (folder / "work").mkdir()
    (folder / "work" / "small.json").write_text(json.dumps(SMALL))

    def run(command: str, *words: str, fails: int = 0) -> str:
        start = time.perf_counter()
        done = subprocess.run(
            [folder / "venv" / "bin" / command, *words],
            capture_output=True,
            text=True,
            env=CLEAN,
            cwd=folder / "work",
            check=False,
        )
        assert done.returncode == fails, done.stderr
        print(f"{command} {words[0]}: {time.perf_counter() - start:.1f} s", file=sys.stderr)
        return done.stderr if fails else done.stdout

    return run


def test_the_wheel_holds_the_library_and_the_command_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (entry_points,) = (name for name in names if name.endswith("entry_points.txt"))
        commands = archive.read(entry_points).decode().split()
    about = {name for name in names if ".dist-info/" in name}
    ours = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "squint").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert {"squint/py.typed", "squint/tl/__init__.pyi"} <= ours
    assert names - about == ours
    assert commands == ["[console_scripts]", "squint", "=", "squint.cli.main:main"]


def test_the_environment_holds_what_the_package_asks_for_and_no_dashboard(run: Run) -> None:
    held = {one["name"].lower().replace("_", "-") for one in json.loads(run("pip", "list", "--format=json"))}
    assert set(declared()[CORE]) <= held
    assert not held & {"streamlit", "distributed", "lightning-fabric", "pytest"}
    run("pip", "check")
    where = run("python", "-c", "import squint; print(squint.__version__, squint.__file__)").split()
    assert "site-packages" in where[1]
    assert (
        where[0]
        == run("python", "-c", "from importlib.metadata import version as v; print(v('squint'))").strip()
    )
    run("python", "-c", "import app", fails=1)


def test_it_simulates_trains_tokenises_and_draws(run: Run) -> None:
    run("squint", "simulate", "cohort")
    section = "cohort/SIM-L-2.h5ad"
    run("squint", "validate", section)
    run("squint", "train", section, "--out", "model", "--config", "small.json")
    run("squint", "tokenize", section, "--model", "model", "--out", "tokens.h5ad")
    n_tokens, is_png, has_plotly = run("python", "-c", DRAW).split()
    assert 1 <= int(n_tokens) <= 8
    assert (is_png, has_plotly) == ("True", "True")


def test_it_says_what_to_install_for_several_processes(run: Run) -> None:
    words = ("train", "cohort/SIM-L-2.h5ad", "--out", "other", "--devices", "2", "--device", "cpu")
    assert "pip install 'squint[cluster]'" in run("squint", *words, fails=2)
