"""Files to download: figures through Chrome, tables as CSV, all stamped. Runs in the worker."""

import io
import json
from collections.abc import Mapping
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
_LIMIT_S = 60
_server = {"running": False}


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
    if find_chrome() is None:
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
    for _ in range(_TRIES):
        try:
            if not _server["running"]:
                kaleido.start_sync_server(n=1, timeout=_LIMIT_S, mathjax=False, path=find_chrome())
                _server["running"] = True
            return bytes(kaleido.calc_fig_sync(figure, opts=options))
        except Exception:  # noqa: BLE001 - kaleido raises whatever Chrome's death looks like
            stop()
    raise InputError(
        "Chrome could not draw this figure. Try again, or take the HTML figure and the CSV table."
    )


def stop() -> None:
    """End Chrome, if it runs."""
    kaleido.stop_sync_server(silence_warnings=True)
    _server["running"] = False


def write_csv(folder: Path, stamp: Mapping[str, str]) -> Path:
    """Turn ``table.parquet`` in a folder into ``table.csv``, headed by a byte-order mark and the stamp."""
    path = folder / "table.csv"
    text = csv_text(read_table(folder / "table.parquet"), stamp)
    write_bytes(path, text.encode("utf-8-sig"))  # or Excel on Windows shows "Âµm" for "µm"
    return path
