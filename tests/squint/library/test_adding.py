"""A source is kept whole or not at all, and what was damaged is mended by adding it again."""

from pathlib import Path

import numpy as np
import pytest
from anndata import AnnData

from squint.errors import InputError
from squint.io.content import Answers
from squint.library import adding, ingest
from squint.library.adding import Kept
from squint.library.results import Report
from squint.library.store import GENES, Library
from squint.pp import QualityFilter

LABELS = ingest.Labels({"P1": "A-1", "P2": "A-2"}, {})
UM = Answers(unit="um")


class Stop(Exception):  # noqa: N818 - as the worker's
    """A task is no longer wanted."""


def silent(fraction: float, words: str) -> None:
    """Tell nobody how far a task is."""


def stop_at_the_second(_: float, words: str) -> None:
    if "section 2" in words:
        raise Stop


@pytest.fixture
def path(section: AnnData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write two sections into one file."""
    path = tmp_path_factory.mktemp("given") / "two.h5ad"
    section.write_h5ad(path)
    return path


def keep(library: Library, path: Path, report: Report = silent) -> list[Kept]:
    return adding.keep(library, path, adding.read(path, UM), LABELS, UM, QualityFilter(), report)


def test_one_that_is_stopped_half_way_leaves_nothing(library: Library, path: Path) -> None:
    with pytest.raises(Stop):
        keep(library, path, stop_at_the_second)
    assert library.sections() == []
    for folder in (library.sections_folder, library.originals, library.staging):
        assert not list(folder.iterdir())
    assert [one.new for one in keep(library, path)] == [True, True]
    assert [one.new for one in keep(library, path)] == [False, False]


def test_none_is_there_before_all_are_ready(library: Library, path: Path) -> None:
    seen = []  # what a worker leaves that is killed then

    def look(_: float, words: str) -> None:
        seen.append((words, len(library.sections()), len(list(library.sections_folder.iterdir()))))

    assert len(keep(library, path, look)) == 2
    assert seen == [(f"keeping section {i} of 2", 0, 0) for i in (1, 2)]


def test_one_that_was_there_stays_as_it_was_though_the_rest_is_stopped(library: Library, path: Path) -> None:
    first, second = (one.section for one in keep(library, path))
    (library.folder(first.id) / GENES).write_bytes(b"other")
    with pytest.raises(InputError):
        library.genes(first.id)
    library.delete(second.id)
    with pytest.raises(Stop):
        keep(library, path, stop_at_the_second)
    assert library.sections() == []
    assert [one.id for one in library.damaged()] == [first.id]
    keep(library, path)
    assert {one.id for one in library.sections()} == {first.id, second.id}
    assert library.genes(first.id)


@pytest.mark.parametrize("renamed", [False, True], ids=["same names", "renamed"])
@pytest.mark.parametrize("reordered", [False, True], ids=["same order", "reordered"])
def test_a_damaged_one_is_only_mended_by_cells_in_the_order_that_it_had(
    library: Library, section: AnnData, path: Path, *, reordered: bool, renamed: bool
) -> None:
    first = keep(library, path)[0].section
    names = list(library.cells(first.id).index)
    (library.folder(first.id) / GENES).write_bytes(b"other")
    with pytest.raises(InputError):
        library.genes(first.id)
    other = section[np.arange(section.n_obs)[::-1]].copy() if reordered else section.copy()
    if renamed:
        other.obs_names = [f"cell {name}" for name in other.obs_names]
    other.write_h5ad(path)
    if reordered:
        with pytest.raises(InputError, match="may lie in another order"):
            keep(library, path)
        assert [one.id for one in library.damaged()] == [first.id]
        assert not list(library.staging.iterdir())
        return
    keep(library, path)
    assert library.genes(first.id)
    now = [name.removeprefix("cell ") for name in library.cells(first.id).index]
    assert now == names


def test_the_kind_of_a_source_is_that_of_its_reader_and_columns(section: AnnData, path: Path) -> None:
    kind = adding.kind_of(path)
    section.obs["more"] = 1
    other = path.with_name("other.h5ad")
    section.write_h5ad(other)
    assert kind != adding.kind_of(other)
    assert kind.split()[:-1] == adding.kind_of(other).split()[:-1]
