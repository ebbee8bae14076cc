"""Who may import whom: the contracts of pyproject.toml, and packages that cost nothing to import."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT

PACKAGES = sorted(path for name in ("squint", "app") for path in (ROOT / name).rglob("__init__.py"))


def test_imports_run_from_pages_through_the_app_to_the_library_and_never_in_a_circle() -> None:
    # In a process of its own: it ends the loggers of the one that it runs in.
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache"]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", PACKAGES, ids=lambda path: str(path.relative_to(ROOT).parent))
def test_a_package_imports_its_parts_only_when_they_are_asked_for(path: Path) -> None:
    code = [line for line in ast.parse(path.read_text()).body if not _is_docstring(line)]
    if path in _FIRST:
        (first,) = (line for line in code if ast.unparse(line) == _FIRST[path])
        code.remove(first)
    lazy = ast.parse(
        "import lazy_loader\n__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)"
    ).body
    assert not code or [ast.dump(line) for line in code] == [ast.dump(line) for line in lazy]


_FIRST = {  # what must be said before torch, or Arrow, is imported
    ROOT / "squint" / "__init__.py": "from squint import threads as threads",
    ROOT / "app" / "__init__.py": "from app.web import memory as memory",
}


def _is_docstring(line: ast.stmt) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant)
