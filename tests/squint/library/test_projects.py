"""Projects, their members, and their libraries."""

from pathlib import Path

import pytest

from squint.cli.main import main
from squint.errors import InputError
from squint.library.database import Database
from squint.library.people import People, Person
from squint.library.place import project_home
from squint.library.projects import FIRST, MEMBER, OWNER, Projects
from squint.library.sign_in import Rules, admit
from squint.library.store import Library

NOW = 1_800_000_000.0


def comes(database: Database, subject: str, **more: object) -> Person:
    told = {
        "iss": "https://id.example",
        "sub": subject,
        "iat": NOW,
        "exp": NOW + 600,
        "name": subject.title(),
    }
    return admit(database, {**told, **more}, Rules.read({"SQUINT_ADMINS": "anna"}), NOW)


@pytest.fixture
def root(tmp_path: Path) -> Library:
    return Library(tmp_path / "home")


def test_only_members_are_in_a_project(root: Library) -> None:
    projects, ben, eve = Projects(root.database), comes(root.database, "ben"), comes(root.database, "eve")
    kidney = projects.add("Kidney", ben.id)
    assert (projects.role(kidney.id, ben.id), projects.role(kidney.id, eve.id)) == (OWNER, "")
    projects.add_member(kidney.id, eve.id)
    assert projects.role(kidney.id, eve.id) == MEMBER
    told = [(one.person.name, one.role) for one in projects.members(kidney.id)]
    assert told == [("Ben", OWNER), ("Eve", MEMBER)]
    projects.remove_member(kidney.id, eve.id)
    assert projects.role(kidney.id, eve.id) == ""
    assert projects.role("0123456789abcdef", ben.id) == ""


def test_a_project_keeps_an_owner(root: Library) -> None:
    projects, ben, eve = Projects(root.database), comes(root.database, "ben"), comes(root.database, "eve")
    kidney = projects.add("Kidney", ben.id)
    for act in (
        lambda: projects.remove_member(kidney.id, ben.id),
        lambda: projects.add_member(kidney.id, ben.id, MEMBER),
    ):
        with pytest.raises(InputError, match="last owner"):
            act()
    projects.add_member(kidney.id, eve.id, OWNER)
    projects.remove_member(kidney.id, ben.id)


def test_names_of_projects_are_told_apart(root: Library) -> None:
    projects = Projects(root.database)
    kidney = projects.add("  Kid\nney ")
    assert kidney.name == "Kid ney"
    for name in ("Kid ney", " ", "\x00"):
        with pytest.raises(InputError):
            projects.add(name)
    projects.rename(kidney.id, "Kid ney")
    projects.rename(kidney.id, "Lung")
    assert projects.get(kidney.id).name == "Lung"


def test_a_project_goes_with_its_files_and_nothing_else(root: Library) -> None:
    projects = Projects(root.database)
    kidney, lung = projects.add("Kidney"), projects.add("Lung")
    for one in (kidney, lung):
        Library(project_home(root.home, one.id))
    projects.remove(kidney.id, root.home)
    assert not project_home(root.home, kidney.id).exists()
    assert project_home(root.home, lung.id).exists()
    assert [one.id for one in projects.all()] == [FIRST, lung.id]
    with pytest.raises(InputError, match="first project"):
        projects.remove(FIRST, root.home)
    with pytest.raises(InputError, match="no such project"):
        projects.remove(kidney.id, root.home)
    assert root.sections_folder.exists()


def test_a_project_has_owners_and_members_who_are_here_and_nobody_else(root: Library) -> None:
    anna, ben = comes(root.database, "anna"), comes(root.database, "ben")
    projects, people = Projects(root.database), People(root.database)
    lung = projects.add("Lung", ben.id)
    for role in ("admin", "", "x" * 999):
        with pytest.raises(InputError, match="owner or member"):
            projects.add_member(lung.id, anna.id, role)
    assert [one.person.id for one in projects.members(lung.id)] == [ben.id]
    people.remove(ben.id)
    for nobody in (ben.id, 99):
        with pytest.raises(InputError, match=r"removed|Nobody has the number"):
            projects.add("Kidney", nobody)
    assert "Kidney" not in [one.name for one in projects.all()]


def test_whoever_adds_a_member_by_address_needs_one_that_is_vouched_for(root: Library) -> None:
    people = People(root.database)
    eve = comes(root.database, "eve", email="eve@example.org", email_verified=True)
    comes(root.database, "mallory", email="anna@example.org")
    assert people.by_email(" EVE@example.org").id == eve.id
    for address in ("anna@example.org", "", "nobody@example.org"):
        with pytest.raises(InputError, match="Nobody with this e-mail"):
            people.by_email(address)


def test_commands_do_the_same(root: Library, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setenv("SQUINT_HOME", str(root.home))
    anna, ben = comes(root.database, "anna"), comes(root.database, "ben")
    projects = Projects(root.database)

    def run(*words: object) -> tuple[int, str]:
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        return code, said.out + said.err

    assert run("people", "list")[1].count("last seen") == 2
    assert run("people", "role", ben.id, "viewer")[0] == 0
    assert run("people", "remove", anna.id) == (2, f"squint: {_LAST}\n")
    assert run("projects", "add", "Lung", "--owner", 99)[0] == 2
    assert run("projects", "add", "Lung", "--owner", ben.id)[0] == 0
    lung = next(one for one in projects.all() if one.name == "Lung")
    assert run("projects", "member", lung.id, anna.id, "owner")[0] == 0
    assert run("projects", "member", lung.id, ben.id, "none")[0] == 0
    assert projects.role(lung.id, ben.id) == ""
    assert run("projects", "rename", lung.id, "Lungs")[0] == 0
    assert "Lungs" in run("projects", "list")[1]
    assert run("projects", "remove", lung.id)[0] == 2
    assert run("projects", "remove", lung.id, "--yes")[0] == 0
    assert run("people", "remove", ben.id)[0] == 0


_LAST = "This is the last admin. Make somebody else one first: squint people role ID admin."
