"""A folder of which a file is spoilt: a whole section in the library, or none, and nothing left behind."""

from pathlib import Path

import pytest

from app.requests import Keep
from app.tasks import sections
from squint.errors import InputError
from squint.io import Answers
from squint.library.store import Library
from tests.helpers import xenium_folder
from tests.helpers.merscope_folder import Run
from tests.helpers.sabotage import spoilt

FOLDERS = {
    "Xenium": lambda folder: xenium_folder.write_run(folder, xenium_folder.Run(), tables="parquet csv.gz"),
    "MERSCOPE": lambda folder: Run().tables(folder),
}


@pytest.mark.parametrize("kind", FOLDERS)
def test_a_spoilt_file_leaves_no_half_section(kind: str, tmp_path: Path) -> None:
    folder = FOLDERS[kind](tmp_path / "source" / "run")
    (tmp_path / "copies").mkdir()
    outcomes = set()
    for i, (copy, _, _) in enumerate(spoilt(folder, tmp_path / "copies")):
        library = Library(tmp_path / f"library{i}")
        try:
            kept = sections.keep(library, Keep(str(copy), Answers(), {"": "P-1"}, {}), lambda *_: None)
        except InputError:
            kept = []
        assert [section.id for section in library.sections()] == [one["id"] for one in kept]
        assert not list(library.staging.iterdir())
        assert all(library.cells(one["id"]).shape[0] == 30 for one in kept)
        outcomes.add(len(kept))
    assert outcomes == {0, 1}
