"""What a large file, and many small ones, cost the web process on their way from a browser to the disk."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, Playwright, expect

from squint import datasets
from squint.chrome import find_chrome
from tests.helpers.dashboard import PATIENCE, chromium, started

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.skipif(find_chrome() is None, reason="chromium is not installed"),
]
Record = Callable[[str, str, str], None]
MB = 500
N_FILES = 5_000
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


@contextmanager
def opened(playwright: Playwright, home: Path) -> Iterator[tuple[Page, Path]]:
    """Start the dashboard, and give its page and the web process once both are at rest."""
    home.mkdir()
    (home / "samples_imported").touch()
    with started(home) as address, chromium(playwright) as browser:
        page = browser.new_page()
        page.goto(address)
        expect(page.get_by_text("on CPU").or_(page.get_by_text("on GPU"))).to_be_visible(timeout=PATIENCE)
        expect(page.locator(".drop input.file")).to_be_attached(timeout=PATIENCE)
        page.wait_for_timeout(2_000)
        yield page, web_process(address)


def measure(page: Page, process: Path, give: Callable[[], None], come: str) -> tuple[float, str]:
    """Give something and remove it again; say what it took."""
    before = megabytes(process, "VmRSS")
    (process / "clear_refs").write_text("5")  # VmHWM begins anew
    start = time.perf_counter()
    give()
    expect(page.get_by_text(come)).to_be_visible(timeout=2 * PATIENCE)
    seconds = time.perf_counter() - start
    page.wait_for_timeout(3_000)
    most, after = (megabytes(process, name) - before for name in ("VmHWM", "VmRSS"))
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("has come")).to_have_count(0, timeout=PATIENCE)
    return most, f"{most:.0f} MB at most, {after:.0f} MB after, {seconds:.1f} s"


def test_a_large_file(playwright: Playwright, tmp_path: Path, record: Record):
    path = tmp_path / "large.h5ad"
    large_section(path)
    with opened(playwright, tmp_path / "library") as (page, process):
        for i in range(N_TIMES):
            most, said = measure(
                page,
                process,
                lambda: page.locator(".drop input.file").set_input_files(path),
                f"{MB}.0 MB, sha256",
            )
            record(
                f"{MB} MB streamed by a browser, extra memory of the web process, time {i + 1}", said, "50 MB"
            )
    assert most <= 50


def test_many_small_files(playwright: Playwright, tmp_path: Path, record: Record):
    folder = tmp_path / "s.zarr"
    for i in range(N_FILES):
        (folder / f"{i % 50}").mkdir(parents=True, exist_ok=True)
        (folder / f"{i % 50}" / f"{i}").write_bytes(bytes(1_000))
    with opened(playwright, tmp_path / "library") as (page, process):
        session = page.context.new_cdp_session(page)
        data = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}

        def drop() -> None:
            box = page.locator(".drop .zone").bounding_box()
            assert box is not None
            for kind in ("dragEnter", "dragOver", "drop"):
                place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + 10}
                session.send("Input.dispatchDragEvent", {"type": kind, **place, "data": data})

        for i in range(N_TIMES):
            most, said = measure(page, process, drop, f"{N_FILES:,} files, {N_FILES / 1e3:.1f} MB, sha256")
            record(
                f"{N_FILES:,} files of 1 kB dropped, extra memory of the web process, time {i + 1}",
                said,
                "50 MB",
            )
    assert most <= 50
