"""The bill of materials is valid CycloneDX, and lists what is installed."""

import json
import shutil
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.helpers.paths import ROOT
from tests.helpers.sbom import RECORD, installed, sbom

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def written() -> dict[str, Any]:
    return sbom()


def test_it_is_valid(written: dict[str, Any]) -> None:
    assert written["specVersion"] == "1.6"
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(written)) is None
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps({**written, "made": "up"}))


def test_every_installed_package_is_in_it_with_its_version_and_what_is_known(written: dict[str, Any]) -> None:
    python = [one for one in written["components"] if one["purl"].startswith("pkg:pypi/")]
    listed = {one["name"].lower().replace("_", "-").replace(".", "-"): one for one in python}
    for name, version in installed().items():
        assert listed[name]["version"] == version
    licensed = [one for one in python if one.get("licenses")]
    assert len(licensed) > 0.9 * len(python)
    hashed = [one for one in python if RECORD in [p["name"] for p in one.get("properties", [])]]
    assert len(hashed) == len(python)
    assert any(one["ref"].startswith("numpy") for one in written["dependencies"])
    assert written["metadata"]["component"]["name"] == "squint"


def test_what_npm_brings_is_in_it_with_its_hashes(written: dict[str, Any]) -> None:
    locked = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    npm = [one for one in written["components"] if one["purl"].startswith("pkg:npm/")]
    assert len(npm) == len(locked) - 1
    assert all(len(one["hashes"][0]["content"]) == 128 and one["scope"] == "excluded" for one in npm)
    assert shutil.which("npm") is None or npm
