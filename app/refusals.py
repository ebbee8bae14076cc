"""What was refused to somebody, so that it leaves a trace."""

import logging

from app import audit
from app.settings import settings
from squint.library.acting import Actor, acting
from squint.library.chain import ADDRESS, PROJECT
from squint.library.place import word_of

_LOG = logging.getLogger(__name__)


def refused(person_id: int | None, action: str, project: str | None = None) -> None:
    """Note that somebody asked for what they have no right to, in the server's log and in that of audit.

    Parameters
    ----------
    person_id
        Who; ``None`` where nobody is signed in.
    action
        What they wanted, in a few small letters, as "open view". Never a name, nor anything that tells of a
        patient.
    project
        Id of the project that it is in, if it is in one.
    """
    where = "" if project is None else f" in project {word_of(project)}"
    _LOG.warning("Refused to person %s: %s%s", person_id, action, where)
    with acting(Actor(person_id, action)):
        audit.refused(settings().home, ADDRESS if project is None else PROJECT, project or "")
