"""Uploads that unpack to far more than they are, or end the worker that reads them."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import h5py
import pytest
from anndata import AnnData

from app.requests import Keep, Validate
from squint.errors import InputError
from squint.io.content import Answers
from squint.library.jobs import RUNNING, Jobs
from squint.library.store import Library
from tests.helpers.app import one_section
from tests.helpers.bombs import fill, repeat_text
from tests.helpers.engine import Worker

pytestmark = pytest.mark.slow


def test_a_bomb_is_refused_in_one_line_and_the_worker_stays(
    worker: Worker, library: Library, toy: AnnData, tmp_path: Path
) -> None:
    worker.wait_ready()
    pid = worker.pid("files")
    for kind, said in (("text", "repeat so often"), ("sparse", "unpack to")):
        path = tmp_path / f"{kind}.h5ad"
        one_section(toy).write_h5ad(path)
        with h5py.File(path, "r+") as file:
            if kind == "text":
                del file["obs/patient_id"]
                repeat_text(file, "obs/patient_id", 8_000, 400_000)
            else:
                for name in ("X/data", "X/indices"):
                    del file[name]
                    fill(file, name, (250_000_000,), (10_000_000,), 1, "u1")
        asked = Keep(str(path), Answers(), {"TOY-H": "K-1"}, {}, "", "")
        with pytest.raises(InputError, match=rf"^{kind}.h5ad is refused: [^\n]*{said}[^\n]*$"):
            worker.ask(asked, library).result(120)
        try:
            said_of = worker.ask(Validate(str(path)), library).result(120)["problem"]
        except InputError as error:  # before its columns are known
            said_of = str(error)
        assert said in said_of
    assert library.sections() == []
    assert worker.pid("files") == pid


@contextmanager
def signalled(worker: Worker, library: Library, number: int) -> Iterator[set[int]]:
    """Send whoever reads a file a signal, once for each time that somebody begins; give who got it."""
    got, over = set[int](), threading.Event()

    def send() -> None:
        while not over.wait(0.02):
            for job in Jobs(library.database).open():
                if job.state == RUNNING and job.tries > len(got):
                    with suppress(KeyError, ValueError, ProcessLookupError):  # it is not back yet
                        os.kill(pid := worker.pid("files"), number)
                        got.add(pid)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield got
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize(
    ("number", "said", "n_workers"),
    [(signal.SIGSTOP, "took longer than 4 s", 1), (signal.SIGSEGV, "ended 2 times", 2)],
)
def test_a_file_over_which_its_reader_hangs_or_dies_is_said_and_the_next_is_read(
    worker: Worker, library: Library, toy: AnnData, tmp_path: Path, number: int, said: str, n_workers: int
) -> None:
    path = tmp_path / "deadly.h5ad"
    one_section(toy).write_h5ad(path)
    worker.wait_ready()
    with signalled(worker, library, number) as got, pytest.raises(InputError, match=said):
        worker.ask(Validate(str(path)), library, limit_s=4 if n_workers == 1 else 3600).result(120)
    assert len(got) == n_workers
    assert worker.ask(Validate(str(path)), library).result(120)["report"]["n_cells"] == 60
    assert library.sections() == []
