"""Genes whose transcripts are shown: asked only where a section brought them; what is left out is said."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app import session
from squint.io.content import Answers
from squint.library import adding
from squint.library.ingest import Labels
from squint.library.store import Library
from squint.pp import QualityFilter
from tests.helpers.xenium_folder import Run, write_run, write_transcripts

pytestmark = pytest.mark.slow


def choices(app: AppTest) -> list:
    return [one for one in app.multiselect if one.key == session.TRANSCRIPTS]


def test_nothing_is_asked_where_no_section_brought_any(
    loaded: Library, visit: Callable[..., AppTest]
) -> None:
    assert loaded.sections()
    app = visit("sections")
    assert not app.exception
    assert not choices(app)


def test_transcripts_are_read_once_they_are_chosen(
    library: Library, tmp_path: Path, visit: Callable[..., AppTest]
) -> None:
    library.note_samples()
    path = write_run(tmp_path / "run", Run(30))
    genes = ["CD3E"] * 8 + ["UnassignedCodeword_0001"] * 4
    places = np.random.default_rng(0).uniform(0, 90, (len(genes), 2))
    write_transcripts(path, "transcripts.csv.gz", genes, places, np.r_[np.full(6, 25.0), np.full(6, 10.0)])
    settled, labels = adding.read(path, Answers()), Labels({"": "P-1"}, {})
    adding.keep(library, path, settled, labels, Answers(), QualityFilter(), lambda *_: None)
    app = visit("sections")
    (choice,) = choices(app)
    assert choice.options == ["ACTB", "CD3E", "MS4A1"]
    choice.select("CD3E").run()
    assert not app.exception
    said = " ".join(caption.value for caption in app.caption)
    assert "6 transcripts of 1 gene; 2 of quality below Q20 left out; 4 of controls" in said
    assert "transcripts.csv.gz" in said
