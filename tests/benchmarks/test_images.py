"""How long a whole slide takes to become tiles, with how much memory; how fast those are read."""

import json
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from squint.library.images import Images
from squint.library.store import Library
from squint.pl import View
from tests.helpers.cell_sets import put

pytestmark = pytest.mark.benchmark
Record = Callable[[str, str, str], None]
SIDE = 30_000
SECTION = "0123456789abcdef"
ADD = """
import json, sys, time
from pathlib import Path
from squint.library import tiling
from squint.library.images import Addition
from squint.library.store import Library
home, section, path = sys.argv[1:]
start = time.perf_counter()
image = tiling.keep(Library(Path(home)), Addition(section, path), lambda fraction, words: None)
seconds = time.perf_counter() - start
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
peak = int(status["VmHWM"].split()[0]) / 1024
print(json.dumps([image.id, seconds, time.process_time(), peak]))
"""


def pieces(rows: int, columns: int, n_channels: int) -> Iterator[np.ndarray]:
    """Draw tiles of something like tissue: blobs and grain."""
    rng = np.random.default_rng(0)
    size = (columns, rows)
    drawn = []
    for _ in range(16):
        small = rng.integers(90, 230, (rows // 16, columns // 16, 3), dtype=np.uint8)
        blobs = np.asarray(Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)).astype(np.int16)
        tile = np.clip(blobs + rng.integers(-6, 7, blobs.shape), 0, 255)
        drawn.append(tile.astype(np.uint8) if n_channels == 3 else (tile[:, :, 0] * 100).astype(np.uint16))
    n = -(-SIDE // rows) * -(-SIDE // columns)
    for i in range(n):
        yield drawn[i * 7 % 16]


def in_strips(n_rows: int) -> Iterator[bytes]:
    """Draw strips of the full width, and compress them."""
    whole = list(pieces(n_rows, 1024, 3))[:16]
    for i in range(-(-SIDE // n_rows)):
        strip = np.concatenate([whole[(i + j) % 16] for j in range(-(-SIDE // 1024))], axis=1)[:, :SIDE]
        yield zlib.compress(strip[: min(n_rows, SIDE - i * n_rows)].tobytes(), 1)


def write(path: Path, kind: str) -> None:
    if kind.startswith("strips"):
        strips = in_strips(16)
        tifffile.imwrite(
            path,
            strips,
            shape=(SIDE, SIDE, 3),
            dtype="uint8",
            photometric="rgb",
            rowsperstrip=16,
            compression="deflate",
            bigtiff=True,
        )
        return
    rgb = "RGB" in kind
    side, compression = {
        "RGB jpeg": (512, "jpeg"),
        "RGB deflate": (256, "deflate"),
        "16 bit jpeg2000": (1024, "jpeg2000"),
    }[kind]
    arguments = {"jpeg": {"level": 85}, "deflate": {"level": 1}, "jpeg2000": {"level": 40}}[compression]
    tifffile.imwrite(
        path,
        pieces(side, side, 3 if rgb else 1),
        shape=(SIDE, SIDE, 3) if rgb else (SIDE, SIDE),
        dtype="uint8" if rgb else "uint16",
        photometric="rgb" if rgb else "minisblack",
        tile=(side, side),
        compression=compression,
        compressionargs=arguments,
        bigtiff=True,
    )


@pytest.mark.parametrize("kind", ["RGB jpeg", "RGB deflate", "strips deflate", "16 bit jpeg2000"])
def test_a_whole_slide_becomes_tiles(tmp_path: Path, record: Record, kind: str) -> None:
    library = Library(tmp_path / "home")
    put(library, SECTION, side=2)
    path = tmp_path / "slide.tif"
    write(path, kind)
    done = subprocess.run(
        [sys.executable, "-c", ADD, str(library.home), SECTION, str(path)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    image_id, seconds, cpu, peak = json.loads(done.stdout)
    images = Images(library)
    stored = sum(file.stat().st_size for file in images.folder(SECTION, image_id).rglob("*.webp"))
    what = f"{SIDE:,} x {SIDE:,}, {kind} ({path.stat().st_size / 1e9:.1f} GB)"
    measured = f"{seconds:.0f} s ({cpu:.0f} s of CPU), peak {peak:,.0f} MB, {stored / 1e9:.2f} GB of tiles"
    record(f"Picture into tiles, {what}", measured, "< 600 MB")
    assert peak < 600
    images.place(SECTION, image_id, [[0.25, 0, 0], [0, 0.25, 0]], "pixel size")
    for width in (100.0, 1_000.0, 7_500.0):
        start = time.perf_counter()
        drawn = images.region(SECTION, image_id, View(3_700, 3_700, width), 4_000_000)
        taken = time.perf_counter() - start
        record(f"Region of {width:,.0f} um, {kind}", f"{taken:.2f} s for {drawn.pixels.shape[1]} px", "< 1 s")
    start = time.perf_counter()
    for i in range(200):
        assert images.tile(SECTION, image_id, 0, i % 50, i // 50)
    record(f"Tile, {kind}", f"{(time.perf_counter() - start) * 5:.2f} ms", "< 5 ms")
