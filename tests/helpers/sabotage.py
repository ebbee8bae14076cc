"""Each file of a folder spoilt, one at a time, in every way that copies and uploads spoil files."""

import gzip
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from squint.errors import InputError
from squint.io import Answers, read_settled
from squint.io.facts import Settled


def _removed(path: Path) -> None:
    path.unlink()


def _emptied(path: Path) -> None:
    path.write_bytes(b"")


def _cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _gzipped(path: Path) -> None:
    """Pack what is not packed, and unpack what is, under the name it had."""
    content = path.read_bytes()
    path.write_bytes(gzip.decompress(content) if content[:2] == b"\x1f\x8b" else gzip.compress(content))


WAYS: dict[str, Callable[[Path], None]] = {
    "removed": _removed,
    "emptied": _emptied,
    "cut": _cut,
    "gzipped": _gzipped,
}


def spoilt(folder: Path, into: Path) -> Iterator[tuple[Path, Path, str]]:
    """Copy a folder once for each file and way, spoil that file, and give copy, file and way.

    The copy is gone when the next one is asked for.
    """
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        for way, spoil in WAYS.items():
            copy = into / folder.name
            shutil.copytree(folder, copy)
            for part in (copy, *copy.rglob("*")):
                part.chmod(0o755)
            spoil(copy / path.relative_to(folder))
            yield copy, path.relative_to(folder), way
            shutil.rmtree(copy)


def outcome(folder: Path, answers: Answers | None = None) -> Settled | str:
    """Read a folder; give what was read, or the one line of the refusal."""
    try:
        return read_settled(folder, answers or Answers())
    except InputError as error:
        words = str(error)
        if "\n" in words:
            pytest.fail(f"more than one line: {words!r}")
        return words


def mentions(settled: Settled, file: str) -> bool:
    """Say whether the report names a file."""
    findings = settled.findings
    items = [*findings.found, *findings.left_out, *findings.assumed]
    texts = [*findings.notes, *map(str, items), *(f"{asked.file} {asked}" for asked in findings.asked)]
    return any(file in text for text in texts)
