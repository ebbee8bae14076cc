"""What a file of 500 MB costs the web process on its way from a browser to the disk."""

import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Playwright, expect

from squint import datasets
from squint.chrome import find_chrome
from tests.helpers.dashboard import PATIENCE, chromium, started

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.skipif(find_chrome() is None, reason="chromium is not installed"),
]
Record = Callable[[str, str, str], None]
MB = 500
N_TIMES = 3
_LISTENS = "0A"  # the state in /proc/net/tcp


def web_process(address: str) -> Path:
    """Find the folder in /proc of the process that listens on the port of an address."""
    port = f":{int(address.rpartition(':')[2]):04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    sockets = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(port) and row[3] == _LISTENS}
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if str(link.readlink()) in sockets:
                return link.parents[1]
        except OSError:  # processes and files come and go
            continue
    pytest.fail("the web process was not found")


def megabytes(process: Path, field: str) -> float:
    """Read an amount of memory: VmRSS now, or VmHWM at most."""
    (kilobytes,) = re.findall(rf"{field}:\s+(\d+) kB", (process / "status").read_text())
    return int(kilobytes) / 1024


def large_section(path: Path) -> None:
    """Write a section that can be read, and after it what makes it as large as is wanted."""
    adata = datasets.kidney(seed=7)[0]
    adata.obs = adata.obs[["section_id", "patient_id", "cell_type"]].copy()
    adata.write_h5ad(path)
    rng = np.random.default_rng(0)
    with path.open("ab") as file:
        while file.tell() < MB * 1_000_000:
            file.write(rng.bytes(min(1 << 24, MB * 1_000_000 - file.tell())))


def test_memory_of_the_web_process(playwright: Playwright, tmp_path: Path, record: Record):
    (home := tmp_path / "library").mkdir()
    (home / "samples_imported").touch()
    path = tmp_path / "large.h5ad"
    large_section(path)
    with started(home) as address, chromium(playwright) as browser:
        page = browser.new_page()
        page.goto(address)
        expect(page.get_by_text("on CPU").or_(page.get_by_text("on GPU"))).to_be_visible(timeout=PATIENCE)
        page.get_by_text("Larger than 200 MB").click()
        field = page.locator(".drop input[type=file]")
        expect(field).to_be_attached(timeout=PATIENCE)
        page.wait_for_timeout(2_000)
        process = web_process(address)
        before = megabytes(process, "VmRSS")
        (process / "clear_refs").write_text("5")  # VmHWM begins anew
        for i in range(N_TIMES):
            start = time.perf_counter()
            field.set_input_files(path)
            expect(page.get_by_text(f"{MB}.0 MB, sha256")).to_be_visible(timeout=2 * PATIENCE)
            seconds = time.perf_counter() - start
            expect(page.get_by_role("button", name="Keep and tokenise")).to_be_visible(timeout=PATIENCE)
            most, after = (megabytes(process, name) - before for name in ("VmHWM", "VmRSS"))
            measured = f"{most:.0f} MB at most, {after:.0f} MB after, {seconds:.1f} s"
            record(
                f"{MB} MB streamed by a browser, extra memory of the web process, time {i + 1}",
                measured,
                "50 MB",
            )
            page.get_by_role("button", name="Remove").click()
            expect(page.get_by_text("has come")).to_have_count(0, timeout=PATIENCE)
    assert most <= 50
