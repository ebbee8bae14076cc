"""What squint is made of, as CycloneDX 1.6: ``python -m tests.helpers.sbom FILE.json``, or ``make sbom``.

Listed are all Python packages of this environment, with versions, licences and what needs what, and what npm
brings to check the dashboard's scripts, with its hashes; none of that is sent to a browser. An installed
package does not tell the hash of the wheel that it came in. So each has the hash of its RECORD, in which
those of all its files stand. Not listed are Python itself, Debian's packages (Chromium, fonts), and the
compiled libraries and scripts inside wheels.
"""

import base64
import hashlib
import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from tests.helpers.paths import ROOT

RECORD = "squint:record:sha256"  # name of the property


def sbom() -> dict[str, Any]:
    """Write down what is installed."""
    command = [sys.executable, "-m", "cyclonedx_py", "environment", "--sv", "1.6", "--output-reproducible"]
    options = ["--pyproject", str(ROOT / "pyproject.toml"), "--mc-type", "application", sys.executable]
    done = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    for component in found["components"]:
        if (record := _record(component["name"])) is not None:
            component.setdefault("properties", []).append({"name": RECORD, "value": record})
    found["components"] += _of_npm()
    return found


def _record(name: str) -> str | None:
    """Hash the list of a package's files; ``None`` where there is none."""
    text = metadata.distribution(name).read_text("RECORD")
    return None if text is None else hashlib.sha256(text.encode()).hexdigest()


def _of_npm() -> list[dict[str, Any]]:
    """Give the components of package-lock.json."""
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    return [_npm(path.rpartition("node_modules/")[2], facts) for path, facts in packages.items() if path]


def _npm(name: str, facts: dict[str, Any]) -> dict[str, Any]:
    kind, _, digest = facts.get("integrity", "").partition("-")
    purl = f"pkg:npm/{name.replace('@', '%40')}@{facts['version']}"
    component: dict[str, Any] = {
        "type": "library",
        "name": name,
        "version": facts["version"],
        "scope": "excluded",  # a tool of developers
        "purl": purl,
        "bom-ref": purl,
    }
    if "license" in facts:
        component["licenses"] = [{"expression": facts["license"]}]
    if kind == "sha512":
        component["hashes"] = [{"alg": "SHA-512", "content": base64.b64decode(digest).hex()}]
    return component


def installed() -> dict[str, str]:
    """Give the versions of all Python packages that are installed, but ours."""
    found = {canonicalize_name(one.metadata["Name"]): one.version for one in metadata.distributions()}
    return {name: version for name, version in sorted(found.items()) if name != "squint"}


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(sbom(), indent=1) + "\n")
