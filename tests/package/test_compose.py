"""What compose.yaml promises holds: read, checked by docker-compose, and run as it says without Docker.

For the last, its commands run as an unprivileged user without capabilities, on a root file system that is
read-only but for the library and an empty /tmp, with PostgreSQL from this machine. That needs root and the
right to make name spaces, as in most containers.
"""

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from httpx2 import HTTPError, get

from tests.helpers.app import wait_for
from tests.helpers.dashboard import free_port
from tests.helpers.paths import ROOT
from tests.helpers.postgres import postgres
from tests.helpers.visits import visit

FILE = ROOT / "compose.yaml"
SERVICES = ("web", "engine", "postgres")
DOCKER_COMPOSE = shutil.which("docker-compose")
APART = [shutil.which("unshare") or "unshare", "--mount", "bash", "-c"]
PLACE = "/mnt"  # any folder that every system has: what is mounted there is gone with the process


def composed() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return found


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_bounded_and_has_no_more_rights_than_it_needs(name: str) -> None:
    service = composed()["services"][name]
    assert service["user"] not in {"root", "0", "0:0"}
    assert service["read_only"] is True
    assert service["init"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "privileged" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"mem_limit", "cpus", "pids_limit", "healthcheck", "tmpfs", "restart"} <= service.keys()
    assert service["logging"]["options"]["max-size"]
    for key, value in service.get("environment", {}).items():
        assert not any(word in key for word in ("PASSWORD", "URL", "TOKEN")) or key.endswith("_FILE"), key
        assert str(value).startswith("/run/secrets/") or not key.endswith("_FILE")


def test_only_the_dashboard_is_reached_and_only_from_this_machine() -> None:
    found = composed()
    assert found["networks"]["inside"] == {"internal": True}
    for name in SERVICES:
        service = found["services"][name]
        assert service["networks"] == (["front", "inside"] if name == "web" else ["inside"])
        assert service.get("ports", []) == (["127.0.0.1:8501:8501"] if name == "web" else [])


def test_the_image_holds_no_tools_to_build_and_does_not_run_as_root() -> None:
    *_, last = (ROOT / "Dockerfile").read_text().split("\nFROM ")
    assert "\nUSER 10001:10001\n" in last
    assert "pip install" not in last
    assert not any(word in last for word in ("gcc", "build-essential", "git "))
    service = composed()["services"]["web"]
    assert service["user"] == "10001:10001"


@pytest.mark.skipif(DOCKER_COMPOSE is None, reason="docker-compose is not installed")
def test_docker_compose_takes_it() -> None:
    assert DOCKER_COMPOSE is not None
    done = subprocess.run(
        [DOCKER_COMPOSE, "-f", str(FILE), "config", "-q"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def may_mount() -> bool:
    if os.getuid() != 0 or not all(map(shutil.which, ("unshare", "setpriv", "mount"))):
        return False
    command = [*APART, f"mount -t tmpfs tmpfs {PLACE}"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@contextmanager
def service(name: str, folder: Path, **other: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a service as compose.yaml says; ``other`` replaces what depends on Docker's networks."""
    said = composed()["services"][name]
    environment = {**said["environment"], "SQUINT_HOME": f"{PLACE}/library", **other}
    words = [word.replace("0.0.0.0", "127.0.0.1") for word in said["command"]]  # noqa: S104
    words = [word.replace("8501", other.get("PORT", "8501")) for word in words]
    user, _, group = said["user"].partition(":")
    with (folder / f"{name}.log").open("ab") as log:
        running = subprocess.Popen(
            [*APART, caged(folder, [sys.executable, *words[1:]], user, group)],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "HOME": "/tmp", "PYTHONPATH": str(ROOT), **environment},  # noqa: S108
            stdout=log,
            stderr=log,
        )
    try:
        yield running
    finally:
        running.terminate()
        running.wait(90)


def lend_python() -> str:
    """Give the lines that let others run a Python that lies in a folder of one's own."""
    python, own = Path(sys.base_prefix), Path.home()
    if not python.is_relative_to(own):
        return "true"
    return f"""mount --bind {python} {PLACE}/python
        mount -t tmpfs -o mode=755 tmpfs {own}
        mkdir -p {python}
        mount --bind {PLACE}/python {python}
        mount -o remount,ro {own}"""


def caged(folder: Path, words: list[str], user: str, group: str) -> str:
    """Write a script that runs a command where only the library and /tmp can be written."""
    return f"""set -e
        mount --make-rprivate /
        mount -t tmpfs tmpfs {PLACE}
        mkdir {PLACE}/library {PLACE}/secrets {PLACE}/postgres {PLACE}/python
        {lend_python()}
        mount --bind {folder}/library {PLACE}/library
        mount --bind -o ro {folder}/secrets {PLACE}/secrets
        mount --bind {folder}/postgres {PLACE}/postgres
        mount -o remount,ro,bind {PLACE}/postgres
        mount -o remount,ro {PLACE}
        mount -o remount,ro,bind /
        mount -t tmpfs -o mode=1777,size=2g tmpfs /tmp
        exec setpriv --reuid {user} --regid {group} --clear-groups --no-new-privs --bounding-set -all \\
            {shlex.join(words)}"""


@pytest.mark.slow
@pytest.mark.skipif(not may_mount(), reason="this needs root, and the right to make name spaces")
def test_web_engine_and_postgresql_work_together_and_write_nowhere_else(tmp_path: Path) -> None:
    for name in ("library", "secrets"):
        (tmp_path / name).mkdir()
    os.chown(tmp_path / "library", 10001, 10001)
    with postgres() as server:
        server.folder.chmod(0o755)
        (tmp_path / "secrets" / "database_url").write_text(
            f"postgresql+psycopg://postgres@/postgres?host={PLACE}/postgres"
        )
        work_together(tmp_path, server.folder)


def work_together(folder: Path, database: Path) -> None:
    (folder / "postgres").symlink_to(database)  # a mount follows it
    port, url = str(free_port()), f"{PLACE}/secrets/database_url"
    address = f"http://127.0.0.1:{port}"
    settings = {"SQUINT_DATABASE_URL_FILE": url, "SQUINT_HOSTS": "", "PORT": port}
    refused = ["bash", "-c", "touch /mnt/library/a /tmp/b && ! touch /c /mnt/d /app 2>/dev/null && id -u"]
    done = subprocess.run(
        [*APART, caged(folder, refused, "10001", "10001")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.strip(), done.returncode) == ("10001", 0), done.stderr
    (folder / "library" / "a").unlink()

    def status(path: str) -> int:
        try:
            return get(f"{address}{path}", timeout=30).status_code
        except HTTPError:
            return 0

    with service("web", folder, **settings) as web:
        wait_for(lambda: status("/health") == 200 or web.poll() is not None, 120)
        time.sleep(3)
        assert status("/ready") == 503  # it starts no engine of its own
        assert status("/health") == 200
        with service("engine", folder, **settings) as engine:
            wait_for(lambda: status("/ready") == 200 or engine.poll() is not None, 240)
            visit(address, "")  # asks for the samples
            wait_for(lambda: len(list((folder / "library" / "sections").iterdir())) > 1, 240)
            heard = [sys.executable, "-m", "squint.engine.heard"]
            command = caged(folder, heard, "10001", "10001")
            checked = subprocess.run(
                [*APART, command],
                cwd=ROOT,
                env={
                    "PATH": os.environ["PATH"],
                    "PYTHONPATH": str(ROOT),
                    "SQUINT_HOME": f"{PLACE}/library",
                    "SQUINT_DATABASE_URL_FILE": url,
                },
                check=False,
            )
            assert checked.returncode == 0
            assert not (folder / "library" / "library.sqlite").exists()
    for name in ("web", "engine"):
        log = (folder / f"{name}.log").read_text()
        assert not [word for word in ("Read-only", "Permission denied", "Traceback") if word in log], log
