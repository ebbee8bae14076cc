"""Whether vulnerabilities of what is installed are known: ``make vulnerabilities``.

``python -m tests.helpers.vulnerabilities [-s osv] [--osv-url URL]`` asks PyPI, or OSV, by pip-audit, for each
installed Python package; the names and versions of these leave the machine. With ``--advisories FILE`` nobody
is asked: :mod:`tests.helpers.advisories` says what the file is, which another machine fetched. Exit status:

====  =======================================================================
0     all were looked up, and no vulnerability is known
1     vulnerabilities are known
3     nothing is known of some or all of them, as where there is no network
====  =======================================================================

pip-audit itself says "No known vulnerabilities found" where it could look up nothing. So what it skipped is
counted, and one version whose vulnerabilities have long been known is asked for too: a source that knows none
of them, such as a mirror of PyPI, says nothing of others either.

It does not see Python itself, Debian's packages (Chromium), nor the compiled libraries inside wheels; of a
version with a local part, as torch's ``+cpu``, it asks for that without.
"""

import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from tests.helpers.advisories import Advisories
from tests.helpers.sbom import installed

NONE, FOUND, UNKNOWN = 0, 1, 3
_KNOWN = ("jinja2", "2.11.2")  # CVE-2020-28493 and others


def main(options: list[str], packages: Mapping[str, str] | None = None) -> int:
    """Ask of packages and their versions, or of all installed ones; say what came of it, as a status too."""
    asked = {name: version.partition("+")[0] for name, version in (packages or installed()).items()}
    source = _file(Path(options[1])) if options[:1] == ["--advisories"] else _service(options)
    answers = source.ask([*asked.items()]) if source is not None else None
    if source is None or answers is None:
        _say("Not known: the source could not be reached or read. This says nothing about vulnerabilities.")
        return UNKNOWN
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    _say(f"{len(asked)} packages, asked of {source.words} on {when}.")
    found = {one["name"]: one["vulns"] for one in answers if one.get("vulns")}
    for name, vulnerabilities in found.items():
        for one in vulnerabilities:
            mended = ", ".join(one["fix_versions"]) or "no version yet"
            _say(f"{name} {asked.get(name, '')}: {one['id']}, mended in {mended}")
    known = source.ask([_KNOWN])
    looked_up = {one["name"] for one in answers if "skip_reason" not in one}
    unknown = sorted(asked.keys() - looked_up)
    if not known or not known[0].get("vulns"):
        _say(
            f"Not known: the source knows no vulnerability of {' '.join(_KNOWN)}, which has some. "
            "This says nothing about others."
        )
        return FOUND if found else UNKNOWN
    if unknown:
        _say(f"Not known of {len(unknown)}, which the source does not have: {', '.join(unknown)}.")
    if found:
        return FOUND
    if unknown:
        return UNKNOWN
    _say("No vulnerability is known.")
    return NONE


class _Source(NamedTuple):
    words: str  # what it is
    ask: Callable[[list[tuple[str, str]]], list[dict[str, Any]] | None]  # None: it could not be asked


def _file(path: Path) -> _Source | None:
    try:
        known = Advisories(path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        _say(f"{path}: {error or type(error).__name__}")
        return None
    words = f"{known.n:,} advisories of {path.name}, the newest of {known.newest[:10] or 'no date'},"
    return _Source(words, lambda packages: [known.of(*package) for package in packages])


def _service(options: list[str]) -> _Source:
    service = options[options.index("-s") + 1] if "-s" in options else "pypi"
    return _Source(f"{service} by pip-audit", lambda packages: _ask(packages, options))


def _ask(packages: list[tuple[str, str]], options: list[str]) -> list[dict[str, Any]] | None:
    """Run pip-audit; ``None`` if it could not ask."""
    with tempfile.TemporaryDirectory() as folder:
        listed, answer = Path(folder) / "requirements.txt", Path(folder) / "answer.json"
        listed.write_text("".join(f"{name}=={version}\n" for name, version in packages))
        command = [
            sys.executable,
            "-m",
            "pip_audit",
            "--disable-pip",
            "--no-deps",
            "--progress-spinner",
            "off",
        ]
        done = subprocess.run(
            [*command, "-r", str(listed), "-f", "json", "-o", str(answer), *options],
            capture_output=True,
            text=True,
            check=False,
        )
        if not answer.exists():
            _say(
                next((line for line in reversed(done.stderr.splitlines()) if line), "pip-audit said nothing")
            )
            return None
        return [
            {**one, "name": one["name"].lower().replace("_", "-")}
            for one in json.loads(answer.read_text())["dependencies"]
        ]


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
