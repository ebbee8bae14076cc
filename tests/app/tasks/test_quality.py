"""Cells of low quality left out of a section that is kept, and taken back."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from PIL import Image

import squint
from app.cell_sets.store import CellSets
from app.requests import Keep, TakeBack, Validate
from app.tasks import sections
from app.tasks.quality import take_back
from squint.errors import InputError
from squint.io.boundaries import read_boundaries
from squint.io.content import Answers
from squint.library import tiling
from squint.library.images import Addition, Images
from squint.library.store import BOUNDARIES, UNFILTERED, UNFILTERED_BOUNDARIES, Library, Section
from squint.pp import QualityFilter
from tests.helpers.app import one_section
from tests.helpers.xenium_folder import Run, write_run

RUN = Run()
GENES = RUN.counts[:, :3].sum(axis=1)
CONTROLS = RUN.counts[:, 3:].sum(axis=1)
AREA = np.linspace(40, 90, RUN.n_cells)
CRITERIA = QualityFilter(min_counts=4, min_area=50)
PASS = (GENES >= 4) & (AREA >= 50)
SAID = (
    f"{(~PASS).sum()} of 30 cells left out: fewer than 4 counts ({(GENES < 4).sum()}), "
    f"smaller than 50 µm² ({(AREA < 50).sum()})"
    f"{'; some for several of these' if ((GENES < 4) & (AREA < 50)).any() else ''}."
)


def silent(fraction: float, words: str) -> None:
    """Report nothing."""


@pytest.fixture
def store(tmp_path: Path) -> Library:
    return Library(tmp_path / "home")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run", RUN)


def keep(library: Library, path: Path, criteria: QualityFilter, **patients: str) -> Section:
    asked = Keep(str(path), Answers(), patients or {"": "K-1"}, {}, "breast", "Xenium", quality=criteria)
    (kept,) = sections.keep(library, asked, silent)
    return library.get(kept["id"])


def everything(path: Path) -> str:
    """Give names and values of all that an HDF5 file holds, as text."""
    parts: list[str] = []
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: parts.append(
                f"{name} {dict(item.attrs)} {item[()] if isinstance(item, h5py.Dataset) else ''}"
            )
        )
    return " ".join(parts)


def corners(path: Path) -> list[np.ndarray]:
    rings = read_boundaries(path)
    return np.split(rings.corners + np.array(rings.origin), rings.offsets[1:-1])


def test_the_report_says_what_is_offered_and_is_of_the_cells_that_would_be_kept(
    store: Library, folder: Path
) -> None:
    plain = sections.validate(store, Validate(str(folder)), silent)
    assert plain["quality"]["offered"] == ("min_counts", "min_area", "max_area", "max_control_share")
    assert (plain["quality"]["n_before"], plain["quality"]["n_after"]) == (30, 30)
    assert plain["quality"]["said"] == ()
    asked = Validate(str(folder), quality=CRITERIA)
    sifted = sections.validate(store, asked, silent)
    assert (sifted["quality"]["n_before"], sifted["quality"]["n_after"]) == (30, PASS.sum())
    assert f"{sifted['quality']['said'][0]}." == SAID
    assert sifted["report"]["n_cells"] == sifted["report"]["n_boundaries"] == PASS.sum()
    assert sifted["report"]["median_depth"] == np.median(GENES[PASS])
    share = CONTROLS / np.maximum(CONTROLS + GENES, 1)
    asked = Validate(str(folder), quality=QualityFilter(max_control_share=0.3))
    assert sections.validate(store, asked, silent)["quality"]["n_after"] == (share <= 0.3).sum()


@pytest.mark.parametrize(
    ("criteria", "said"),
    [
        (QualityFilter(in_tissue=True), "needs obs\\['in_tissue'\\]"),
        (QualityFilter(min_counts=1e6), "No cell of section run would be left"),
    ],
)
def test_what_cannot_be_asked_is_a_problem_of_the_criteria_and_keeps_nothing(
    store: Library, folder: Path, criteria: QualityFilter, said: str
) -> None:
    found = sections.validate(store, Validate(str(folder), quality=criteria), silent)
    assert found["report"]["n_cells"] == found["quality"]["n_after"] == 30
    with pytest.raises(InputError, match=said) as error:
        keep(store, folder, criteria)
    assert str(error.value) == found["quality"]["problem"]
    assert store.sections() == []


def test_one_section_of_several_without_cells_keeps_none(
    store: Library, toy: AnnData, tmp_path: Path
) -> None:
    two = toy[toy.obs["patient_id"] == "TOY-H"].copy()
    two.obs["in_tissue"] = (two.obs["section_id"] == "TOY-H-1").astype(int)
    two.write_h5ad(tmp_path / "two.h5ad")
    criteria = QualityFilter(in_tissue=True)
    found = sections.validate(store, Validate(str(tmp_path / "two.h5ad"), quality=criteria), silent)
    assert found["quality"]["n_off_tissue"] == 60
    assert "TOY-H-2" in found["quality"]["problem"]
    with pytest.raises(InputError, match="TOY-H-2"):
        keep(store, tmp_path / "two.h5ad", criteria, **{"TOY-H": "K-1"})
    assert store.sections() == []


def test_cells_outlines_and_facts_of_what_is_kept_agree(store: Library, folder: Path) -> None:
    kept = keep(store, folder, CRITERIA)
    place = store.folder(kept.id)
    assert (kept.n_cells, kept.n_left_out, kept.quality) == (PASS.sum(), (~PASS).sum(), CRITERIA)
    assert SAID in kept.notes
    cells = store.cells(kept.id)
    assert list(cells.index) == list(np.array(RUN.ids)[PASS])
    assert cells[["x", "y"]].to_numpy() == pytest.approx(RUN.positions[PASS])
    rings = corners(place / BOUNDARIES)
    assert list(read_boundaries(place / BOUNDARIES).cells) == list(range(PASS.sum()))
    for ring, i in zip(rings, np.flatnonzero(PASS), strict=True):
        assert ring == pytest.approx(RUN.ring(i)[:-1], abs=1e-3)
    whole = squint.read(place / UNFILTERED)
    assert list(whole.obs_names) == RUN.ids
    assert whole.X.sum() == GENES.sum()
    assert len(corners(place / UNFILTERED_BOUNDARIES)) == 30


def test_nothing_is_left_out_where_nothing_is_asked_or_all_pass(store: Library, folder: Path) -> None:
    kept = keep(store, folder, QualityFilter())
    assert (kept.n_left_out, kept.n_cells) == (0, 30)
    assert not (store.folder(kept.id) / UNFILTERED).exists()
    assert keep(store, folder, QualityFilter(min_area=40)) == kept
    with pytest.raises(InputError, match="No cells were left out"):
        take_back(store, TakeBack(kept.id), silent)
    assert store.get(kept.id) == kept


def test_what_is_left_out_names_no_person_either(store: Library, toy: AnnData, tmp_path: Path) -> None:
    section = one_section(toy)
    section.obs["patient_id"] = "Jane Doe"
    section.obs["physician"] = "Dr Smith"
    section.obs_names = [f"Jane Doe_{name}" for name in section.obs_names]
    section.uns["record"] = "Smith"
    section.write_h5ad(tmp_path / "s.h5ad")
    median = float(np.median(np.asarray(section.X.sum(axis=1))))
    kept = keep(store, tmp_path / "s.h5ad", QualityFilter(min_counts=median), **{"Jane Doe": "K-1"})
    assert kept.n_left_out > 0
    stored = squint.read(store.folder(kept.id) / UNFILTERED)
    assert set(stored.obs["patient_id"]) == {"K-1"}
    assert "physician" not in stored.obs
    assert set(store.cells(kept.id).index) < set(stored.obs_names)
    text = everything(store.folder(kept.id) / UNFILTERED)
    assert "K-1_" in text
    assert "Jane" not in text
    assert "Smith" not in text


def test_taken_back_it_is_the_section_that_was_never_filtered(
    store: Library, folder: Path, tmp_path: Path
) -> None:
    other = Library(tmp_path / "other")
    plain = keep(other, folder, QualityFilter())
    kept = keep(store, folder, CRITERIA)
    said = take_back(store, TakeBack(kept.id), silent)
    assert said == {"id": plain.id, "title": plain.title, "new": True}
    (whole,) = store.sections()
    assert replace(whole, added="") == replace(plain, added="")
    assert store.cells(whole.id).equals(other.cells(plain.id))
    for one, two in zip(
        corners(store.folder(whole.id) / BOUNDARIES),
        corners(other.folder(plain.id) / BOUNDARIES),
        strict=True,
    ):
        assert one == pytest.approx(two)
    assert not list(store.staging.iterdir())
    with pytest.raises(InputError, match="no longer in the library"):
        take_back(store, TakeBack(kept.id), silent)


@pytest.mark.parametrize("also_whole", [False, True])
def test_pictures_and_cell_sets_go_along(
    store: Library, folder: Path, tmp_path: Path, *, also_whole: bool
) -> None:
    kept = keep(store, folder, CRITERIA)
    if also_whole:  # as after a taking back that ended before the last step
        keep(store, folder, QualityFilter())
    Image.new("RGB", (30, 20), "pink").save(tmp_path / "he.png")
    picture = tiling.keep(store, Addition(kept.id, str(tmp_path / "he.png")), silent)
    outline = (((np.array([[0.0, 0], [99, 0], [99, 99]])),),)
    one = CellSets(store).make("mine", {kept.id: [0, 3]}, {kept.id: outline})
    names = list(store.cells(kept.id).index[[0, 3]])
    whole = take_back(store, TakeBack(kept.id), silent)["id"]
    assert [section.id for section in store.sections()] == [whole]
    assert [image.id for image in Images(store).of(whole)] == [picture.id]
    assert Images(store).tile(whole, picture.id, 0, 0, 0)
    (after,) = CellSets(store).all()
    assert (after.id, list(after.members)) == (one.id, [whole])
    assert list(store.cells(whole).index[CellSets(store).rows(after, whole)]) == names
    assert CellSets(store).outline(after, whole) == ()


def test_where_all_cells_cannot_be_read_the_section_stays(store: Library, folder: Path) -> None:
    kept = keep(store, folder, CRITERIA)
    path = store.folder(kept.id) / UNFILTERED
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(InputError):
        take_back(store, TakeBack(kept.id), silent)
    assert [one.id for one in store.damaged()] == [kept.id]
    assert len(store.cells(kept.id)) == kept.n_cells


def test_heights_stack_and_mark_of_simulated_cells_come_back(
    store: Library, toy: AnnData, tmp_path: Path
) -> None:
    two = toy[toy.obs["patient_id"] == "TOY-H"].copy()
    two.obs["z_um"] = np.where(two.obs["section_id"] == "TOY-H-1", 0.0, 10.0)
    two.obs["cell_area"] = pd.Series(np.arange(two.n_obs) % 7 + 1.0, index=two.obs_names)
    two.write_h5ad(tmp_path / "two.h5ad")
    asked = Keep(
        str(tmp_path / "two.h5ad"), Answers(), {"TOY-H": "TOY-H"}, {}, quality=QualityFilter(min_area=3)
    )
    before = [store.get(one["id"]) for one in sections.keep(store, asked, silent)]
    for one in before:
        take_back(store, TakeBack(one.id), silent)
    for old, new in zip(before, store.sections(), strict=True):
        assert (new.z_um, new.stack, new.simulated, new.unit) == (
            old.z_um,
            old.stack,
            old.simulated,
            old.unit,
        )
        assert (old.n_cells < 60, new.n_cells, new.n_left_out) == (True, 60, 0)
        assert not any("left out" in note for note in new.notes)
