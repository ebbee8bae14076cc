"""Where a server may listen, and by which names: this machine's alone, unless somebody signs users in.

Sections are patients' data. A server that anybody of the network can reach, and that lets everybody in, does
not start: whoever binds it so says who keeps others out (``SQUINT_BEHIND``), or sets sign-in up.
"""

import os
import sys
from pathlib import Path
from typing import Literal

import streamlit as st
from starlette.middleware import Middleware
from streamlit import config
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.runtime import get_instance
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.state.common import is_element_id
from streamlit.runtime.state.session_state import STREAMLIT_INTERNAL_KEY_PREFIX
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from app import identity
from app.settings import max_upload_a_day
from app.web.doors import Doors
from app.web.headers import security_headers
from app.web.hosts import host_of, is_loopback
from app.web.idle import Idle, NoteUse
from app.web.patience import Patience, close_half_sent
from app.web.widget_ids import WidgetIds
from app.web.widget_uploads import Held, WidgetUploads
from squint.errors import InputError

_SESSION_MINUTES, _MOST_MINUTES = 60.0, 31 * 24 * 60
Behind = Literal["", "loopback", "proxy"]
_ANYWHERE = "0.0.0.0"  # noqa: S104 - what Streamlit listens on where nothing is set


def behind() -> Behind:
    """Read ``SQUINT_BEHIND``: what keeps others out of a server that does not.

    ``loopback``: a container whose port is published on the loopback of its machine alone. ``proxy``: a proxy
    that signs users in, and the one that can reach this server.
    """
    told = os.environ.get("SQUINT_BEHIND", "").strip()
    for known in ("", "loopback", "proxy"):
        if told == known:
            return known
    raise InputError(f"SQUINT_BEHIND must be 'loopback' or 'proxy', or not be set, not {told[:40]!r}.")


def may_be_beyond() -> bool:
    """Say whether this server may answer at addresses of the network."""
    return identity.is_needed() or bool(behind())


def hosts() -> frozenset[str]:
    """Read ``SQUINT_HOSTS``; return the names, without ports, by which a proxy before the server goes."""
    told = [name.strip().lower().rstrip(".") for name in os.environ.get("SQUINT_HOSTS", "").split(",")]
    names = frozenset(filter(None, told))
    for name in names:
        if host_of(f"[{name}]" if name.count(":") > 1 else name) != (name, None):
            raise InputError(
                "SQUINT_HOSTS must hold names of hosts without ports, separated by commas, as "
                f"'dashboard.example.org', not {name[:80]!r}."
            )
    return names


def session_minutes() -> float:
    """Read ``SQUINT_SESSION_MINUTES``: how long a page may lie untouched; 0: for ever.

    By default an hour where users sign in, and for ever where one uses a machine of their own.
    """
    told = os.environ.get("SQUINT_SESSION_MINUTES", "").strip()
    if not told:
        return _SESSION_MINUTES if identity.is_needed() else 0.0
    try:
        minutes = float(told)
    except ValueError:
        minutes = -1.0
    if not 0 <= minutes <= _MOST_MINUTES:
        raise InputError(
            f"SQUINT_SESSION_MINUTES must be a number of minutes, 0 for no end, not {told[:40]!r}."
        )
    return minutes


def check_address() -> None:
    """Check where the server is about to listen.

    Raises
    ------
    InputError
        If that is beyond this machine and nobody signs users in.
    """
    address = str(config.get_option("server.address") or _ANYWHERE)
    if is_loopback(address) or may_be_beyond():
        return
    raise InputError(
        f"squint does not listen on {address}: whoever reaches it there would see all sections, as nobody "
        "has to sign in. Leave --server.address at 127.0.0.1; or set sign-in up ([auth] in "
        ".streamlit/secrets.toml); or say what keeps others out: SQUINT_BEHIND=loopback, a container whose "
        "port is published on 127.0.0.1 alone, or SQUINT_BEHIND=proxy, a proxy that signs users in and alone "
        "reaches this server."
    )


def check() -> None:
    """Check all that decides who is let in; end the process with the reason where it does not hold."""
    try:
        hosts()
        max_upload_a_day()
        check_address()
        IDLE.limit_s = 60 * session_minutes()
    except InputError as error:
        sys.exit(f"Not started: {error}")


def doors() -> list[Middleware]:
    """Give the outermost middleware of the server."""
    page = Path(st.__file__).parent / "static" / "index.html"
    headers = security_headers(page.read_text(encoding="utf-8"))
    close_half_sent(AutoHTTPProtocol)
    return [
        Middleware(Doors, hosts=hosts(), headers=headers, beyond=may_be_beyond()),
        Middleware(Patience),
        Middleware(WidgetIds, is_sound=_is_sound),
        Middleware(NoteUse, idle=IDLE, by_hand=_by_hand),
        Middleware(WidgetUploads, held=_held),
    ]


def _held(session_id: str | None) -> Held:
    """Say what Streamlit holds of what its fields were given, for a session or for all."""
    manager = get_instance().uploaded_file_mgr
    storage = manager.file_storage if isinstance(manager, MemoryUploadedFileManager) else {}
    sessions = list(storage) if session_id is None else [session_id]
    files = [file for one in sessions for file in list(storage.get(one, {}).values())]
    return Held(len(files), sum(len(file.data) for file in files))


def _is_sound(content: bytes) -> bool:
    """Say whether a browser's message names widgets as Streamlit does, if any."""
    told = _read(content)
    widgets = [] if told is None else told.rerun_script.widget_states.widgets
    return all(is_element_id(one.id) or one.id.startswith(STREAMLIT_INTERNAL_KEY_PREFIX) for one in widgets)


def _by_hand(content: bytes) -> bool:
    """Say whether a browser's message was somebody's doing, and not what a page asks by itself."""
    told = _read(content)
    if told is None or told.WhichOneof("type") != "rerun_script":
        return False
    return not told.rerun_script.is_auto_rerun


def _read(content: bytes) -> BackMsg | None:
    try:
        told: BackMsg = BackMsg.FromString(content)
    except Exception:  # noqa: BLE001 - Streamlit says what it does with what it cannot read
        return None
    return told


IDLE = Idle(0)
