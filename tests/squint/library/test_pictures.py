"""Pictures as rows and stored files: damage told of each alone, taken over, carried, deleted for good."""

import json
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
import sqlalchemy as sa

from squint.errors import InputError
from squint.library import earlier, old_pictures
from squint.library.backup import backup, restore
from squint.library.images import BY_PIXEL_SIZE, FROM_FILE, Images
from squint.library.pictures import SectionImage
from squint.library.records import Mark, Picture, StoredFile
from squint.library.recovery import recover
from squint.library.store import Library
from squint.library.verify import verify
from squint.pl import View
from tests.helpers.cell_sets import A, B, put
from tests.helpers.section_pictures import keep_picture, tiles_of

META = old_pictures.META


@pytest.fixture
def two(library: Library) -> list[SectionImage]:
    """Keep a section with two pictures."""
    put(library, A)
    return [keep_picture(library, A, image_id) for image_id in ("ab", "cd")]


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def change(library: Library, **values: object) -> None:
    """Change the row of the first picture, as if bits of it had flipped."""
    with library.database.engine.connect() as connection, connection.begin():
        connection.execute(sa.update(Picture.__table__).where(sa.text("id = 'ab'")).values(**values))


DAMAGES: dict[str, tuple[Callable[[Library, Path], object], str]] = {
    "bit": (lambda _, folder: flip(folder / "0" / "1_0.webp"), r"1_0\.webp in the library is damaged"),
    "gone": (lambda _, folder: (folder / "1" / "0_0.webp").unlink(), r"0_0\.webp is missing"),
    "planted": (lambda _, folder: (folder / "0" / "2_0.webp").touch(), "not put there by squint"),
    "folder": (lambda _, folder: folder.rename(folder.parents[1] / "away"), "is missing"),
    "row": (lambda library, _: change(library, width=601), "What the database says"),
    "place": (lambda library, _: change(library, affine=[0.5, 0, 1, 0, 0.5, 3]), "What the database says"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_said_of_a_picture_alone_and_it_can_be_deleted(
    library: Library, two: list[SectionImage], damage: str
) -> None:
    images, section, (one, other) = Images(library), library.get(A), two
    whole = tiles_of(library, A, other)
    do, why = DAMAGES[damage]
    do(library, images.folder(A, one.id))
    tiles_of(library, A, one)
    images.tile(A, one.id, 0, 2, 0)
    (said,) = images.damaged(A)
    assert said.id == one.id
    with pytest.raises(InputError, match=why):
        images.get(A, one.id)
    with pytest.raises(InputError, match="is damaged"):
        images.place(A, one.id, [[1, 0, 0], [0, 1, 0]], BY_PIXEL_SIZE)
    with pytest.raises(InputError, match="is damaged"):
        images.region(A, one.id, View(100, 100, 100))
    assert images.of(A) == [other]
    assert tiles_of(library, A, other) == whole
    assert None not in whole
    assert (library.sections(), library.damaged()) == ([section], [])
    images.delete(A, one.id)
    assert (images.of(A), images.damaged(A)) == ([other], [])
    assert not images.folder(A, one.id).exists()
    assert library.files.below(images.folder(A, one.id)) == []


def test_a_damaged_picture_that_is_added_again_is_whole_and_in_its_place(
    library: Library, two: list[SectionImage]
) -> None:
    images, before = Images(library), tiles_of(library, A, two[0])
    placed = images.place(A, "ab", [[1, 0, 5], [0, 1, 6]], BY_PIXEL_SIZE)
    assert keep_picture(library, A) == placed  # it is there
    flip(images.folder(A, "ab") / "0" / "0_0.webp")
    assert None in tiles_of(library, A, two[0])
    assert keep_picture(library, A) == placed
    assert images.of(A) == [placed, two[1]]
    assert tiles_of(library, A, placed) == before
    change(library, check="0" * 16)  # nothing that the row says is sure any more
    assert keep_picture(library, A).placed == FROM_FILE
    assert images.of(A) == two


def test_a_picture_is_kept_of_sections_that_are_there_only(library: Library) -> None:
    put(library, A)
    with pytest.raises(InputError, match="no longer in the library"):
        keep_picture(library, B)
    assert not [*library.staging.iterdir(), *library.sections_folder.glob(f"{B}*")]


def test_a_section_goes_with_its_pictures(library: Library, two: list[SectionImage]) -> None:
    assert library.used_bytes() > sum(len(tile or b"") for tile in tiles_of(library, A, two[0]))
    library.delete(A)
    assert Images(library).of(A) == []
    assert library.used_bytes() == 0
    assert not [*library.sections_folder.iterdir(), *library.staging.iterdir()]
    with library.database.reading() as session:
        assert session.scalars(sa.select(Picture)).all() == []


def test_pictures_are_carried_and_what_is_damaged_stays_so(library: Library, two: list[SectionImage]) -> None:
    put(library, B)
    images = Images(library)
    flip(images.folder(A, "ab") / "0" / "0_0.webp")  # nobody has noticed yet
    images.carry(A, B)
    assert images.of(B) == two[1:]
    assert tiles_of(library, B, two[1]) == tiles_of(library, A, two[1])
    assert [one.why for one in images.damaged(B)] == ["Some of its tiles are damaged."]
    change(library, name="x")
    images.delete(B, "ab")
    images.carry(A, B)
    assert [(one.id, one.name) for one in images.damaged(B)] == [("ab", "ab")]
    assert not list(library.staging.iterdir())


def test_verifying_reads_pictures(library: Library, two: list[SectionImage]) -> None:
    assert len(two) == 2
    assert verify(library).problems == ()
    flip(Images(library).folder(A, "ab") / "1" / "0_0.webp")
    change(library, width=601)
    assert verify(library, A).problems == (
        "What the library knows of pictures aaaaaaaaaaaaaaaa ab is damaged.",
        "sections/aaaaaaaaaaaaaaaa/images/ab/1/0_0.webp is not as it was kept.",
    )


def test_a_backup_holds_pictures(
    library: Library, two: list[SectionImage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tiles_of(library, A, two[0])
    backup(library.home, tmp_path / "b.zip")
    monkeypatch.delenv("SQUINT_DATABASE_URL", raising=False)
    restore(tmp_path / "b.zip", tmp_path / "other")
    other = Library(tmp_path / "other")
    assert Images(other).of(A) == two
    assert tiles_of(other, A, two[0]) == before
    assert verify(other).problems == ()
    other.database.close()


def test_what_a_crash_left_of_a_picture_is_removed(library: Library, two: list[SectionImage]) -> None:
    left = Images(library).folder(A, "ef") / "0"
    left.mkdir(parents=True)
    (left / "0_0.webp").write_bytes(b"half")
    recover(library)
    assert not left.parent.exists()
    assert Images(library).of(A) == two


def old_layout(library: Library, two: list[SectionImage], *, hashed: bool) -> None:
    """Bring pictures to the layout of squint before they were rows."""
    for one in two:
        (Images(library).folder(A, one.id) / META).write_text(json.dumps(asdict(one), indent=1))
    with library.database.writing() as session:
        session.execute(sa.delete(Picture))
        session.execute(sa.delete(Mark).where(Mark.name == "pictures"))
        if not hashed:
            session.execute(sa.delete(StoredFile).where(StoredFile.path.contains("/images/")))
    earlier._done.clear()


@pytest.mark.parametrize("hashed", [True, False])
def test_pictures_of_an_earlier_squint_are_taken_over(
    library: Library, two: list[SectionImage], *, hashed: bool
) -> None:
    before = tiles_of(library, A, two[0])
    old_layout(library, two, hashed=hashed)
    if hashed:  # what is damaged by then is noticed
        flip(Images(library).folder(A, "cd") / "0" / "0_0.webp")
    threads = [threading.Thread(target=Library, args=(library.home,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    images = Images(Library(library.home))
    assert images.of(A) == two
    assert tiles_of(library, A, two[0]) == before
    assert (None in tiles_of(library, A, two[1])) is hashed
    assert not list(library.home.rglob(META))


@pytest.mark.parametrize(
    "facts",
    [
        "",
        "[]",
        "nothing",
        {"id": "cd"},
        {"width": 0},
        {"levels": "2"},
        {"affine": [1, 0, 0, 2, 0, 0]},
        {"affine": [1, 2, 3]},
        {"rmse": float("nan")},
        {"um_per_pixel": 5},
        {"um_per_pixel": [0.5, "x"]},
        {"landmarks": [[1, 2, 3]]},
        {"notes": None},
        {"name": "x" * 10_000},
        {"stain": "H&E"},
    ],
)
def test_an_old_picture_that_is_not_understood_is_told_of_alone(
    library: Library, two: list[SectionImage], facts: str | dict[str, object]
) -> None:
    old_layout(library, two, hashed=False)
    path = Images(library).folder(A, "ab") / META
    path.write_text(facts if isinstance(facts, str) else json.dumps({**asdict(two[0]), **facts}))
    images = Images(Library(library.home))
    assert images.of(A) == two[1:]
    (said,) = images.damaged(A)
    assert (said.id, said.why) == ("ab", "meta.json is damaged.")
    assert path.exists()
    images.delete(A, "ab")
    assert images.damaged(A) == []
    assert not path.parent.exists()
