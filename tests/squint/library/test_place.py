"""Where the libraries of a server lie."""

from pathlib import Path

import pytest

from squint.errors import InputError
from squint.library.place import (
    MARK,
    all_homes,
    new_project,
    of_word,
    project_home,
    project_of,
    root_of,
    word_of,
)


def test_the_first_library_is_the_server_s_own(tmp_path: Path) -> None:
    assert project_home(tmp_path, "") == tmp_path
    assert root_of(tmp_path) == tmp_path


def test_every_project_has_a_library_below_the_first(tmp_path: Path) -> None:
    home = project_home(tmp_path, "00ff" * 4)
    home.mkdir(parents=True)
    assert root_of(home) == tmp_path
    assert all_homes(tmp_path) == [tmp_path]
    (home / MARK).write_text("it")
    assert all_homes(tmp_path) == [tmp_path, home]


@pytest.mark.parametrize("name", ["12345", "ada", "cafe", "0" * 15, "0" * 17])
def test_a_first_library_may_lie_among_projects_of_somebody_else(tmp_path: Path, name: str) -> None:
    home = tmp_path / "projects" / name  # as a cluster has them
    assert (project_of(home), root_of(home)) == ("", home)


def test_a_word_in_an_address_names_a_project() -> None:
    for project in ("", "0123456789abcdef", new_project()):
        assert of_word(word_of(project)) == project


@pytest.mark.parametrize("word", ["", "..", "../..", "x", "0123456789ABCDEF", "0" * 17, "first/..", "%2e%2e"])
def test_no_word_of_an_address_leads_to_another_folder(tmp_path: Path, word: str) -> None:
    assert of_word(word) is None
    if word:
        with pytest.raises(InputError, match="no such project"):
            project_home(tmp_path, word)
