"""The reference holds all that is public."""

import importlib
import re

import pytest

from tests.helpers.paths import ROOT

REFERENCE = "\n".join(page.read_text() for page in (ROOT / "docs" / "reference").glob("*.md"))
SHOWN = set(re.findall(r"^::: ([\w.]+)$", REFERENCE, re.MULTILINE))
LAZY = ["squint.datasets", "squint.images", "squint.io", "squint.pl", "squint.pp", "squint.tl"]
COMMAND_LINE = "cli"  # says itself what it does, by `--help`


@pytest.mark.parametrize("package", LAZY)
def test_every_public_name_is_in_the_reference(package):
    public = {f"{package}.{name}" for name in importlib.import_module(package).__all__}
    assert public <= SHOWN
    assert {name for name in SHOWN if name.startswith(f"{package}.")} == public


def test_every_package_is_in_the_reference():
    packages = {path.parent.name for path in (ROOT / "squint").glob("*/__init__.py")} - {COMMAND_LINE}
    assert {f"squint.{name}" for name in packages} - set(LAZY) <= SHOWN
    assert all((ROOT / "docs" / "reference" / f"{name}.md").exists() for name in packages)


def test_what_import_squint_gives_is_in_the_reference():
    squint = importlib.import_module("squint")
    modules = {"datasets", "pl", "pp", "tl"}
    others = {"ModelConfig", "TrainConfig", "__version__"}
    assert {f"squint.{name}" for name in set(squint.__all__) - modules - others} <= SHOWN
    assert {"squint.config", "squint.keys"} <= SHOWN


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text()
    for page in [*(ROOT / "docs").rglob("*.md"), *(ROOT / "docs").rglob("*.ipynb")]:
        assert page.relative_to(ROOT / "docs").with_suffix(".md").as_posix() in navigation
