"""Uploads that unpack to far more than they are, in the worker."""

from pathlib import Path

import h5py
import pytest
from anndata import AnnData

from app.requests import Keep, Validate
from squint.errors import InputError
from squint.io.content import Answers
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
