"""The ZIP of a report: all tables, the recipe, and what else is needed to compute them again."""

import csv
import hashlib
import io
import json
import math
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from squint.errors import DAMAGED, InputError
from squint.report.reading import MOST_BYTES, read_bytes, read_recipe, write_recipe
from squint.report.recipe import Recipe
from squint.report.tables import Computed
from squint.spreadsheet import csv_text

NOTICE = "For research use only. Not for use in diagnostic procedures."
RECIPE, MANIFEST, TABLES, INPUTS = "recipe.json", "manifest.json", "tables", "inputs"
TOLERANCE = 1e-6
_MOST_TABLE = 2_000_000_000  # bytes of a table, unpacked
_TIME = (1980, 1, 1, 0, 0, 0)  # of every file in it: equal reports are equal ZIPs
_NO_ZIP = "is no ZIP of a report. Take the one that the report was given with."


def write_zip(computed: Computed, inputs: Mapping[str, bytes]) -> bytes:
    """Pack a report's tables.

    Parameters
    ----------
    computed
        The tables and their recipe.
    inputs
        Tables that go with the recipe, by hash.

    Returns
    -------
    A ZIP of ``recipe.json``, ``tables/NAME.csv``, ``inputs/SHA256.csv``, and ``manifest.json`` with the hash
    of each.
    """
    recipe = write_recipe(computed.recipe)
    files = {RECIPE: recipe}
    files |= {f"{TABLES}/{name}.csv": content for name, content in csv_files(computed).items()}
    wanted = computed.recipe.inputs
    files |= {f"{INPUTS}/{sha256}.csv": inputs[sha256] for sha256 in sorted(wanted & set(inputs))}
    manifest = {
        "notice": NOTICE,
        "squint": computed.recipe.squint,
        "files": {
            name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
            for name, content in files.items()
        },
    }
    files[MANIFEST] = json.dumps(manifest, indent=1).encode()
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(zipfile.ZipInfo(name, _TIME), content, zipfile.ZIP_DEFLATED)
    return target.getvalue()


def csv_files(computed: Computed) -> dict[str, bytes]:
    """Write each table as CSV, by name, headed by what it is and what it is of."""
    recipe = computed.recipe
    marks = {"Title": recipe.title, "Notice": NOTICE}
    if recipe.simulated:
        marks["Simulated"] = ", ".join(one.name for one in recipe.shown if one.simulated)
    stamp = {"App version": f"squint {recipe.squint}"}
    if recipe.model is not None:
        stamp["Model"] = f"{recipe.model.name}, sha256 {recipe.model.sha256[:12]}"
    stamp["Sections"] = ", ".join(f"{one.name} sha256 {one.sha256[:12]}" for one in recipe.shown)
    stamp["Time"] = recipe.made
    return {
        name: csv_text(table, {**marks, "Table": computed.about[name], **stamp}).encode("utf-8-sig")
        for name, table in computed.tables.items()
    }


@dataclass(frozen=True)
class Given:
    """A recipe as it was given: in its ZIP, or as a file with its tables in a folder beside it."""

    recipe: Recipe
    path: Path

    def input(self, sha256: str) -> bytes | None:
        """Give a table that goes with the recipe, by its hash; ``None`` if it is not there."""
        name = f"{INPUTS}/{sha256}.csv"
        if self.path.suffix.lower() == ".zip":
            with _opened(self.path) as packed:
                return _member(packed, name, self.path) if name in packed.namelist() else None
        beside = self.path.parent / name
        return read_bytes(beside, _MOST_TABLE) if beside.is_file() else None


def read_given(path: Path) -> Given:
    """Read a recipe from a ``.json``, or from the ZIP of a report.

    Raises
    ------
    InputError
        If there is none.
    """
    if not path.is_file():
        raise InputError(f"There is no recipe {path}. Give recipe.json, or the ZIP that it is in.")
    if path.suffix.lower() == ".zip":
        with _opened(path) as packed:
            if RECIPE not in packed.namelist():
                raise InputError(f"{path} {_NO_ZIP}")
            content = _member(packed, RECIPE, path, MOST_BYTES)
    else:
        content = read_bytes(path, MOST_BYTES)
    return Given(read_recipe(content, path.name), path)


@dataclass(frozen=True)
class Agreement:
    """How far tables that were computed anew are those that were given."""

    n_tables: int
    n_whole: int  # whole numbers and texts, all equal
    n_others: int  # other numbers, all within the tolerance
    largest: float  # difference of these, relative to the number where that is above 1


def compare(computed: Computed, path: Path) -> Agreement:
    """Compare tables with those of a ZIP.

    Raises
    ------
    InputError
        If a table is missing, is not the one of the ZIP's manifest, or differs; it says where first.
    """
    anew = csv_files(computed)
    with _opened(path) as packed:
        listed = _manifest(packed, path)
        before = {
            name.removeprefix(f"{TABLES}/").removesuffix(".csv"): name
            for name in listed
            if name.startswith(f"{TABLES}/")
        }
        if only := set(before) ^ set(anew):
            name = min(only)
            where = f"in {path.name}" if name in before else "computed anew"
            raise InputError(f"The table {name} is only {where}: the tables differ.")
        whole = others = 0
        largest = 0.0
        for name, content in anew.items():
            given = _member(packed, before[name], path)
            if hashlib.sha256(given).hexdigest() != listed[before[name]]:
                raise InputError(
                    f"{before[name]} of {path.name} is not the one of its manifest: it was changed."
                )
            old = _values(given, f"{before[name]} of {path.name}")
            n_whole, n_others, difference = _differences(name, old, _values(content, name))
            whole, others, largest = whole + n_whole, others + n_others, max(largest, difference)
    return Agreement(len(anew), whole, others, largest)


def _differences(name: str, before: list[list[str]], after: list[list[str]]) -> tuple[int, int, float]:
    shape, other = ((len(rows), len(rows[0]) if rows else 0) for rows in (before, after))
    if shape != other:
        raise InputError(
            f"Table {name} has {other[0] - 1:,} rows and {other[1]} columns, and had {shape[0] - 1:,} and "
            f"{shape[1]}."
        )
    whole = others = 0
    largest = 0.0
    for number, (old, new) in enumerate(zip(before, after, strict=True)):
        for column, one, two in zip(before[0], old, new, strict=True):
            difference = _difference(one, two)
            if difference is None:
                whole += 1
            else:
                others, largest = others + 1, max(largest, difference)
            if (difference is None and one != two) or (
                difference is not None and not difference <= TOLERANCE
            ):
                raise InputError(
                    f"Table {name} differs: row {number}, column {column} is {two[:60]!r} and was "
                    f"{one[:60]!r}."
                )
    return whole, others, largest


def _difference(one: str, two: str) -> float | None:
    """Give how far two numbers are apart of which not both are whole; ``None`` for all else."""
    if {*".en"}.isdisjoint(one.lower()) and {*".en"}.isdisjoint(two.lower()):
        return None
    try:
        first, second = float(one), float(two)
    except ValueError:
        return None
    if first == second or (math.isnan(first) and math.isnan(second)):
        return 0.0
    return abs(first - second) / max(1.0, abs(first))


def _values(content: bytes, name: str) -> list[list[str]]:
    try:
        lines = content.decode("utf-8-sig").split("\n")
        head = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
        rows = list(csv.reader(lines[head:] if lines[-1] else lines[head:-1], strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{name} is no table: {error}. Take the ZIP that squint wrote.") from error
    if len({len(row) for row in rows}) > 1:
        raise InputError(f"{name} is no table: its rows differ in length. Take the ZIP that squint wrote.")
    return rows


def _manifest(packed: zipfile.ZipFile, path: Path) -> dict[str, str]:
    try:
        facts = json.loads(_member(packed, MANIFEST, path, MOST_BYTES))
        return {str(name): str(one["sha256"]) for name, one in facts["files"].items()}
    except (*DAMAGED, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} {_NO_ZIP}") from error


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (*DAMAGED, zipfile.BadZipFile) as error:
        raise InputError(f"{path} {_NO_ZIP}") from error


def _member(packed: zipfile.ZipFile, name: str, path: Path, most: int = _MOST_TABLE) -> bytes:
    too_large = InputError(f"{name} of {path.name} is larger than {most // 10**6} MB.")
    try:
        if packed.getinfo(name).file_size > most:
            raise too_large
        with packed.open(name) as file:
            content = file.read(most + 1)
    except (*DAMAGED, EOFError, zipfile.BadZipFile, zlib.error) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{name} of {path.name} cannot be read: the ZIP is damaged or locked.") from error
    if len(content) > most:
        raise too_large
    return content
