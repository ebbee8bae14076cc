"""What pyproject.toml asks for, requirements.txt locks, the code imports and licences allow is one thing."""

import subprocess
import sys
import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

import squint
from tests.helpers.dependencies import (
    CORE,
    brought_along,
    declared,
    imported,
    is_copyleft,
    licences,
    locked,
)
from tests.helpers.paths import ROOT

# Only a benchmark imports them, in an environment that has them and not ours.
ELSEWHERE = {"jax", "wassersteinflowmatching"} | {  # other programs, in environments of their own
    "banksy",
    "cellcharter",
    "lightning",
    "novae",
    "squidpy",
}
ALLOWED = {
    "squint": {CORE, "cell-types", "cluster"},
    "app": {CORE, "app"},
    "pages": {CORE, "app"},
    "tests": {CORE, "app", "cluster", "dev"},
}
# Of the extra ``cluster``: imported only when a command is asked for several processes, and by an engine.
LAZY = {
    "squint.cli.cluster",
    "squint.engine.cluster",
    "squint.engine.crew",
    "squint.engine.dispatcher",
    "squint.engine.scheduler",
    "squint.training.fabric",
}
SCRIPTS = {"squint.library.migrations.env"}  # run by alembic, imported by nobody


@cache
def distributions() -> dict[str, set[str]]:
    """Give the installed packages that bring each module; to find them takes seconds."""
    found = metadata.packages_distributions()
    return {module: {canonicalize_name(name) for name in names} for module, names in found.items()}


def test_every_dependency_is_locked_within_its_range_and_nothing_else_is() -> None:
    lock = locked()
    asked = {name for group in declared().values() for name in group}
    assert asked == set(lock)
    for group in declared().values():
        for name, requirement in group.items():
            (pin,) = lock[name].specifier
            assert pin.operator == "=="
            assert requirement.specifier.contains(pin.version), f"{pin} of {name} is not in {requirement}"


@pytest.mark.parametrize("name", sorted(locked()))
def test_the_locked_version_is_the_installed_one(name: str) -> None:
    assert locked()[name].specifier.contains(metadata.version(name))


@pytest.mark.parametrize("folder", ALLOWED)
def test_what_is_imported_is_declared(folder: str) -> None:
    allowed = {name for extra in ALLOWED[folder] for name in declared()[extra]}
    undeclared = {
        f"{path.relative_to(ROOT)} imports {module}"
        for path, module in imported(ROOT / folder)
        if module not in ELSEWHERE and not distributions().get(module, set()) & allowed
    }
    assert not undeclared


def test_the_library_works_without_its_extras() -> None:
    extras = {name for extra, group in declared().items() if extra != CORE for name in group}
    absent = extras - set(declared()[CORE]) - set(brought_along())
    assert {"streamlit", "distributed", "lightning-fabric"} <= absent
    blocked = sorted(module for module, names in distributions().items() if names & absent)
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in (ROOT / "squint").rglob("*.py")
        if path.name != "__main__.py"
    ]
    assert set(modules) >= LAZY
    code = (
        "import importlib, sys\n"
        f"sys.modules.update(dict.fromkeys({blocked!r}))\n"  # so that importing one of them fails
        f"for name in {sorted(set(modules) - LAZY - SCRIPTS)!r}: importlib.import_module(name)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("module", "command"),
    [
        ("lightning_fabric", ["train", "a.h5ad", "--out", "b", "--devices", "2", "--device", "cpu"]),
        ("distributed", ["tokenize", "a.h5ad", "--model", "m", "--out", "b", "--devices", "2"]),
    ],
)
def test_a_command_says_which_extra_it_lacks(module: str, command: list[str]) -> None:
    code = f"import sys; sys.modules[{module!r}] = None; from squint.cli.main import main; sys.exit(main())"
    words = [sys.executable, "-c", code, *command]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert module in done.stderr
    assert "pip install 'squint[cluster]'" in done.stderr


def test_no_core_dependency_is_copyleft() -> None:
    assert [name for name in declared()[CORE] if is_copyleft(name)] == []
    assert is_copyleft("hypothesis")  # of the extra for tests: what is looked for can be found


def test_the_licences_are_recorded() -> None:
    text = (ROOT / "docs" / "licences.md").read_text()
    assert text == licences(), "Run: make licences"
    for name in filter(is_copyleft, brought_along()):
        assert f"| {name} | MPL-2.0" in text


def test_the_version_is_said_once() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert squint.__version__ == version
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()


def test_squint_is_cheap_to_import() -> None:
    code = "import squint, sys; squint.__version__; print({'torch', 'anndata', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "set()"


def test_squint_says_that_it_is_typed() -> None:
    assert (Path(squint.__file__).parent / "py.typed").exists()
