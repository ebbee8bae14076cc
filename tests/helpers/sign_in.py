"""Sign-in as users meet it: a real identity provider on this machine, and the dashboard that asks it."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.helpers.dashboard import PATIENCE, end_engine, free_port, serve
from tests.helpers.paths import ROOT

_SECRET = "only for tests on this machine"  # noqa: S105 - as it says


@dataclass
class Provider:
    """An identity provider that runs."""

    address: str
    process: "subprocess.Popen[str]"

    def knows(self, people: Mapping[str, Mapping[str, Any]]) -> None:
        """Say what it says of each login from now on."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps(people), file=self.process.stdin, flush=True)
        assert self.process.stdout.readline().strip() == "people"


@contextmanager
def provider(port: int, redirect: str, token_s: int = 3600) -> Iterator[Provider]:
    """Start the identity provider; the test is skipped where it is not installed."""
    node = shutil.which("node")
    if node is None or not (ROOT / "node_modules" / "oidc-provider").is_dir():
        pytest.skip("node, or oidc-provider in node_modules, is not installed: run `npm ci`")
    process = subprocess.Popen(
        [node, "tests/helpers/provider.mjs", str(port), redirect, str(token_s)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "ready"
        yield Provider(f"http://127.0.0.1:{port}", process)
    finally:
        process.kill()
        process.communicate()  # which closes its pipes


def write_secrets(path: Path, address: str, issuer: str) -> Path:
    """Write the secrets of a dashboard whose people sign in."""
    path.write_text(
        f"""[auth]
redirect_uri = "{address}/oauth2callback"
cookie_secret = "{_SECRET}"
client_id = "squint"
client_secret = "{_SECRET}"
server_metadata_url = "{issuer}/.well-known/openid-configuration"
client_kwargs = {{ scope = "openid profile email groups", prompt = "login" }}
"""
    )
    return path


@contextmanager
def hospital(
    folder: Path, people: Mapping[str, Mapping[str, Any]], *, token_s: int = 3600, **more: str
) -> Iterator[tuple[str, Provider]]:
    """Start a provider that knows some people, and a dashboard that asks it; give its address, and that."""
    port, other = free_port(), free_port()
    address = f"http://127.0.0.1:{port}"
    with provider(other, f"{address}/oauth2callback", token_s) as asked:
        asked.knows(people)
        secrets = write_secrets(folder / "secrets.toml", address, asked.address)
        server = serve(folder / "home", port, STREAMLIT_SECRETS_FILES=str(secrets), **more)
        try:
            yield address, asked
        finally:
            server.terminate()
            server.wait(60)
            end_engine(folder / "home")


def sign_in(page: Page, address: str, login: str) -> None:
    """Sign in by the forms of the provider, as a person does."""
    page.goto(address, timeout=PATIENCE)
    page.get_by_role("button", name="Sign in").click(timeout=PATIENCE)
    page.get_by_placeholder("Enter any login").fill(login, timeout=PATIENCE)
    page.get_by_placeholder("and password").fill("any")
    page.get_by_role("button", name="Sign-in").click()
    consent = page.get_by_role("button", name="Continue")
    consent.click(timeout=PATIENCE)
    expect(page.get_by_role("heading", name="Sections", exact=True)).to_be_visible(timeout=PATIENCE)
