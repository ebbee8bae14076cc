"""A PostgreSQL server of the tests' own, from Debian's programs, on a socket in a temporary folder."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_FOLDERS = "/usr/lib/postgresql"


class Postgres:
    """A server, which can be stopped and started again."""

    def __init__(self, programs: Path, folder: Path, user: str | None) -> None:
        self._programs, self.folder, self._user = programs, folder, user
        self._run(
            "initdb",
            "--auth=trust",
            "--username=postgres",
            "--no-sync",
            "--encoding=UTF8",
            "-D",
            str(folder / "data"),
        )
        self.start()

    @property
    def url(self) -> str:
        """Where it is, for SQUINT_DATABASE_URL."""
        return self.url_of("postgres")

    def url_of(self, name: str) -> str:
        """Give the URL of one of its databases."""
        return f"postgresql+psycopg://postgres@/{name}?host={self.folder}"

    def create(self, name: str, *options: str) -> str:
        """Make an empty database; return its URL."""
        self._run("createdb", "--host", str(self.folder), "--username=postgres", *options, name)
        return self.url_of(name)

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        options = f"-c listen_addresses='' -c unix_socket_directories={self.folder} -c fsync=off"
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-o", options, "-l", log, "-w", "start")

    def stop(self) -> None:
        """Stop the server at once; connections are cut."""
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop")

    def _run(self, program: str, *words: str) -> None:
        done = subprocess.run(
            [str(self._programs / program), *words],
            check=False,
            stdout=subprocess.DEVNULL,  # a pipe would stay open as long as the server that it is handed to
            stderr=subprocess.DEVNULL,
            user=self._user,
            cwd=self.folder,
        )
        assert done.returncode == 0, f"{program} of PostgreSQL ended with {done.returncode}"


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Start a server; the test is skipped where PostgreSQL is not installed."""
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian: postgresql), so it is not tried")
    user = "postgres" if os.getuid() == 0 else None  # it refuses to run as root
    folder = Path(tempfile.mkdtemp(prefix="squint-postgres-"))
    try:
        if user:
            shutil.chown(folder, user)
        server = Postgres(programs, folder, user)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path | None:
    """Find the folder of initdb: Debian keeps it off the path."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else []
    folders += sorted(Path(_FOLDERS).glob("*/bin"), reverse=True)
    return next((f for f in folders if all((f / p).exists() for p in ("initdb", "pg_ctl", "createdb"))), None)
