"""Exports carry their stamp, and a table cannot run anything."""

import json
import os
import shutil
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from PIL import Image
from pypdf import PdfReader
from streamlit.testing.v1 import AppTest

from app.exports import drawing
from app.exports.figure import for_print, write_figure, write_rows
from app.exports.stamp import counts, stamp
from app.models import ModelFacts
from app.settings import NOTICE
from squint.chrome import find_chrome
from squint.errors import InputError
from squint.library.store import Library, Section
from squint.pp import QualityFilter
from tests.helpers.app import PAGES, wait_for

pytestmark = pytest.mark.slow

SECTION = Section(
    id="ab" * 8,
    sha256="ab" * 32,
    section="S<1>",
    patient="=P",
    organ="",
    assay="",
    added="2026-01-01T00:00:00+00:00",
    n_cells=3,
    n_genes=2,
    n_cell_types=0,
    unit="um",
    values="counts",
    median_depth=1.0,
    simulated=True,
)
MODEL = ModelFacts("toy", "cd" * 32, 5, 2, "ef" * 32, 1, simulated=True)


@pytest.fixture
def marks() -> Mapping[str, str]:
    return stamp("A map", [SECTION], MODEL, {"codes": "1, 2"})


def test_the_stamp_says_what_from_what_and_when(marks: Mapping[str, str]) -> None:
    text = json.dumps(marks)
    assert NOTICE in text
    assert "cdcdcdcdcdcd" in text
    assert "efefefefefef" in text
    assert "abababababab" in text
    assert "codes: 1, 2" in text
    assert "UTC" in text
    assert marks["Cells"] == "n = 3 cells, 1 section, 1 patient"
    assert "Simulated" in marks


def test_the_stamp_says_what_was_left_out_of_which_section(marks: Mapping[str, str]) -> None:
    assert "Low quality" not in marks
    filtered = replace(SECTION, n_left_out=1_200, quality=QualityFilter(10, in_tissue=True))
    said = stamp("A map", [SECTION, filtered], MODEL, {})["Low quality"]
    assert said == f"{SECTION.title}: 1,200 cells left out: fewer than 10 counts, not in tissue"


def test_patients_are_counted_once() -> None:
    assert counts([SECTION, SECTION]) == "n = 6 cells, 2 sections, 1 patient"


def test_a_printed_figure_is_white_and_says_it_all(marks: Mapping[str, str]) -> None:
    figure = for_print(go.Figure(go.Scatter(y=[1, 2])), marks)
    text = " ".join(note.text for note in figure.layout.annotations)
    assert NOTICE in text
    assert "n = 3 cells" in text
    assert "S&lt;1&gt;" in text
    assert figure.layout.plot_bgcolor == "white"


@pytest.mark.skipif(find_chrome() is None, reason="there is no Chrome to draw with")
def test_figures_carry_the_stamp_in_their_metadata(library: Library, marks: Mapping[str, str]) -> None:
    folder = write_figure(library, for_print(go.Figure(go.Scatter(y=[1, 2])), marks))
    pdf, png, svg = (drawing.draw(folder, kind, marks) for kind in ("pdf", "png", "svg"))
    assert pdf.read_bytes().startswith(b"%PDF")
    assert PdfReader(pdf).metadata["/Notice"] == NOTICE
    assert "cdcdcdcdcdcd" in PdfReader(pdf).metadata["/Subject"]
    with Image.open(png) as image:
        assert image.info["Notice"] == NOTICE
        assert round(image.info["dpi"][0]) == 300
        assert image.convert("RGB").getpixel((5, 5)) == (255, 255, 255)
        coarse = image.size
    with Image.open(drawing.draw(folder, "png", marks, dpi=600)) as image:
        assert image.info["Notice"] == NOTICE
        assert round(image.info["dpi"][0]) == 600
        assert image.size == (2 * coarse[0], 2 * coarse[1])
    assert f"Notice: {NOTICE}" in svg.read_text()
    assert "S&lt;1&gt;" in svg.read_text()


def test_without_chrome_there_is_a_plain_word_and_html(
    library: Library, marks: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    folder = write_figure(library, for_print(go.Figure(go.Scatter(y=[1, 2])), marks))
    with pytest.raises(InputError, match="apt install chromium"):
        drawing.draw(folder, "pdf", marks)
    assert NOTICE in drawing.draw(folder, "html", marks).read_text()


@pytest.mark.skipif(find_chrome() is None, reason="there is no Chrome to draw with")
def test_nothing_of_chrome_stays_after_a_figure(library: Library, marks: Mapping[str, str]) -> None:
    folder = write_figure(library, for_print(go.Figure(go.Scatter(y=[1, 2])), marks))
    others = chromes()  # of browser tests in this process
    drawing.draw(folder, "pdf", marks)
    assert chromes() <= others


@pytest.mark.skipif(find_chrome() is None, reason="there is no Chrome to draw with")
def test_a_chrome_that_hangs_is_ended(
    library: Library, marks: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "_LIMIT_S", 8.0)
    folder, stopped = write_figure(library, for_print(go.Figure(go.Scatter(y=[1, 2])), marks)), []
    others = chromes()  # of browser tests in this process: these are not to be frozen

    def freeze() -> None:
        wait_for(lambda: chromes() - others)
        for pid in chromes() - others:
            os.kill(pid, signal.SIGSTOP)
            stopped.append(pid)

    thread = threading.Thread(target=freeze)
    thread.start()
    with pytest.raises(InputError, match="could not draw"):
        drawing.draw(folder, "pdf", marks)
    thread.join()
    assert stopped
    wait_for(lambda: chromes() <= others)
    assert not list(folder.glob("figure.pdf"))


@pytest.mark.skipif(find_chrome() is None, reason="there is no Chrome to draw with")
def test_a_chrome_that_dies_is_started_again_or_said(
    library: Library, marks: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "_LIMIT_S", 20.0)
    folder, over, killed = (
        write_figure(library, for_print(go.Figure(go.Scatter(y=[1, 2])), marks)),
        threading.Event(),
        [],
    )
    others = chromes()

    def kill() -> None:
        while not over.wait(0.05):
            for pid in chromes() - others:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        with pytest.raises(InputError, match="take the HTML figure"):
            drawing.draw(folder, "pdf", marks)
    finally:
        over.set()
        thread.join()
    assert killed
    assert not list(folder.glob("figure.pdf"))
    assert NOTICE in drawing.draw(folder, "html", marks).read_text()
    assert drawing.draw(folder, "pdf", marks).read_bytes().startswith(b"%PDF")  # once it lives


@pytest.mark.skipif(find_chrome() is None, reason="there is no Chrome to draw with")
def test_a_figure_of_nothing_is_drawn(library: Library, marks: Mapping[str, str]) -> None:
    folder = write_figure(library, for_print(go.Figure(), marks))
    assert NOTICE in PdfReader(drawing.draw(folder, "pdf", marks)).pages[0].extract_text().replace("\n", " ")


def chromes() -> set[int]:
    """List the processes of Chrome below this one that have not ended."""
    found, looking = set[int](), [os.getpid()]
    while looking:
        pid = looking.pop()
        for told in Path(f"/proc/{pid}/task").glob("*/children"):
            with suppress(OSError):  # it has just ended
                looking += map(int, told.read_text().split())
        with suppress(OSError):
            if b"--remote-debugging-pipe" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.add(pid)
    return found


def test_a_table_has_every_row_the_stamp_and_no_formula(library: Library, marks: Mapping[str, str]) -> None:
    hostile = ["=HYPERLINK(1)", "+1", "-1", "@x", "\tx", "plain", None, "<b>", "a\0b", "😀"]
    table = pd.DataFrame({"=name": hostile, "value": np.arange(-5.0, 5.0)})
    path: Path = drawing.write_csv(write_rows(library, table), marks)
    assert path.read_bytes().startswith(b"\xef\xbb\xbf# Title")  # or Excel on Windows shows "Âµm"
    lines = path.read_text("utf-8-sig").splitlines()
    assert f"# Notice: {NOTICE}" in lines
    assert "# Cells: n = 3 cells, 1 section, 1 patient" in lines
    back = pd.read_csv(path, comment="#")
    assert list(back) == ["'=name", "value"]
    assert len(back) == len(hostile)
    assert back["'=name"].tolist()[:6] == ["'=HYPERLINK(1)", "'+1", "'-1", "'@x", " x", "plain"]
    assert back["value"].tolist() == table["value"].tolist()


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("page", sorted(PAGES))
def test_no_chart_offers_a_picture_without_the_stamp(visit: Callable[..., AppTest], page: str) -> None:
    for chart in visit(page).get("plotly_chart"):
        assert "toImage" in json.loads(chart.proto.config)["modeBarButtonsToRemove"]


def test_stamp_and_heading_keep_to_the_edge_and_to_themselves(marks: Mapping[str, str]) -> None:
    figure = go.Figure(go.Scatter(x=[1], y=[0]))
    figure.update_yaxes(tickvals=[0], ticktext=["a very long label of a group of cells"])
    figure.update_layout(title="its own heading", margin={"l": 8, "b": 50})
    printed = for_print(figure, marks)
    left = printed.layout.margin.l
    assert left > 200
    assert {note.xshift for note in printed.layout.annotations} == {40 - left}
    assert printed.layout.title.y < 1
    plain = for_print(go.Figure(go.Scatter(x=[1], y=[0])), marks)
    assert plain.layout.margin.l == 40
    assert "A map" in plain.layout.annotations[0].text


def test_a_legend_of_several_rows_is_not_drawn_over_the_title(marks: Mapping[str, str]) -> None:
    def printed(n_names: int) -> go.Figure:
        figure = go.Figure(
            [go.Scatter(y=[1], name=f"higher in a group of cells {i}") for i in range(n_names)]
        )
        legend = {"orientation": "h", "y": 1.02, "yanchor": "bottom"}
        return for_print(figure.update_layout(height=400, margin={"t": 40, "b": 8}, legend=legend), marks)

    one_row, three_rows = printed(2), printed(9)
    more = three_rows.layout.margin.t - one_row.layout.margin.t
    assert more >= 2 * 20 - 8  # one row fits into the margin there is
    assert three_rows.layout.height - one_row.layout.height == more  # the plot is as high as before
    title, n_cells = three_rows.layout.annotations[:2]
    assert three_rows.layout.margin.t - 14 == title.yshift
    assert n_cells.yshift - 16 >= 3 * 20 + 8  # the line below the title ends above the legend
