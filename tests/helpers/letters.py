"""Tissue in the shape of a letter, in a browser: how it lies can be told from its picture."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray
from PIL import Image, ImageColor
from playwright.sync_api import Browser, Page, expect
from scipy import sparse

import squint.io
from squint.library import ingest
from squint.library.store import Library
from squint.pl import LIGHT
from tests.helpers.dashboard import MAP, PATIENCE

HEAD = 42  # pixels above a panel
PARTS = ("stem", "top", "middle")  # of the letter, the largest first
SIDE = 1_000  # um


def letter() -> tuple[NDArray[np.float64], NDArray[np.object_]]:
    """Give cells (n, 2) in the shape of an F, y down, and the part of each."""
    x, y = np.meshgrid(np.arange(0, 600, 20.0), np.arange(0, SIDE, 20.0))
    place = np.stack([x.ravel(), y.ravel()], axis=1)
    stem, top = place[:, 0] < 140, place[:, 1] < 160
    middle = (place[:, 1] >= 400) & (place[:, 1] < 520) & (place[:, 0] < 420)
    part = np.where(stem, PARTS[0], np.where(top, PARTS[1], PARTS[2]))
    kept = stem | top | middle
    return place[kept], part[kept].astype(object)


def tissue(name: str) -> AnnData:
    """Make a section of the letter; the counts of its one gene fall from left to right."""
    place, part = letter()
    counts = np.round(60 - place[:, :1] / 10)
    adata = AnnData(
        X=sparse.csr_matrix(np.concatenate([counts, np.ones_like(counts)], axis=1).astype(np.float32)),
        obs=pd.DataFrame(
            {"section_id": name, "patient_id": "P-1", "cell_type": part},
            index=[f"{name}-{i}" for i in range(len(place))],
        ),
        var=pd.DataFrame(index=["ACTA2", "PTPRC"]),
    )
    adata.obsm["spatial"] = place
    adata.uns["squint"] = {"unit": "um"}
    return adata


def library_of_letters(home: Path, n: int, step_um: float | None = None) -> Library:
    """Fill a library with some sections of the letter, a step above each other if there is one."""
    library = Library(home)
    library.note_samples()
    labels = ingest.Labels({"P-1": "P-1"}, {}, organ="skin", assay="simulated")
    path = home.with_name("F.h5ad")
    for i in range(n):
        adata = tissue(f"F{i}")
        adata.X[0, 1] = i + 1  # sections are known by their content
        if step_um is not None:
            adata.obs["z_um"] = step_um * i
        adata.write_h5ad(path)
        (part,) = ingest.clean(squint.io.read(path), labels)
        ingest.add(library, part, labels)
    return library


@contextmanager
def opened(browser: Browser, address: str, script: str = "") -> Iterator[Page]:
    """Open a page in a new profile, with a script run before its own; errors of scripts fail in the end."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000}, accept_downloads=True)
    context.add_init_script(script)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(address)
    yield page
    context.close()
    assert not wrong


def at_rest(page: Page) -> None:
    """Wait until the page has run and the map is drawn."""
    ready = page.locator("[data-testid='stApp'][data-test-script-state='notRunning']")
    expect(ready).to_be_visible(timeout=PATIENCE)
    expect(page.locator(MAP).first).to_be_visible(timeout=PATIENCE)


def seen(page: Page) -> NDArray[np.int64]:
    """Give what the map shows (height, width, 3)."""
    at_rest(page)
    page.mouse.move(5, 5)
    picture = Image.open(BytesIO(page.locator(".stage").screenshot()))
    return np.asarray(picture.convert("RGB")).astype(np.int64)


def centre(pixels: NDArray[np.int64], part: str) -> NDArray[np.float64]:
    """Find where a part of the letter is (x, y), as a share of the picture."""
    colour = ImageColor.getrgb(LIGHT.categories[PARTS.index(part)])
    row, column = np.nonzero(np.abs(pixels - colour).sum(axis=2) < 12)
    assert len(row) > 50, part
    return np.array([column.mean() / pixels.shape[1], row.mean() / pixels.shape[0]])


def directions(pixels: NDArray[np.int64]) -> tuple[str, str]:
    """Say where the upper bar is from the middle one, and where the bars are from the stem."""
    stem, top, middle = (centre(pixels, part) for part in PARTS)
    names = {(0, -1): "above", (0, 1): "below", (-1, 0): "left", (1, 0): "right"}

    def name(way: NDArray[np.float64]) -> str:
        axis = int(np.argmax(np.abs(way * [1, pixels.shape[0] / pixels.shape[1]])))
        return names[(int(np.sign(way[0])), 0) if axis == 0 else (0, int(np.sign(way[1])))]

    return name(top - middle), name((top + middle) / 2 - stem)
