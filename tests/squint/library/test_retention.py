"""Results that nobody looks at go after a while, whatever the clock does; nothing else does."""

import time
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa
from anndata import AnnData
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from squint.errors import InputError
from squint.library import results, retention, spare
from squint.library.database import FILE, Database, database, url_of
from squint.library.records import ResultRow, ResultUse
from squint.library.store import Library, Section
from squint.library.verify import verify
from tests.helpers.earlier_library import put_back
from tests.helpers.sections import add_sections
from tests.helpers.small_disk import state_of

DAY = 86_400.0


class Sum(results.Computation):
    """A computation."""

    name = "sum"


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        """Say the time, in seconds since 1970."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.delenv("SQUINT_KEEP_DAYS", raising=False)
    clock = Clock()
    monkeypatch.setattr(retention, "_now", clock)
    return clock


@pytest.fixture
def two(library: Library, section: AnnData, tmp_path: Path) -> list[Section]:
    return add_sections(library, section, tmp_path)


def keep(library: Library, *sections: Section) -> Sum:
    asked = Sum(tuple(one.id for one in sections))
    results.keep(library, asked, {"secret": "blue"}, {"one": pd.DataFrame({"x": [1.0]})})
    return asked


def live(library: Library, clock: Clock, days: int) -> None:
    """Let a server run for some days."""
    for _ in range(days):
        clock.now += DAY
        library.sweep()


def test_what_nobody_looks_at_goes_and_nothing_else(
    library: Library, two: list[Section], clock: Clock
) -> None:
    library.sweep()
    before = state_of(library)
    looked_at, other = keep(library, two[0]), keep(library, two[1])
    library.sweep()
    for _ in range(8):
        live(library, clock, 12)
        assert results.find(library, looked_at) is not None
    live(library, clock, 2)
    assert results.find(library, other) is None
    assert not (library.results / other.result).exists()
    assert results.find(library, looked_at) is not None
    live(library, clock, 91)
    assert results.find(library, looked_at) is None
    sizes, rows = state_of(library)
    assert sizes == before[0]
    assert {name: row for name, row in rows.items() if name != "days"} == {
        name: row for name, row in before[1].items() if name != "days"
    }
    assert verify(library).problems == ()
    if library.database.is_sqlite:
        assert b"blue" not in b"".join(path.read_bytes() for path in library.home.glob(f"{FILE}*"))
    again = keep(library, two[0])
    assert results.find(library, again) is not None


def test_looking_writes_once_in_half_a_day(library: Library, two: list[Section], clock: Clock) -> None:
    asked = keep(library, two[0])

    def noted() -> float | None:
        assert results.find(library, asked) is not None
        with library.database.reading() as session:
            return session.scalar(sa.select(ResultUse.used))

    first = noted()
    assert first == clock.now
    clock.now += DAY / 3
    assert noted() == first
    clock.now += DAY / 3
    assert noted() == clock.now


JUMPS = st.lists(st.floats(-5_000 * DAY, 5_000 * DAY), min_size=1, max_size=6)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(jumps=JUMPS, used_at=st.integers(0, 5))
def test_a_clock_that_jumps_neither_deletes_nor_keeps_for_ever(
    library: Library,
    two: list[Section],
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    jumps: list[float],
    used_at: int,
) -> None:
    clock.now = time.time()
    monkeypatch.setenv("SQUINT_KEEP_DAYS", "10")
    asked = keep(library, two[0])
    library.sweep()
    for i, jump in enumerate(jumps):
        clock.now = max(clock.now + jump, DAY)
        if i == used_at:
            assert results.find(library, asked) is not None
        library.sweep()
        assert (library.results / asked.result).exists()
    live(library, clock, 12)
    assert not (library.results / asked.result).exists()


def test_a_library_that_rests_loses_nothing(library: Library, two: list[Section], clock: Clock) -> None:
    asked = keep(library, two[0])
    library.sweep()
    clock.now += 1_000 * DAY
    library.sweep()
    assert results.find(library, asked) is not None


def test_the_setting_says_how_long(
    library: Library, two: list[Section], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = keep(library, two[0])
    monkeypatch.setenv("SQUINT_KEEP_DAYS", "inf")
    live(library, clock, 95)
    assert (library.results / asked.result).exists()
    for bad in ("0", "-1", "nan", "soon", "0.5"):
        monkeypatch.setenv("SQUINT_KEEP_DAYS", bad)
        with pytest.raises(InputError, match="SQUINT_KEEP_DAYS must be a number of days, 1 or more"):
            library.sweep()
    monkeypatch.setenv("SQUINT_KEEP_DAYS", "3")
    library.sweep()
    assert not (library.results / asked.result).exists()


def test_pruning_goes_by_the_clock_and_says_what_it_takes(
    library: Library, two: list[Section], clock: Clock
) -> None:
    old, new = keep(library, two[0]), keep(library, two[1])
    clock.now += 40 * DAY
    assert results.find(library, new) is not None
    (found,) = retention.prune(library, 30, dry_run=True)
    n_bytes = sum(path.stat().st_size for path in (library.results / old.result).iterdir())
    assert (found.name, found.n_bytes) == (old.result, n_bytes)
    assert (library.results / old.result).exists()
    assert retention.prune(library, 30) == [found]
    assert results.find(library, old) is None
    clock.now -= 400 * DAY  # the use of the other lies in the future
    assert retention.prune(library, 0) == []
    with library.database.reading() as session:
        assert list(session.scalars(sa.select(ResultRow.name))) == [new.result]


def test_a_result_that_is_deleted_while_it_is_found_is_computed_again(
    library: Library, two: list[Section], clock: Clock
) -> None:
    asked = keep(library, two[0])
    with library.database.reading() as session:
        use = session.get(ResultUse, asked.result)
    clock.now += DAY
    assert len(retention.prune(library, 0)) == 1
    assert not retention.note_use(library, asked.result, use)
    found = results.find(library, keep(library, two[0]))
    assert found is not None
    clock.now += DAY
    retention.prune(library, 0)
    with pytest.raises(InputError, match="no longer in the library"):
        found.table("one")


def test_a_library_of_before_keeps_its_results_at_first(tmp_path: Path, section: AnnData) -> None:
    library = Library(tmp_path / "home")
    (one, *_) = add_sections(library, section, tmp_path)
    asked = keep(library, one)
    with library.database.writing() as session:
        session.execute(sa.update(ResultRow.__table__).values(added="2020-01-01T00:00:00+00:00"))
        row = session.get_one(ResultRow, asked.result)
        session.refresh(row)
        row.check = row.digest()
    put_back(library.home, "0002")
    Database(url_of(library.home)).close()  # brings the tables up to date
    again = Library(library.home)
    again.sweep()
    assert results.find(again, asked) is not None
    database(library.home).close()


def test_room_that_could_not_be_kept_aside_is_kept_later(tmp_path: Path) -> None:
    (tmp_path / spare.SPARE).touch()  # the disk refused when it was first tried
    spare.keep(tmp_path)
    assert (tmp_path / spare.SPARE).stat().st_size > 0
    assert spare.give_up(tmp_path)
    assert not spare.give_up(tmp_path)
