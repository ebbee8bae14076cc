"""Names of a server and origins of pages: what is taken for this server's own, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.web.hosts import host_of, is_beyond, is_loopback, is_own

NAMES = st.sampled_from(["localhost", "127.0.0.1", "squint.example.org", "::1", "a.b"])
PORTS = st.one_of(st.none(), st.integers(1, 65535))


def written(name: str, port: int | None) -> str:
    quoted = f"[{name}]" if ":" in name else name
    return quoted if port is None else f"{quoted}:{port}"


@given(NAMES, PORTS)
def test_a_host_is_read_as_it_was_written(name: str, port: int | None) -> None:
    assert host_of(written(name, port)) == (name, port)
    assert host_of(written(name.upper(), port)) == (name, port)
    assert host_of(written("localhost.", port)) == ("localhost", port)


@given(
    name=NAMES,
    port=PORTS,
    other=NAMES,
    other_port=PORTS,
    scheme=st.sampled_from(["http", "https"]),
    encrypted=st.booleans(),
)
def test_an_origin_is_own_only_with_name_port_and_no_weaker_scheme(
    name: str, port: int | None, other: str, other_port: int | None, scheme: str, *, encrypted: bool
) -> None:
    usual = {"http": 80, "https": 443}[scheme]
    same = name == other and (port or usual) == (other_port or usual)
    expected = same and (scheme == "https" or not encrypted)
    assert is_own(f"{scheme}://{written(other, other_port)}", (name, port), encrypted=encrypted) == expected


@given(st.text(max_size=40))
def test_no_text_is_taken_for_a_page_of_this_server_or_breaks_the_reading(text: str) -> None:
    host_of(text)
    own = is_own(text, ("localhost", 8501), encrypted=False)
    assert own == (
        text.lower()
        in {f"{scheme}://localhost{dot}:8501" for scheme in ("http", "https") for dot in ("", ".")}
    )


@pytest.mark.parametrize(
    "header",
    [
        "",
        "localhost/x",
        "localhost?x",
        "me@localhost",
        "localhost@evil.example",
        "localhost:99999",
        "localhost:x",
        "localhost\\@evil.example",
        "loc\u00e4lhost",
        "[::1",
    ],
)
def test_what_is_no_host_is_none(header: str) -> None:
    assert host_of(header) is None


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "file://",
        "localhost:8501",
        "http://localhost:8501/",
        "http://x@localhost:8501",
        "ws://localhost:8501",
    ],
)
def test_what_is_no_page_of_a_site_is_not_own(origin: str) -> None:
    assert not is_own(origin, ("localhost", 8501), encrypted=False)


def test_what_is_of_this_machine_alone() -> None:
    assert all(map(is_loopback, ["127.0.0.1", "127.8.8.8", "localhost", "::1", "[::1]", "::ffff:127.0.0.1"]))
    beyond = ["0.0.0.0", "::", "192.168.1.2", "10.0.0.1", "squint.example.org", "", "::ffff:10.0.0.1"]  # noqa: S104
    assert not any(map(is_loopback, beyond))
    assert is_beyond("172.17.0.2")
    assert is_beyond("fe80::1%eth0")
    assert not any(map(is_beyond, ["127.0.0.1", "::1", "/run/squint.sock", "testserver"]))
