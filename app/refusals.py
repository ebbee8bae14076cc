"""What was refused to somebody, so that it leaves a trace."""

import logging

_LOG = logging.getLogger(__name__)


def refused(person_id: int | None, action: str, about: str) -> None:
    """Note that somebody asked for what they have no right to.

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
