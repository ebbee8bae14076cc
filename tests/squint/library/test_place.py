"""Where the libraries of a server lie."""

from pathlib import Path

from squint.library.place import MARK, all_homes, project_home, root_of


def test_the_first_library_is_the_server_s_own(tmp_path: Path) -> None:
    assert project_home(tmp_path, "") == tmp_path
    assert root_of(tmp_path) == tmp_path


def test_every_project_has_a_library_below_the_first(tmp_path: Path) -> None:
    home = project_home(tmp_path, "00ff")
    home.mkdir(parents=True)
    assert root_of(home) == tmp_path
    assert all_homes(tmp_path) == [tmp_path]
    (home / MARK).write_text("it")
    assert all_homes(tmp_path) == [tmp_path, home]
