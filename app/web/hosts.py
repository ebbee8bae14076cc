"""Under which names a server is asked, and whether a page that asks it is its own."""

from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

LOOPBACK = ("127.0.0.1", "localhost", "::1")  # names that every server answers to
_PORTS = {"http": 80, "https": 443}


def host_of(header: str) -> tuple[str, int | None] | None:
    """Read a ``Host`` header: a name in small letters and the port; ``None`` if it is none."""
    parts = _parts(f"//{header}")
    if parts is None or parts.path or parts.query or parts.fragment or not parts.hostname:
        return None
    return parts.hostname.rstrip("."), parts.port


def is_own(origin: str, host: tuple[str, int | None], *, encrypted: bool) -> bool:
    """Say whether an ``Origin`` is the server itself: its name, its port, and no weaker scheme.

    Parameters
    ----------
    origin
        The header, as ``http://localhost:8501``.
    host
        Name and port by which the server was asked.
    encrypted
        Whether it was asked by https: a page that came without is another's then. A proxy that does not
        tell (``X-Forwarded-Proto``) makes a server take both.
    """
    parts = _parts(origin)
    if parts is None or parts.scheme not in _PORTS or parts.path or parts.query or parts.fragment:
        return False
    if encrypted and parts.scheme != "https":
        return False
    name, port = host
    usual = _PORTS[parts.scheme]
    return (parts.hostname or "").rstrip(".") == name and (parts.port or usual) == (port or usual)


def is_loopback(address: str) -> bool:
    """Say whether an address that a server listens on, a name or a number, is this machine's alone."""
    if address.lower() == "localhost":
        return True
    try:
        number = ip_address(address.strip("[]").partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(number, "ipv4_mapped", None)
    return (mapped or number).is_loopback


def is_beyond(address: str) -> bool:
    """Say whether an address at which a request came in is a number of the network; a path is none."""
    try:
        ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return not is_loopback(address)


def all_hosts(more: Collection[str]) -> frozenset[str]:
    """Give the names that a server answers to, with those of a proxy before it."""
    return frozenset((*LOOPBACK, *more))


def _parts(address: str) -> SplitResult | None:
    if not address.isascii() or not address.isprintable() or "\\" in address:
        return None
    try:
        parts = urlsplit(address)
        _ = parts.port  # a number, and not too large
    except ValueError:
        return None
    return None if parts.username is not None or parts.password is not None else parts
