"""Advisories that were fetched before: OSV's file of all that are known of packages of PyPI.

``https://osv-vulnerabilities.storage.googleapis.com/PyPI/all.zip``, or a folder of its ``.json`` files, as
https://ossf.github.io/osv-schema/ says. With it nothing is asked of anybody.
"""

import json
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

Advisory = Mapping[str, Any]


class Advisories:
    """What a file of advisories holds.

    Parameters
    ----------
    path
        A ``.zip``, or a folder, of ``.json`` files.

    Raises
    ------
    OSError, ValueError, zipfile.BadZipFile
        If it cannot be read, or a file in it is no JSON.
    """

    def __init__(self, path: Path) -> None:
        self._of: dict[str, list[tuple[Advisory, Advisory]]] = defaultdict(list)  # package -> advisory, part
        self.n, self.newest = 0, ""  # how many, and when the last of them was changed
        for text in _texts(path):
            one = json.loads(text)
            if one.get("withdrawn"):
                continue
            self.n, self.newest = self.n + 1, max(self.newest, str(one.get("modified", "")))
            for part in one.get("affected", ()):
                package = part.get("package", {})
                if package.get("ecosystem") == "PyPI":
                    self._of[canonicalize_name(package["name"])].append((one, part))

    def of(self, name: str, version: str) -> dict[str, Any]:
        """Say what is known of a package, in the words of pip-audit."""
        try:
            wanted = Version(version)
        except InvalidVersion:
            return {"name": name, "skip_reason": "its version is none that can be compared"}
        found: dict[str, set[Version]] = {}
        for one, part in self._of[canonicalize_name(name)]:
            if version in part.get("versions", ()) or any(_is_in(wanted, span) for span in _spans(part)):
                found.setdefault(str(one["id"]), set()).update(_mending(wanted, part))
        vulnerabilities = [
            {"id": key, "fix_versions": [str(version) for version in sorted(mended)]}
            for key, mended in sorted(found.items())
        ]
        return {"name": name, "version": version, "vulns": vulnerabilities}


def _texts(path: Path) -> Iterator[bytes]:
    if path.is_dir():
        for file in sorted(path.rglob("*.json")):
            yield file.read_bytes()
        return
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(".json"):
                yield archive.read(name)


def _spans(part: Advisory) -> list[list[tuple[Version, str]]]:
    """Give the events of each range of versions, in their order."""
    return [
        sorted(
            (Version("0.dev0" if at == "0" else at), kind)
            for event in span["events"]
            for kind, at in event.items()
        )
        for span in part.get("ranges", ())
        if span["type"] == "ECOSYSTEM"
    ]


def _is_in(version: Version, span: list[tuple[Version, str]]) -> bool:
    is_in = False
    for at, kind in span:
        if kind == "introduced" and version >= at:
            is_in = True
        elif (kind == "fixed" and version >= at) or (kind == "last_affected" and version > at):
            is_in = False
    return is_in


def _mending(version: Version, part: Advisory) -> list[Version]:
    return [at for span in _spans(part) for at, kind in span if kind == "fixed" and at > version]
