"""Keep, on the page, and `squint import` put the same rows and the same files into a library."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import squint
from app.requests import AddFound, FoundPicture, Keep
from app.tasks import sections
from squint import datasets
from squint.cli.main import main
from squint.io.content import Answers
from squint.library.images import Images, SectionImage
from squint.library.records import Original, Patient, Record, RememberedAnswers, SectionRow, StoredFile
from squint.library.store import Library, Section
from squint.pp import QualityFilter
from tests.helpers.xenium_folder import Run, write_placed_picture, write_run

OF_THE_MOMENT = {"added", "check"}


@dataclass
class Given:
    """A source, and what is said of it: to the page, and to the command."""

    path: Path
    asked: dict[str, Any]
    options: list[str]


def silent(_: float, __: str) -> None:
    """Tell nobody how far a task is."""


def toy(folder: Path) -> Given:
    path = folder / "toy.h5ad"
    squint.write(datasets.toy(n_cells=120, n_sections=4), path)
    asked = {"patients": {"TOY-H": "H", "TOY-L": "L"}, "organ": "kidney", "assay": "CosMx"}
    codes = ["--patient", "TOY-H=H", "--patient", "TOY-L=L"]
    return Given(path, asked, [*codes, "--organ", "kidney", "--assay", "CosMx"])


def xenium(folder: Path) -> Given:
    path = write_run(folder / "run", Run())
    write_placed_picture(path / "morphology_focus.ome.tif")
    quality = QualityFilter(min_counts=4, min_area=50)
    asked = {"patients": {"": "K-1"}, "assay": "Xenium", "quality": quality}
    return Given(path, asked, ["--patient", "K-1", "--min-counts", "4", "--min-area", "50"])


def zipped(folder: Path) -> Given:
    given = xenium(folder)
    path = shutil.make_archive(str(folder / "packed"), "zip", given.path)
    return Given(Path(path), given.asked, given.options)


def answered(folder: Path) -> Given:
    path = folder / "stated.h5ad"
    adata = datasets.toy(n_cells=120, n_sections=2)
    adata.obs["donor"] = "D"
    del adata.uns["squint"], adata.obs["patient_id"]
    adata.write_h5ad(path)
    answers = Answers(unit="2", columns={"patient_id": "donor"})
    asked = {"patients": {"D": "D"}, "answers": answers}
    return Given(path, asked, ["--unit", "2", "--column", "patient_id=donor"])


def rows_of(library: Library, kind: type[Record]) -> list[dict[str, Any]]:
    with library.database.reading() as session:
        rows = session.scalars(sa.select(kind)).all()
        names = [attribute.key for attribute in sa.inspect(kind).column_attrs]
        found = [{name: getattr(row, name) for name in names if name not in OF_THE_MOMENT} for row in rows]
    return sorted(found, key=str)


def pictures_of(library: Library, section: Section) -> list[SectionImage]:
    return [replace(image, added="") for image in Images(library).of(section.id)]


@pytest.mark.parametrize("make", [toy, xenium, zipped, answered])
def test_they_are_the_same(make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: Given = make(tmp_path)
    page, command = Library(tmp_path / "page"), tmp_path / "command"
    staged = page.upload_folder() / given.path.name
    (shutil.copytree if given.path.is_dir() else shutil.copyfile)(given.path, staged)
    asked = Keep(str(staged), **{"answers": Answers(), "sections": {}, **given.asked})
    kept = sections.keep(page, asked, silent)
    for one in kept:
        pictures = tuple(FoundPicture(**found) for found in one["pictures"])
        assert not any(
            sections.add_found(page, AddFound(one["id"], str(staged), pictures), lambda *_: None).values()
        )
    page.unstage(staged)

    monkeypatch.setenv("SQUINT_HOME", str(command))
    assert main(["import", str(given.path), *given.options]) == 0
    library = Library(command)
    assert library.sections()
    for kind in (SectionRow, Patient, Original, StoredFile, RememberedAnswers):
        assert rows_of(library, kind) == rows_of(page, kind) != []
    for section in page.sections():
        assert pictures_of(library, section) == pictures_of(page, section)
        assert bool(pictures_of(page, section)) == (make in {xenium, zipped})
    for folder in ("uploads", "staging"):
        assert not list((command / folder).iterdir())
