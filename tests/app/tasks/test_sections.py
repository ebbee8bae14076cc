"""Uploads that unpack to far more than they are, or end the worker that reads them."""

import os
import signal
import threading
from contextlib import suppress
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


def test_a_file_whose_reading_stands_still_is_given_up_and_the_next_is_read(
    worker: Worker, library: Library, toy: AnnData, tmp_path: Path
) -> None:
    path = tmp_path / "still.h5ad"
    one_section(toy).write_h5ad(path)
    worker.wait_ready()
    pid = worker.pid("files")
    os.kill(pid, signal.SIGSTOP)  # as a file does over which HDF5 never ends
    with pytest.raises(InputError, match="took longer"):
        worker.ask(Validate(str(path)), library, limit_s=2).result(120)
    assert worker.ask(Validate(str(path)), library).result(120)["report"]["n_cells"] == 60
    assert worker.pid("files") != pid
    assert library.sections() == []


def test_a_file_that_ends_its_reader_is_said_and_the_next_is_read(
    worker: Worker, library: Library, toy: AnnData, tmp_path: Path
) -> None:
    path = tmp_path / "deadly.h5ad"
    one_section(toy).write_h5ad(path)
    worker.wait_ready()
    dead, over = set[int](), threading.Event()

    def kill() -> None:
        """End whoever reads, as a file does that breaks HDF5."""
        while not over.wait(0.02):
            for job in Jobs(library.database).open():
                if job.state == RUNNING and job.tries > len(dead):
                    with suppress(KeyError, ValueError, ProcessLookupError):  # it is not back yet
                        dead.add(pid := worker.pid("files"))
                        os.kill(pid, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        with pytest.raises(InputError, match="ended 2 times"):
            worker.ask(Validate(str(path)), library).result(120)
    finally:
        over.set()
        thread.join()
    assert len(dead) == 2
    assert worker.ask(Validate(str(path)), library).result(120)["report"]["n_cells"] == 60
    assert library.sections() == []
