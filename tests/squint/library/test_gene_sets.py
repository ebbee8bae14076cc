"""Gene sets that users add: kept by file, never written over."""

import threading

import pytest
import sqlalchemy as sa

from squint.errors import InputError
from squint.formats.gene_sets import parse
from squint.library import gene_sets
from squint.library.database import database
from squint.library.records import GeneSetFile
from squint.library.store import Library


def add(library: Library, content: bytes, name: str) -> None:
    gene_sets.add(library, name, parse(content, name))


def test_gene_sets_are_kept_under_harmless_names_that_are_free(library: Library) -> None:
    add(library, b"A\tfrom a paper\tCA9\tLDHA\nB\t\tVIM\n", "mine.GMT")
    add(library, b"gene\nLRP2\nCUBN\n", "../Jane Doe.csv")
    found = gene_sets.find_sets(library)
    assert found[gene_sets.AGGRESSIVE] == ("LDHA", "MMP14", "PFKFB3")
    assert found["mine: A"] == ("CA9", "LDHA")
    assert ("LRP2", "CUBN") in found.values()
    assert not any("Jane" in name for name in found)
    add(library, b"gene\nVIM\n", "mine.csv")
    assert gene_sets.find_sets(library)["mine: A"] == ("CA9", "LDHA")  # not written over
    assert gene_sets.find_sets(library)["mine-2"] == ("VIM",)
    gene_sets.remove(library, "mine-2.csv")
    gene_sets.remove(library, "../samples_imported")
    assert "mine-2" not in gene_sets.find_sets(library)
    assert gene_sets.files(library) == ["mine.gmt", "section.csv"]


def test_a_set_that_is_named_as_the_free_name_is_not_lost(library: Library) -> None:
    gene_sets.add(library, "mine.csv", {"mine": ("VIM",)})
    gene_sets.add(library, "mine.csv", {"mine": ("CA9",), "mine-2": ("LDHA",)})
    found = gene_sets.find_sets(library)
    assert (found["mine"], found["mine-2: mine"], found["mine-2"]) == (("VIM",), ("CA9",), ("LDHA",))


def test_too_many_files_are_refused(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gene_sets, "_AT_MOST", 1)
    gene_sets.add(library, "one.csv", {"one": ("VIM",)})
    with pytest.raises(InputError, match="holds 1 files"):
        gene_sets.add(library, "two.csv", {"two": ("VIM",)})
    assert gene_sets.files(library) == ["one.csv"]


def test_files_of_the_same_name_at_once_are_all_kept(library: Library) -> None:
    def work() -> None:
        for _ in range(5):
            gene_sets.add(library, "mine.csv", {"mine": ("VIM",)})

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(gene_sets.files(library)) == 20
    assert len(gene_sets.find_sets(library)) == 21


def test_a_damaged_file_is_said_and_the_others_are_there(library: Library) -> None:
    gene_sets.add(library, "a.csv", {"a": ("VIM",)})
    gene_sets.add(library, "b.csv", {"b": ("CA9",)})
    with database(library.home).engine.begin() as connection:
        row = sa.update(GeneSetFile.__table__).where(sa.column("name") == "a.csv")
        connection.execute(row.values(sets={"a": ["WIM"]}))
    assert gene_sets.damaged(library) == ["a.csv"]
    assert list(gene_sets.find_sets(library)) == [gene_sets.AGGRESSIVE, "b"]
    gene_sets.remove(library, "a.csv")
    gene_sets.add(library, "a.csv", {"a": ("VIM",)})
    assert gene_sets.damaged(library) == []
    assert gene_sets.find_sets(library)["a"] == ("VIM",)


def test_sets_that_were_removed_and_added_otherwise_are_read_anew(library: Library) -> None:
    gene_sets.add(library, "a.csv", {"a": ("VIM",)})
    assert gene_sets.find_sets(library)["a"] == ("VIM",)
    gene_sets.remove(library, "a.csv")
    gene_sets.add(library, "a.csv", {"a": ("CA9",)})
    assert gene_sets.find_sets(library)["a"] == ("CA9",)
