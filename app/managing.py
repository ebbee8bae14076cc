"""What admins, and owners of projects, change of people and projects: each is checked when it is done."""

from app import identity, who
from app.refusals import refused
from app.settings import settings
from squint.library.access import NotAllowedError
from squint.library.database import database
from squint.library.people import ADMIN, People, Person
from squint.library.projects import MEMBER, OWNER, Projects


def people() -> People:
    """Give those who signed in."""
    return People(database(settings().home))


def may_manage(project_id: str) -> bool:
    """Say whether who uses this session may change who is in a project."""
    return _may_manage(who.person(), project_id)


def add_project(name: str, owner_id: int) -> None:
    """Make a project, as an admin."""
    _require_admin("project")
    _projects().add(name, owner_id)


def rename_project(project_id: str, name: str) -> None:
    """Give a project another name, as its owner or an admin."""
    _require_owner(project_id)
    _projects().rename(project_id, name)


def remove_project(project_id: str) -> None:
    """Remove a project with all in it, as an admin."""
    _require_admin("project")
    _projects().remove(project_id, settings().home)


def add_member(project_id: str, person_id: int, role: str = MEMBER) -> None:
    """Let somebody into a project, or change what they are in it, as its owner or an admin."""
    _require_owner(project_id)
    _projects().add_member(project_id, person_id, role)


def add_member_by_email(project_id: str, email: str) -> None:
    """Let somebody into a project by the address that the identity provider vouches for."""
    _require_owner(project_id)
    _projects().add_member(project_id, people().by_email(email).id)


def remove_member(project_id: str, person_id: int) -> None:
    """Take somebody out of a project, as its owner or an admin."""
    _require_owner(project_id)
    _projects().remove_member(project_id, person_id)


def set_role(person_id: int, role: str) -> None:
    """Give somebody a role, as an admin."""
    _require_admin("role")
    people().set_role(person_id, role)


def remove_person(person_id: int) -> None:
    """Take from somebody all they may do, as an admin."""
    _require_admin("person")
    people().remove(person_id)


def _projects() -> Projects:
    return who.registered_projects()


def _may_manage(person: Person, project_id: str) -> bool:
    return person.may(ADMIN) or _projects().role(project_id, person.id) == OWNER


def _require_admin(what: str) -> None:
    person = identity.who(who.claims())
    if not person.may(ADMIN):
        refused(person.id, f"manage {what}")
        raise NotAllowedError(ADMIN)


def _require_owner(project_id: str) -> None:
    person = identity.who(who.claims())
    if not _may_manage(person, project_id):
        refused(person.id, "manage", project_id)
        raise NotAllowedError(ADMIN)
