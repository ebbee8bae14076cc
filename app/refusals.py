"""What was refused to somebody, so that it leaves a trace."""

import logging

from app import audit
from app.settings import settings
from squint.library.acting import Actor, acting
from squint.library.chain import PROJECT

_LOG = logging.getLogger(__name__)


def refused(person_id: int | None, action: str, about: str) -> None:
    """Note that somebody asked for what they have no right to, in the server's log and in that of audit.

    Parameters
    ----------
    person_id
        Who; ``None`` where nobody is signed in.
    action
        What they wanted, in one word, as "open" or "upload".
    about
        Of what: its kind and id. Never a name, nor anything that tells of a patient.
    """
    _LOG.warning("Refused to person %s: %s %s", person_id, action, about)
    with acting(Actor(person_id, action)):
        audit.refused(settings().home, PROJECT, about.rpartition(" ")[2])
