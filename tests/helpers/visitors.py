"""People whose browsers hold the cookie that Streamlit gives whoever signed in, without a browser."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from streamlit import config
from streamlit.runtime.secrets import secrets_singleton
from streamlit.web.server.server_util import get_cookie_secret
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from tests.helpers.sign_in import write_secrets

ADDRESS, ISSUER = "http://127.0.0.1:8501", "http://127.0.0.1:9"


@contextmanager
def sign_in_set_up(folder: Path) -> Iterator[None]:
    """Let people sign in, as the secrets of a server say."""
    before = config.get_option("secrets.files")
    config.set_option("secrets.files", [str(write_secrets(folder / "secrets.toml", ADDRESS, ISSUER))])
    secrets_singleton._reset()
    try:
        yield
    finally:
        config.set_option("secrets.files", before)
        secrets_singleton._reset()


def claims(login: str, **more: Any) -> dict[str, Any]:
    """Say what the identity provider says of somebody."""
    now = time.time()
    told = {"iss": ISSUER, "sub": login, "name": login.title(), "iat": now, "exp": now + 3600}
    return {**told, "is_logged_in": True, "provider": "default", **more}


def cookie(login: str, **more: Any) -> dict[str, str]:
    """Give the cookie of somebody who signed in, as Streamlit makes it."""
    content = json.dumps({"origin": ADDRESS, **claims(login), **more})
    return {USER_COOKIE_NAME: create_signed_value(get_cookie_secret(), USER_COOKIE_NAME, content).decode()}
