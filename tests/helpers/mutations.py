"""Small changes to files and requests, of the kinds that disks, lines, other programs and ill will make."""

from collections.abc import Callable

import numpy as np

MOST_BYTES = 400_000  # of what comes out
_BYTES = (0, 1, 0x7F, 0x80, 0xFF)
_WHOLE = (0, 1, -1, 2**7 - 1, 2**15, 2**31 - 1, -(2**31), 2**32 - 1, 2**62, -(2**63))
_NUMBERS = b"0 -1 1e999 -1e308 1e155 NaN inf 1_0 0x10 null true [] {}".split()
_LONG = (b"9" * 20, b"9" * 400, b"1" * 5_000, b"[" * 3_000, b'{"a":' * 2_000, b"x" * 140_000)
_SIGNS = b"\n \r \r\n \t , ,,,, ; \" ' \\ %00 % ../ / =1+1 <b>".split(b" ")
_LETTERS = (
    b"\0 \xff \xfe\xff \xc3\x28 \xed\xa0\x80 \xef\xbb\xbf \xe2\x80\xae \xc3\xa9 \xf0\x9f\x98\x80".split(b" ")
)
_WORDS = (b"", b" ", *_NUMBERS, *_LONG, *_SIGNS, *_LETTERS)
_DIGITS = frozenset(b"0123456789.")

Change = Callable[[bytearray, bytes, np.random.Generator], bytearray]


def mutated(content: bytes, donor: bytes, rng: np.random.Generator) -> bytes:
    """Change a file in one to a few places.

    Parameters
    ----------
    content
        Of the file.
    donor
        Of another file, parts of which may get into it.
    rng
        Decides what is done.

    Returns
    -------
    What is no longer the file, at most ``MOST_BYTES`` or as long as it was.
    """
    changed = bytearray(content)
    for _ in range(int(rng.geometric(0.5))):
        changed = _CHANGES[int(rng.integers(len(_CHANGES)))](changed, donor, rng)
    return bytes(changed[: max(MOST_BYTES, len(content))])


def _place(content: bytes | bytearray, rng: np.random.Generator) -> int:
    return int(rng.integers(len(content) + 1))


def _slice(content: bytes | bytearray, rng: np.random.Generator) -> tuple[int, int]:
    start = _place(content, rng)
    return start, min(len(content), start + int(rng.choice([1, 4, 16, 100, 1_000, 10_000])))


def _flip(content: bytearray, _donor: bytes, rng: np.random.Generator) -> bytearray:
    for _ in range(int(rng.choice([1, 1, 1, 8]))):
        if content:
            content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
    return content


def _set_byte(content: bytearray, _donor: bytes, rng: np.random.Generator) -> bytearray:
    if content:
        content[int(rng.integers(len(content)))] = int(rng.choice(_BYTES))
    return content


def _set_number(content: bytearray, _donor: bytes, rng: np.random.Generator) -> bytearray:
    size, at = int(rng.choice([2, 4, 8])), _place(content, rng)
    value = _WHOLE[int(rng.integers(len(_WHOLE)))] % 2 ** (8 * size)
    content[at : at + size] = value.to_bytes(size, "little" if rng.random() < 0.7 else "big")
    return content


def _cut(content: bytearray, _donor: bytes, rng: np.random.Generator) -> bytearray:
    at = _place(content, rng)
    return content[:at] if rng.random() < 0.8 else content[at:]


def _delete(content: bytearray, _donor: bytes, rng: np.random.Generator) -> bytearray:
    start, end = _slice(content, rng)
    del content[start:end]
    return content


def _repeat(content: bytearray, _donor: bytes, rng: np.random.Generator) -> bytearray:
    start, end = _slice(content, rng)
    times = min(int(rng.choice([1, 2, 50, 3_000])), MOST_BYTES // max(1, end - start))
    content[start:start] = content[start:end] * times
    return content


def _splice(content: bytearray, donor: bytes, rng: np.random.Generator) -> bytearray:
    return content[: _place(content, rng)] + donor[_place(donor, rng) :]


def _insert(content: bytearray, donor: bytes, rng: np.random.Generator) -> bytearray:
    start, end = _slice(donor, rng)
    at = _place(content, rng)
    content[at:at] = donor[start:end]
    return content


def _word(content: bytearray, _donor: bytes, rng: np.random.Generator) -> bytearray:
    at = _place(content, rng)
    content[at:at] = _WORDS[int(rng.integers(len(_WORDS)))]
    return content


def _write_number(content: bytearray, _donor: bytes, rng: np.random.Generator) -> bytearray:
    """Write something else where a number stands."""
    at = _place(content, rng)
    start = next((i for i in range(at, len(content)) if content[i] in _DIGITS), None)
    if start is not None:
        end = next((i for i in range(start, len(content)) if content[i] not in _DIGITS), len(content))
        content[start:end] = _WORDS[int(rng.integers(len(_WORDS)))]
    return content


_CHANGES: tuple[Change, ...] = (
    *(_flip, _flip, _set_byte, _set_number, _cut, _delete),
    *(_repeat, _splice, _insert, _word, _write_number, _write_number),
)
