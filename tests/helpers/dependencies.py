"""What squint depends on, as pyproject.toml, requirements.txt and the installed packages say it.

``python -m tests.helpers.dependencies`` prints ``docs/licences.md``.
"""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.helpers.paths import ROOT

CORE = "core"
_COPYLEFT = re.compile(r"GPL|GNU|MPL|Mozilla|EPL|EUPL|CDDL|CeCILL|OSL|Sleepycat", re.IGNORECASE)
# Classifiers and free text of packages that give no SPDX expression.
_SPDX = {
    "MIT License": "MIT",
    "BSD License": "BSD",
    "BSD 3-Clause License": "BSD-3-Clause",
    "BSD 2-Clause License": "BSD-2-Clause",
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache Software License": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache License": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "The MIT License (MIT)": "MIT",
}
_WORDS = {"Permission is hereby granted, free of charge, to any person obtaining a copy": "MIT License"}
_HEAD = """# Licences of what squint depends on

squint is BSD-3-Clause. This table is written by `make licences` from what the installed packages say of
themselves, in the versions of `requirements.txt`, and a test holds it to them. *For* names the extra of
`pyproject.toml` that brings a package; *core* ones come with `pip install squint`.

| package | licence | for |
|---|---|---|
"""
_TAIL = """
## Copyleft

None of the core packages above is under a copyleft licence; a test says so. Packages that they bring along
are, all under the MPL-2.0, whose terms end at the files of those packages:

| package | licence | brought by |
|---|---|---|
"""
_WHEELS = """
Binary wheels from PyPI hold compiled libraries beside the package's own code, under licences of their own
that lie in each wheel: among them GEOS in shapely (LGPL-2.1, linked dynamically), and GCC's runtime: libgomp
in torch, scikit-learn and imagecodecs, libgfortran in numpy and scipy (GPL-3.0 with GCC's runtime exception),
and libquadmath beside libgfortran (LGPL-2.1). squint's wheel holds none of them.
"""


@cache
def declared() -> dict[str, dict[str, Requirement]]:
    """Give the requirements of pyproject.toml by extra and canonical name; those of no extra as ``core``."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = {CORE: project["dependencies"], **project["optional-dependencies"]}
    return {
        extra: {canonicalize_name(Requirement(line).name): Requirement(line) for line in lines}
        for extra, lines in groups.items()
    }


@cache
def locked() -> dict[str, Requirement]:
    """Give the lines of requirements.txt by canonical name."""
    lines = [line.split("#")[0].strip() for line in (ROOT / "requirements.txt").read_text().splitlines()]
    found = [Requirement(line) for line in lines if line]
    return {canonicalize_name(one.name): one for one in found}


def imported(folder: Path) -> Iterator[tuple[Path, str]]:
    """Give every import of a package that is neither Python's nor ours: the file, and the package's name."""
    ours = sys.stdlib_module_names | {"squint", "app", "pages", "tests", "docs"}
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
                names = [node.module]
            yield from ((path, top) for name in names if (top := name.split(".")[0]) not in ours)


def licence(name: str) -> str:
    """Say the licence of an installed package: as an SPDX expression where it gives one or can be told."""
    about = metadata.metadata(name)
    if "License-Expression" in about:
        return about["License-Expression"]
    text = (about.get_all("License") or [""])[0].strip().splitlines()
    said = [line.split(" :: ")[-1] for line in _classifiers(name)]
    said += [line for line in text[:1] if len(line) < 60]
    said = said or _texts(name)
    told = [_SPDX.get(line, line) for line in said]
    return max(told, key=lambda line: (line in _SPDX.values(), line != "BSD", len(line)))


def is_copyleft(name: str) -> bool:
    """Say whether anything a package says of its licence is copyleft."""
    return any(_COPYLEFT.search(line) for line in (*_classifiers(name), licence(name)))


def brought_along(extras: tuple[str, ...] = (CORE,)) -> dict[str, set[str]]:
    """Give every installed package that the declared ones need, and which of them bring it."""
    found: dict[str, set[str]] = {}
    for root in sorted({name for extra in extras for name in declared()[extra]}):
        open_, seen = [root], {root}
        while open_:
            for line in metadata.requires(open_.pop()) or []:
                need = Requirement(line)
                name = canonicalize_name(need.name)
                wanted = need.marker is None or need.marker.evaluate({"extra": ""})
                if wanted and name not in seen and _is_installed(name):
                    seen.add(name)
                    open_.append(name)
                    found.setdefault(name, set()).add(root)
    return {name: roots for name, roots in found.items() if name not in declared()[CORE]}


def licences() -> str:
    """Write ``docs/licences.md``."""
    extras: dict[str, list[str]] = {}
    for extra, group in declared().items():
        for name in group:
            extras.setdefault(name, []).append(extra)
    rows = [f"| {name} | {licence(name)} | {', '.join(extras[name])} |" for name in sorted(extras)]
    along = brought_along()
    more = [
        f"| {name} | {licence(name)} | {', '.join(sorted(along[name]))} |"
        for name in sorted(along)
        if is_copyleft(name)
    ]
    return _HEAD + "\n".join(rows) + "\n" + _TAIL + "\n".join(more) + "\n" + _WHEELS


def _texts(name: str) -> list[str]:
    """Tell the licence by the words of the file that a package brings along, where it says no more."""
    files = [file for file in metadata.files(name) or [] if file.name.startswith("LICENSE")]
    return [known for file in files for words, known in _WORDS.items() if words in file.read_text()]


def _classifiers(name: str) -> list[str]:
    every = metadata.metadata(name).get_all("Classifier") or []
    return [line for line in every if line.startswith("License ::")]


def _is_installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


if __name__ == "__main__":
    sys.stdout.write(licences())
