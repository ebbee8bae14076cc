"""What is said of the tokens of a section before anybody trusts them."""

from pathlib import Path

import pytest

from squint.library.quality import doubted, is_newness_known, quality_flags
from squint.library.store import Library
from squint.library.token_runs import new_run
from tests.helpers.sections import add_sections, small_section

NAN = float("nan")
MODEL, GENES = "c" * 64, "d" * 64


@pytest.mark.parametrize(
    ("shares", "flags", "is_known"),
    [
        ({"a": 0.01}, [], True),
        ({"a": 0.01, "b": 0.5}, ["50% of cells are new to the model"], True),
        ({"a": NAN}, ["new to the model: not known"], False),
        ({"a": NAN, "b": 0.5}, ["50% of cells are new to the model"], True),
    ],
)
def test_what_is_new_to_the_model_is_flagged_and_what_is_not_known_is_said(
    library: Library, tmp_path: Path, shares: dict[str, float], flags: list[str], *, is_known: bool
) -> None:
    (one, other) = add_sections(library, small_section(), tmp_path)
    facts = {"gene_overlap": 1.0, "share_beyond_p99": shares}
    with library.database.writing() as session:
        session.add(new_run(one.id, one.sha256, MODEL, GENES, facts))
    noted = library.token_facts(one.id, MODEL)
    assert list(quality_flags(one, noted)) == flags
    assert is_newness_known(library, [one, other], MODEL) is is_known
    assert is_newness_known(library, [other], MODEL)  # no tokens, of which nothing is to be known
    assert doubted(library, [one, other], MODEL) == ({one.id: flags} if flags and is_known else {})
