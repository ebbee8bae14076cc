"""Whose request it is: of the project that an address or a ticket names, only members get an answer.

Looked up anew at each request, beside the signature: an address that was copied opens nothing for others, and
one's own opens nothing once one's right is gone. What is refused answers as what does not exist, and leaves a
trace.
"""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from app.identity import is_member, is_needed, who_asks
from app.refusals import refused
from app.settings import settings
from app.uploads.arrivals import Ticket
from squint.errors import InputError
from squint.library.people import ANALYST, VIEWER, Person
from squint.library.place import of_word, project_home, project_of
from squint.library.store import Library


async def library_of(request: Request, word: str) -> Library | None:
    """Give the library of the project that an address names, to a member of it."""
    return await run_in_threadpool(_library_of, request, word)


async def may_see(request: Request, library: Library) -> bool:
    """Say whether whoever asks is a member of the project that a library is of."""
    return await run_in_threadpool(_may, request, project_of(library.home), VIEWER)


async def may_send(request: Request, ticket: Ticket) -> bool:
    """Say whether whoever asks is the one whose page got a ticket, and may still add to its project."""
    return await run_in_threadpool(
        _may, request, project_of(ticket.library.home), ANALYST, of=None if not is_needed() else ticket.person
    )


def _library_of(request: Request, word: str) -> Library | None:
    project = of_word(word)
    if project is None or not _may(request, project, VIEWER):
        return None
    home = project_home(settings().home, project)
    return Library(home) if home.is_dir() else None


def _may(request: Request, project: str, role: str, of: int | None = None) -> bool:
    person = who_asks(request.cookies)
    try:
        if person is not None and _is_let_in(person, project, role, of):
            return True
    except InputError:  # the database does not answer
        return False
    refused(None if person is None else person.id, "fetch", project)
    return False


def _is_let_in(person: Person, project: str, role: str, of: int | None) -> bool:
    return is_member(person, project) and person.may(role) and of in (None, person.id)
