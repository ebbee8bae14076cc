"""Gene sets are read when they are added, by the worker alone."""

import time

import pytest

from app.requests import ReadGeneSets
from app.tasks.exports import TASKS
from squint.errors import InputError
from squint.library import gene_sets
from squint.library.store import Library
from tests.helpers.gene_sets import add


def test_gene_sets_are_kept_and_bad_files_are_not(library: Library) -> None:
    assert add(library, b"A\tfrom a paper\tCA9\tLDHA\nB\t\tVIM\n", "mine.GMT") == 2
    assert add(library, b"gene\nLRP2\nCUBN\n", "../Jane Doe.csv") == 1
    found = gene_sets.find_sets(library)
    assert found[gene_sets.AGGRESSIVE] == ("LDHA", "MMP14", "PFKFB3")
    assert found["mine: A"] == ("CA9", "LDHA")
    assert ("LRP2", "CUBN") in found.values()
    assert not any("Jane" in name for name in found)
    assert add(library, b"gene\nVIM\n", "mine.csv") == 1
    assert gene_sets.find_sets(library)["mine: A"] == ("CA9", "LDHA")  # not written over
    assert gene_sets.find_sets(library)["mine-2"] == ("VIM",)
    gene_sets.remove(library, "mine-2.csv")
    gene_sets.remove(library, "../samples_imported")
    assert "mine-2" not in gene_sets.find_sets(library)
    before = sorted(library.gene_sets_folder.iterdir())
    with pytest.raises(InputError):
        add(library, b"\x89PNG\r\n", "picture.gmt")
    assert sorted(library.gene_sets_folder.iterdir()) == before
    assert not list(library.staging.iterdir())


def read_all(library: Library) -> object:
    return TASKS["read_gene_sets"]({"home": str(library.home), "asked": ReadGeneSets().args}, lambda *_: None)


def test_files_put_there_by_hand_or_by_an_older_squint_are_read_once(
    library: Library, caplog: pytest.LogCaptureFixture
) -> None:
    folder = library.gene_sets_folder
    (folder / "mine.gmt").write_bytes(b"A\tfrom a paper\tCA9\tLDHA\n")
    (folder / "tubules.csv").write_text("gene\nVIM\n")
    (folder / "stray.pdf").write_bytes(b"%PDF")
    (folder / ".hidden").touch()
    assert list(gene_sets.find_sets(library)) == [gene_sets.AGGRESSIVE]
    assert [path.name for path in gene_sets.unread(library)] == ["mine.gmt", "stray.pdf", "tubules.csv"]
    assert read_all(library) == 3
    assert gene_sets.unread(library) == []
    assert gene_sets.files(library) == ["mine.gmt", "tubules.csv"]
    assert gene_sets.find_sets(library)["tubules"] == ("VIM",)
    assert gene_sets.find_sets(library)["mine: A"] == ("CA9", "LDHA")
    assert (folder / "unreadable" / "stray.pdf").read_bytes() == b"%PDF"
    assert "stray.pdf was left as it is" in caplog.text
    (folder / "tubules.csv").write_text("gene\nLDHA\n")
    read_all(library)
    assert gene_sets.find_sets(library)["tubules"] == ("VIM",)  # not written over
    assert gene_sets.find_sets(library)["tubules-2"] == ("LDHA",)


def test_a_full_library_takes_no_more(library: Library) -> None:
    for i in range(100):
        gene_sets.add(library, f"{i}.csv", {"one": ("VIM",)})
    with pytest.raises(InputError, match="holds 100 files of gene sets"):
        add(library, b"gene\nVIM\n", "one more.csv")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{}," * 21_000_000, "larger than 2 MB"),
        (b"a," * 999_000, "more than 400,000 fields"),
        (b"\x89PNG\r\n", "no plain text"),
    ],
    ids=["64 MB", "wide", "picture"],
)
def test_what_unfolds_is_refused_soon(library: Library, content: bytes, words: str) -> None:
    start = time.process_time()
    with pytest.raises(InputError, match=words):
        add(library, content, "sets.csv")
    assert time.process_time() - start < 5


def test_each_gene_of_aggressive_kidney_cancer_has_its_source() -> None:
    assert tuple(gene_sets.AGGRESSIVE_KIDNEY) == ("LDHA", "MMP14", "PFKFB3")
    for gene, (author, where) in {
        "LDHA": ("Girgis", "Molecular cancer, 13(1):101, 2014"),
        "MMP14": ("Zhao", "Translational Andrology and Urology, 11(11):1523, 2022"),
        "PFKFB3": ("Li", "BMC cancer, 22(1):83, 2022a"),
    }.items():
        source = gene_sets.AGGRESSIVE_KIDNEY[gene]
        assert author in source
        assert where in source
