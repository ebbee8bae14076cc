"""Whom a browser belongs to: the one place that reads who is signed in.

Streamlit signs people in (``st.login``) and gives their browser a signed cookie; here it is read, of pages
and of requests alike. Where no sign-in is set up, whoever asks uses this machine.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from streamlit import config
from streamlit.auth_util import get_cookie_with_chunks, get_origin_from_redirect_uri
from streamlit.errors import Error as StreamlitError
from streamlit.errors import StreamlitSecretNotFoundError
from streamlit.runtime.secrets import secrets_singleton
from streamlit.web.server.server_util import get_cookie_secret
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from app.refusals import refused
from app.settings import settings
from squint.errors import InputError
from squint.library.access import Access, NotAllowedError
from squint.library.acting import Actor, acting
from squint.library.database import database
from squint.library.people import LOCAL, VIEWER, Person
from squint.library.projects import FIRST, Projects
from squint.library.sign_in import Rules, admit, end

_SECTION = "auth"  # of Streamlit's secrets


def is_needed() -> bool:
    """Say whether people have to sign in: whether the secrets have a section for it, or cannot be read."""
    try:
        return _SECTION in secrets_singleton
    except StreamlitSecretNotFoundError:
        return any(Path(path).exists() for path in config.get_option("secrets.files"))


def who(claims: Mapping[str, Any] | None) -> Person:
    """Give the person that verified claims are about.

    Raises
    ------
    NotAdmittedError
        If they may not come in.
    InputError
        If that cannot be found out.
    """
    if not is_needed():
        return LOCAL
    with acting(Actor(None, "sign in")):  # who it is that acts is what is being found out
        return admit(database(settings().home), claims or {}, Rules.read())


def sign_out(claims: Mapping[str, Any]) -> None:
    """End a sign-in, in all windows of the browser."""
    end(database(settings().home), claims, Rules.read())


def who_asks(cookies: Mapping[str, str]) -> Person | None:
    """Give the person whose browser sent a request; ``None`` if nobody is signed in who may come in."""
    if not is_needed():
        return LOCAL
    claims = _claims_of(cookies)
    if claims is None:
        return None
    try:
        return who(claims)
    except InputError:
        return None


def _claims_of(cookies: Mapping[str, str]) -> dict[str, Any] | None:
    """Read the cookie that Streamlit signed; ``None`` if there is none, or it is not of this server."""

    def single(name: str) -> bytes | None:
        value = cookies.get(name)
        return (
            None if value is None else decode_signed_value(get_cookie_secret(), name, value.encode("latin-1"))
        )

    try:
        content = get_cookie_with_chunks(single, USER_COOKIE_NAME)
        claims = json.loads(content) if content else None
    except (ValueError, StreamlitError):
        claims = None
    if not isinstance(claims, dict) or claims.get("is_logged_in") is not True:
        return None
    return claims if claims.get("origin") == get_origin_from_redirect_uri() else None


class Granted(Access):
    """What somebody may do in a project, found out anew each time.

    Parameters
    ----------
    claims
        Of whoever is signed in.
    project
        Id of the project.
    """

    def __init__(self, claims: Mapping[str, Any], project: str) -> None:
        self._claims, self._project = dict(claims), project

    def require(self, role: str, what: str = "change") -> None:
        """See that what a role may do is allowed now, and leave a trace if it is not."""
        person = who(self._claims)
        if not is_member(person, self._project):
            role = VIEWER
        elif person.may(role):
            return
        refused(person.id, what, self._project)
        raise NotAllowedError(role)


def is_member(person: Person, project: str) -> bool:
    """Say whether somebody is in a project now; whoever need not sign in is in the only one."""
    if person == LOCAL:
        return project == FIRST
    return bool(Projects(database(settings().home)).role(project, person.id))
