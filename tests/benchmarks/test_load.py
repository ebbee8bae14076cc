"""Many at the real server at once: they browse, recolour, export, upload sections and tokenise them.

``pytest -m benchmark -s tests/benchmarks/test_load.py --users 20 --minutes 5 --upload-mb 50``
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import pytest
from websockets.exceptions import WebSocketException

from tests.helpers.dashboard import server_of
from tests.helpers.paths import ROOT
from tests.helpers.tissue import section
from tests.helpers.users import UnhappyError, User, user
from tests.helpers.visits import megabytes, pages_of, visit

pytestmark = pytest.mark.benchmark
Record = Callable[[str, str, str], None]

PAGES = ("", "tokens", "risk_map", "compare", "codebook", "cell_types")  # which all people look at
COLOURS = "plain_colour"
THINKING_S = (1.0, 5.0)  # between two actions
OF_PAGES = ("browse", "recolour")  # which are to be done within two seconds
WAIT_S = 900.0  # for an upload to be kept and tokenised


@dataclass
class Diary:
    """What all users did, how long it took, and what went wrong."""

    took: dict[str, list[float]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def action(self, name: str) -> Iterator[None]:
        """Time an action."""
        start = time.monotonic()
        yield
        with self.lock:
            self.took.setdefault(name, []).append(time.monotonic() - start)

    def complain(self, who: int, error: Exception) -> None:
        """Note what went wrong."""
        with self.lock:
            self.wrong.append(f"user {who}: {type(error).__name__}: {error}")


def write_section(path: Path, n_bytes: int) -> None:
    """Write a section of real size, of the genes that the server's model knows, and of so many bytes."""
    with h5py.File(ROOT / "data_samples" / "SIM-H-1.h5ad") as file:
        names = file["var"].attrs["_index"]
        genes = [name.decode() for name in file["var"][names][:]]
    per_cell = len(genes) * 4
    adata = section(max(200, n_bytes // per_cell), "LOAD")
    counts = np.random.default_rng(0).poisson(1.0, (adata.n_obs, len(genes))).astype(np.float32)
    whole = type(adata)(X=counts, obs=adata.obs, obsm=dict(adata.obsm), uns=dict(adata.uns))
    whole.var_names = genes
    whole.write_h5ad(path)


def another(path: Path, who: int, turn: int) -> None:
    """Make a section of what was one before: it lies elsewhere, so that it is not the same."""
    with h5py.File(path, "r+") as file:
        file["obsm/spatial"][...] += 1.0 + who + turn / 1_000


class Person:
    """Somebody who uses the dashboard."""

    def __init__(self, who: int, seen: User, diary: Diary, file: Path) -> None:
        self.who, self.seen, self.diary, self.file = who, seen, diary, file
        self.rng = np.random.default_rng(who)
        self.turn = 0

    def browse(self) -> None:
        """Look at a page."""
        page = str(self.rng.choice(PAGES))
        with self.diary.action("browse"), self.diary.action(f"browse, {page or 'sections'}"):
            self.seen.open(page)

    def recolour(self) -> None:
        """Colour the cells of the first page by something else."""
        self.seen.open("")
        ways = [way for way in self.seen.options(COLOURS) if way in {"Cell type", "Token", "Counts per cell"}]
        with self.diary.action("recolour"):
            self.seen.choose(COLOURS, str(self.rng.choice(ways)))

    def export(self) -> None:
        """Have a map drawn as a file."""
        self.seen.open("risk_map")
        kind = str(self.rng.choice(["png", "csv"]))
        with self.diary.action(f"export {kind}"):
            self.seen.press(f"risk_map-{kind}")
        if not self.seen.has("risk_map-download"):
            raise UnhappyError(f"no {kind} came: {self.seen.words()[:300]}")

    def add(self) -> None:
        """Send a section, look at its report, keep it, and wait until it has tokens."""
        self.turn += 1
        another(self.file, self.who, self.turn)
        self.seen.open("")
        with self.diary.action("upload and report"):
            self.seen.upload(self.file)
        for label in list(self.seen.fields()):
            if label.startswith("Study code"):
                self.seen.fill_in(label, f"L-{self.who}")
        with self.diary.action("keep"):
            self.seen.press("keep")
        with self.diary.action("tokenise"):
            end = time.monotonic() + WAIT_S
            while self.seen.is_busy and time.monotonic() < end:
                self.seen.watch(1)
        if self.seen.is_busy:
            raise UnhappyError("the section has no tokens yet")

    def live(self, until: float, *, begins_with_a_file: bool) -> None:
        """Do one thing after the other."""
        kinds = [self.browse, self.recolour, self.export, self.add]
        chances = [0.5, 0.38, 0.1, 0.02]
        first = begins_with_a_file
        while time.monotonic() < until:
            act = self.add if first else kinds[int(self.rng.choice(4, p=chances))]
            first = False
            act()
            time.sleep(float(self.rng.uniform(*THINKING_S)))


def one_person(address: str, who: int, until: float, diary: Diary, file: Path, *, begins: bool) -> None:
    """Let somebody live, and come again where something went wrong."""
    time.sleep(float(np.random.default_rng(who).uniform(0, 10)))
    while time.monotonic() < until:
        try:
            with user(address) as seen:
                Person(who, seen, diary, file).live(until, begins_with_a_file=begins)
        except (OSError, UnhappyError, TimeoutError, WebSocketException) as error:
            diary.complain(who, error)
            begins = False
            time.sleep(1)


def test_many_at_once(tmp_path: Path, record: Record, request: pytest.FixtureRequest) -> None:
    n_users, minutes = request.config.getoption("--users"), request.config.getoption("--minutes")
    n_bytes = int(1e6 * request.config.getoption("--upload-mb"))
    (home := tmp_path / "library").mkdir()
    files = [tmp_path / f"load_{who}.h5ad" for who in range(n_users)]
    write_section(files[0], n_bytes)
    for file in files[1:]:
        file.write_bytes(files[0].read_bytes())
    diary, memory = Diary(), list[float]()
    with server_of(home) as (address, pid):
        with user(address) as first:  # the cohort is imported, and what each page shows is computed
            end = time.monotonic() + WAIT_S
            first.open("")
            while not first.has("risk_map-csv") and time.monotonic() < end:
                first.open("")
                first.watch(2)  # also while the worker is still starting
                first.open("risk_map")
            assert first.has("risk_map-csv"), first.words()
        for page in pages_of(address):
            visit(address, page)
        start = time.monotonic()
        until = start + 60 * minutes
        with ThreadPoolExecutor(n_users) as pool:
            people = [
                pool.submit(one_person, address, who, until, diary, files[who], begins=who % 5 == 0)
                for who in range(n_users)
            ]
            while time.monotonic() < until:
                time.sleep(min(60.0, max(0.0, until - time.monotonic())))
                memory.append(megabytes(pid))
                print(
                    f"minute {(time.monotonic() - start) / 60:.0f}: {memory[-1]:.0f} MB, "
                    f"load {os.getloadavg()[0]:.1f}",
                    flush=True,
                )
            for person in people:
                person.result()
    for name, took in sorted(diary.took.items()):
        p50, p95 = np.percentile(took, (50, 95))
        wanted = "p95 2 s" if name in OF_PAGES else ""
        record(
            f"{n_users} users, {minutes:g} min, {name}",
            f"p50 {p50:.2f} s, p95 {p95:.2f} s of {len(took)}",
            wanted,
        )
    record("Web process, minute 1 and last", f"{memory[0]:.0f} MB, {memory[-1]:.0f} MB", "within 10 %")
    record("What went wrong", f"{len(diary.wrong)}: {'; '.join(diary.wrong[:5])}", "nothing")
    assert not diary.wrong, "\n".join(diary.wrong)
    assert memory[-1] < 1.1 * memory[0]
    for name in OF_PAGES:
        assert np.percentile(diary.took[name], 95) < 2, name
