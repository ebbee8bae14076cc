"""Files to download: figures through Chrome, tables as CSV, all stamped. Runs in the worker."""

import io
import json
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import kaleido
import plotly.io
from PIL import Image

from squint.chrome import find_chrome
from squint.errors import InputError
from squint.files import write_bytes, write_text
from squint.library.tables import read_table
from squint.pl._stamp import stamp_pdf, stamp_png, stamp_svg
from squint.spreadsheet import csv_text

SCREEN_DPI = 96
_TRIES = 2  # Chrome failed once in 45 when tried
_LIMIT_S = 60.0  # for one figure


def draw(folder: Path, kind: str, stamp: Mapping[str, str], *, dpi: int = 300) -> Path:
    """Turn ``figure.json`` in a folder into ``figure.KIND``, the stamp in its metadata.

    Parameters
    ----------
    folder
        Where the figure is and the file will be.
    kind
        ``"png"``, ``"svg"``, ``"pdf"`` or ``"html"``.
    stamp
        Text by name.
    dpi
        Dots per inch of a PNG.

    Raises
    ------
    InputError
        If there is no Chrome to draw with.
    """
    figure = json.loads((folder / "figure.json").read_text())
    path = folder / f"figure.{kind}"
    if kind == "html":
        write_text(path, plotly.io.to_html(figure, include_plotlyjs=True))
        return path
    drawn = _render(figure, kind, dpi / SCREEN_DPI if kind == "png" else 1)
    if kind == "png":
        with Image.open(io.BytesIO(drawn)) as image:
            write_bytes(path, stamp_png(image, stamp, dpi))
    elif kind == "svg":
        write_text(path, stamp_svg(drawn.decode(), stamp))
    else:
        write_bytes(path, stamp_pdf(drawn, stamp))
    return path


def _render(figure: dict[str, Any], kind: str, scale: float) -> bytes:
    chrome = find_chrome()
    if chrome is None:
        raise InputError(
            "There is no Chrome or Chromium on the server to draw figures with "
            "(Debian: apt install chromium). The HTML figure and the CSV table work without it."
        )
    options = {
        "format": kind,
        "width": figure["layout"]["width"],
        "height": figure["layout"]["height"],
        "scale": scale,
    }
    end = time.monotonic() + _LIMIT_S
    for _ in range(_TRIES):
        left = end - time.monotonic()
        try:
            with _all_ended_after(left):
                how = {"timeout": left, "mathjax": False, "path": chrome}
                return bytes(kaleido.calc_fig_sync(figure, opts=options, kopts=how))
        except Exception:  # noqa: BLE001 - kaleido raises whatever Chrome's death looks like
            if time.monotonic() > end:
                break
    raise InputError(
        "Chrome could not draw this figure. Try again, or take the HTML figure and the CSV table."
    )


@contextmanager
def _all_ended_after(seconds: float) -> Iterator[None]:
    """End the programs that the block starts when it ends, and those that do not listen after some time."""
    before = _programs()

    def end_all() -> None:
        for leader in _programs() - before:  # Chrome, which is the first of a session of its own
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(leader, signal.SIGKILL)

    timer = threading.Timer(max(seconds, 0.0), end_all)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        end_all()


def _programs() -> set[int]:
    """List the processes that this one started and that live."""
    found = set[int]()
    for told in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):  # of a thread that has just ended
            found.update(map(int, told.read_text().split()))
    return found


def write_csv(folder: Path, stamp: Mapping[str, str]) -> Path:
    """Turn ``table.parquet`` in a folder into ``table.csv``, headed by a byte-order mark and the stamp."""
    path = folder / "table.csv"
    text = csv_text(read_table(folder / "table.parquet"), stamp)
    write_bytes(path, text.encode("utf-8-sig"))  # or Excel on Windows shows "Âµm" for "µm"
    return path
