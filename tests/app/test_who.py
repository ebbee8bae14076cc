"""Who uses a session."""

import re

from tests.helpers.paths import ROOT


def test_every_part_of_a_page_that_runs_alone_looks_first_who_is_there() -> None:
    """A fragment runs without what every page begins with."""
    files = [path for folder in ("app", "pages") for path in (ROOT / folder).rglob("*.py")]
    assert len(files) > 100
    bare = [
        path.name for path in files if re.search(r"st\.(experimental_)?(fragment|dialog)\b", path.read_text())
    ]
    assert bare == ["who.py"]
