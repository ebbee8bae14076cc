import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squint.errors import InputError
from squint.parsing import MAX_DIGITS, parse_json

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False)
    | st.text()
    | st.integers(-(10**MAX_DIGITS) + 1, 10**MAX_DIGITS - 1),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(value=VALUES, mark=st.booleans())
def test_what_json_writes_is_read_with_a_byte_order_mark_or_without(value, mark):
    content = json.dumps(value).encode("utf-8-sig" if mark else "utf-8")
    assert parse_json(content, "x.json") == value


@pytest.mark.parametrize("n_digits", [MAX_DIGITS + 1, 400, 5_000])
def test_a_whole_number_of_many_digits_is_refused_and_counted(n_digits):
    for sign in (b"", b"-"):
        with pytest.raises(InputError, match=rf"^x\.json holds a whole number of {n_digits:,} digits"):
            parse_json(b'{"a": [' + sign + b"9" * n_digits + b"]}", "x.json", "Ask.")


@given(st.binary(max_size=40))
def test_whatever_bytes_come_they_are_read_or_refused(content):
    with suppress(InputError):
        parse_json(content, "x.json")


@pytest.mark.parametrize("content", [b"[" * 100_000, b"\xff\xfe{}", b"{", b""])
def test_what_is_no_json_is_said_to_be_none(content):
    with pytest.raises(InputError, match=r"^x\.json is no JSON[^\n]* Ask\.$"):
        parse_json(content, "x.json", "Ask.")
