"""All models there are: sound and damaged, of the library and shipped."""

import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa
from anndata import AnnData

from squint.errors import InputError
from squint.library import models, token_naming
from squint.library.records import Model, ModelSection, Note, StoredFile
from squint.library.store import Library
from squint.model import archive
from squint.model.card import CONFIG, WEIGHTS, weights_sha256
from tests.helpers.bundles import GENES, content_of, save_bundle
from tests.helpers.sections import add_sections


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    return save_bundle(tmp_path / "samples" / "shipped", seed=1)


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """Give an archive of a model that is nowhere else."""
    archive.export(save_bundle(tmp_path / "elsewhere", seed=2), tmp_path / "Kidney 5k.zip")
    return tmp_path / "Kidney 5k.zip"


def test_models_of_the_library_come_before_those_shipped(
    library: Library, shipped: Path, packed: Path
) -> None:
    assert [one.name for one in models.known(library, [shipped, shipped])] == ["shipped"]
    added = models.add(library, packed)
    assert added.is_new
    first, second = models.known(library, [shipped])
    assert first == added.model
    assert (first.name, first.is_shipped, second.is_shipped) == ("Kidney_5k", False, True)
    assert first.sha256 == weights_sha256(first.folder)
    assert second.sha256 == weights_sha256(shipped)
    assert first.card is not None
    assert first.card.genes == list(GENES)
    assert models.known(None, [shipped]) == [second]


def test_what_is_added_is_kept_byte_by_byte(library: Library, packed: Path, tmp_path: Path) -> None:
    model = models.add(library, packed).model
    assert content_of(model.folder) == content_of(tmp_path / "elsewhere")
    archive.export(model.folder, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == packed.read_bytes()
    assert not list(library.staging.glob("*/*"))


def test_a_model_is_added_once_whatever_it_is_called(library: Library, packed: Path, tmp_path: Path) -> None:
    first = models.add(library, packed)
    other = shutil.copy(packed, tmp_path / "other.zip")
    assert models.add(library, other) == (first.model, False)
    assert models.add(library, tmp_path / "elsewhere") == (first.model, False)
    assert len(models.known(library, [])) == 1


def test_a_model_whose_training_was_cut_short_is_added_once(library: Library, tmp_path: Path) -> None:
    folder = save_bundle(tmp_path / "short", distance_p99=float("nan"))
    assert models.add(library, folder).is_new
    assert not models.add(library, folder).is_new


def test_a_shipped_model_is_not_kept_a_second_time(library: Library, shipped: Path, tmp_path: Path) -> None:
    archive.export(shipped, tmp_path / "copy.zip")
    found = models.add(library, tmp_path / "copy.zip", [shipped])
    assert (found.is_new, found.model.folder) == (False, shipped)
    assert models.known(library, []) == []


def test_the_same_weights_with_other_genes_are_refused(
    library: Library, packed: Path, tmp_path: Path
) -> None:
    models.add(library, packed)
    config = tmp_path / "elsewhere" / CONFIG
    config.write_text(config.read_text().replace("GENE0", "GENE9"))
    before = models.known(library, [])
    with pytest.raises(InputError, match="other genes or choices"):
        models.add(library, tmp_path / "elsewhere")
    assert models.known(library, []) == before


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG])
def test_a_damaged_model_is_listed_with_its_problem_and_mended_by_a_sound_one(
    library: Library, packed: Path, name: str
) -> None:
    sound = models.add(library, packed).model
    path = sound.folder / name
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    (found,) = models.known(library, [])
    assert found.card is None
    assert found.problem == f"{name} in the library is damaged."
    assert (found.name, found.folder, found.sha256) == (sound.name, sound.folder, sound.sha256)
    mended = models.add(library, packed)
    assert mended.is_new
    (found,) = models.known(library, [])
    assert (found.folder, found.problem, found.card) == (sound.folder, "", sound.card)


def test_a_damaged_model_is_not_mended_by_one_of_other_genes(
    library: Library, packed: Path, tmp_path: Path
) -> None:
    folder = models.add(library, packed).model.folder
    (folder / CONFIG).unlink()
    config = tmp_path / "elsewhere" / CONFIG
    config.write_text(config.read_text().replace("GENE0", "GENE9"))
    with pytest.raises(InputError, match="other genes or choices"):
        models.add(library, tmp_path / "elsewhere")
    assert not (folder / CONFIG).exists()


def test_a_damaged_model_is_mended_though_a_shipped_one_is_the_same(library: Library, shipped: Path) -> None:
    folder = models.add(library, shipped).model.folder
    (folder / CONFIG).unlink()
    assert models.add(library, shipped, [shipped]).model.folder == folder
    assert [one.problem for one in models.known(library, [shipped])] == ["", ""]


def test_a_damaged_row_is_said(library: Library, packed: Path) -> None:
    folder = models.add(library, packed).model.folder
    with library.database.writing() as session:
        session.execute(sa.update(Model).values(name="another"))  # beside its hash
    (found,) = models.known(library, [])
    assert found.problem == "What the library knows of this model is damaged."
    for change in (models.rename, models.note):
        with pytest.raises(InputError, match="is damaged"):
            change(library, folder, "new")
    models.remove(library, folder)
    assert models.known(library, []) == []


def test_a_shipped_model_that_is_damaged_is_said(shipped: Path) -> None:
    (shipped / CONFIG).write_text("{")
    (found,) = models.known(None, [shipped])
    assert "is damaged" in found.problem
    assert found.card is None
    (shipped / WEIGHTS).unlink()
    (found,) = models.known(None, [shipped])
    assert (found.sha256, found.name) == ("", "shipped")
    assert "is not a model bundle" in found.problem


def test_a_mended_model_still_goes_with_its_sections(
    library: Library, packed: Path, section: AnnData, tmp_path: Path
) -> None:
    model = models.add(library, packed).model
    left, _ = add_sections(library, section, tmp_path)
    with library.database.writing() as session:
        session.add(ModelSection(folder=model.folder.name, section_id=left.id))
    models.note(library, model.folder, "Good for cores.")
    (model.folder / CONFIG).unlink()
    models.add(library, packed)
    (found,) = models.known(library, [])
    assert (found.problem, found.note) == ("", "Good for cores.")
    library.delete(left.id)
    assert models.known(library, []) == []
    with library.database.reading() as session:
        assert session.scalars(sa.select(Note)).all() == []


def test_a_model_is_renamed(library: Library, packed: Path, shipped: Path) -> None:
    folder = models.add(library, packed).model.folder
    models.rename(library, folder, "  Kidney, FFPE ")
    models.rename(library, folder, "Kidney, FFPE")
    assert models.known(library, [])[0].name == "Kidney, FFPE"
    other = models.add(library, shipped).model.folder
    for name, words in (
        ("Kidney, FFPE", "Another model"),
        ("", "needs a name"),
        ("x" * 61, "needs a name"),
        ("a\nb", "needs a name"),
        ("Anna Schmidt", "looks like a person's name"),
    ):
        with pytest.raises(InputError, match=words):
            models.rename(library, other, name)
    with pytest.raises(InputError, match="ships with squint"):
        models.rename(library, shipped, "mine")
    with pytest.raises(InputError, match="no longer in the library"):
        models.rename(library, library.models / "gone", "mine")


def test_a_note_is_kept_changed_and_removed(library: Library, packed: Path) -> None:
    folder = models.add(library, packed).model.folder
    for text in ("First.", "Second,\nin two lines."):
        models.note(library, folder, text)
        assert models.known(library, [])[0].note == text
    with pytest.raises(InputError, match="at most 2,000"):
        models.note(library, folder, "x" * 2_001)
    models.note(library, folder, " ")
    assert models.known(library, [])[0].note == ""
    models.note(library, folder, "Third.")
    with library.database.writing() as session:
        session.execute(sa.update(Note).values(text="Another."))
    assert models.known(library, [])[0].note == "This note is damaged."


def test_what_is_removed_leaves_nothing(library: Library, packed: Path, shipped: Path) -> None:
    folder = models.add(library, packed).model.folder
    models.note(library, folder, "Mine.")
    with pytest.raises(InputError, match="ships with squint: it cannot be removed"):
        models.remove(library, shipped)
    models.remove(library, folder)
    assert models.known(library, [shipped])[0].folder == shipped
    assert list(library.models.iterdir()) == []
    with library.database.reading() as session:
        for table in (Model, StoredFile, Note):
            assert session.scalars(sa.select(table)).all() == []
    with pytest.raises(InputError, match="no longer in the library"):
        models.remove(library, folder)


def test_names_of_tokens_outlive_their_model_and_count_when_it_comes_back(
    library: Library, packed: Path
) -> None:
    model = models.add(library, packed).model
    token_naming.name(library, model.sha256, "3", "rim", "")
    models.remove(library, model.folder)
    back = models.add(library, packed).model
    assert token_naming.names(library, back.sha256) == {"3": "3 · rim"}


def test_a_refused_archive_leaves_nothing(library: Library, tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"bad\.zip"):
        models.add(library, tmp_path / "bad.zip")
    assert models.known(library, []) == []
    assert list(library.models.iterdir()) == []
    assert list(library.staging.iterdir()) == []


def test_models_are_found_by_name_and_by_hash(shipped: Path, tmp_path: Path) -> None:
    twin = save_bundle(tmp_path / "others" / "shipped", seed=3)
    alone = save_bundle(tmp_path / "alone", seed=4)
    all_of_them = models.known(None, [shipped, twin, alone])
    assert models.find(all_of_them, "alone").folder == alone
    sha256 = weights_sha256(twin)
    assert models.find(all_of_them, sha256[:12].upper()).folder == twin
    assert models.find(all_of_them, sha256).folder == twin
    for asked in ("", "alon", "ffff"):
        with pytest.raises(InputError, match=rf"No model is called '{asked}'.*There are: shipped \("):
            models.find(all_of_them, asked)
    with pytest.raises(InputError, match=rf"2 models are called.*They are: .*shipped \({sha256[:12]}\)"):
        models.find(all_of_them, "shipped")
    with pytest.raises(InputError, match="none at all"):
        models.find([], "alone")
