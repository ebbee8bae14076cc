"""How long a map of 300,000 cells takes to print, and how large it is."""

import time

import numpy as np
import pytest

from squint import pl

pytestmark = pytest.mark.benchmark
N = 300_000
FILES = (("pdf", 600, "at most 3 s and 2 MB"), ("png", 300, ""), ("png", 600, ""), ("svg", 300, ""))


@pytest.mark.parametrize("what", ["smooth", "without any order"])
def test_300_000_cells_in_print(what, record):
    side = int(np.ceil(np.sqrt(N)))
    rng = np.random.default_rng(0)
    points = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2)[:N] * 10.0
    points += rng.normal(0, 2, points.shape)
    waves = np.sin(points[:, 0] / 800) * np.cos(points[:, 1] / 700) / 2 + 0.5
    values = (waves if what == "smooth" else rng.random(N)).astype(np.float32)
    panels = [pl.Panel("S1", points, values, "um")]
    views = [pl.View(5 * side, 5 * side, 10.4 * side, 1.1)]
    scale = pl.Continuous("activation score", 0, 1, (0.25, 0.75))
    page = pl.Page("A map", f"n = {N:,} cells", ["Notice", "Parameters: " + "a word " * 150])
    pl.print_map(panels, scale, views, page, kind="pdf")  # the first finds fonts
    for kind, dpi, wanted in FILES:
        start = time.perf_counter()
        drawn = pl.print_map(panels, scale, views, page, kind=kind, dpi=dpi)
        took = f"{time.perf_counter() - start:.1f} s, {len(drawn) / 1e6:.2f} MB"
        record(f"map of {N:,} cells, {what}, {kind.upper()} {dpi} dpi", took, wanted)
