"""What the pages on readers show is what comes out, on the small folders that they name."""

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from docs.tools import small_folders
from squint.cli.main import main
from squint.errors import InputError
from squint.io.content import Answers, Asked
from squint.io.facts import settle
from tests.helpers.paths import ROOT

PAGE = (ROOT / "docs" / "bioinformaticians" / "reading.md").read_text()
DEVELOPERS = (ROOT / "docs" / "developers.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
LINES = [line for kind, block in BLOCKS for line in block.splitlines() if not kind and line]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reading") / "small"
    small_folders.write(folder)
    return folder


@pytest.mark.parametrize("line", LINES)
def test_commands_ask_what_the_page_says_or_read(line, small, monkeypatch, capsys):
    monkeypatch.chdir(small)
    command, _, asked = map(str.strip, line.partition("  #"))
    code = main(shlex.split(command)[1:])
    printed = "".join(capsys.readouterr())
    is_open = "open: " in printed
    if asked:
        assert asked in printed
        assert code == 2 or is_open
    elif ("text", printed) not in BLOCKS:  # the report that is shown has an open question
        assert (code, is_open) == (0, False)


def test_the_report_on_the_page_is_that_of_its_command(small, monkeypatch, capsys):
    monkeypatch.chdir(small)
    at = next(i for i, (kind, _) in enumerate(BLOCKS) if kind == "text")
    main(shlex.split(BLOCKS[at - 1][1])[1:])
    assert capsys.readouterr().out == BLOCKS[at][1]


def test_every_option_for_answers_has_a_row_and_a_command():
    for option in ("section", "table", "bin", "unit", "orientation", "match", "column"):
        assert f"| `--{option} " in PAGE
        assert any(f" --{option} " in line.partition("  #")[0] for line in LINES)


def test_the_python_of_the_page_runs(small, monkeypatch, capsys):
    monkeypatch.chdir(small)
    (code,) = (block for kind, block in BLOCKS if kind == "python")
    exec(code, {})  # noqa: S102 - the page's own
    printed = capsys.readouterr().out
    assert "['row of cell 0', 'Negative probe', 'System control'] ['unit']" in printed
    assert "bin ('008um', '016um')" in printed


def test_a_zip_is_read_as_the_folder_in_it(small, monkeypatch, capsys):
    monkeypatch.chdir(small)
    main(["validate", "xenium"])
    folder = capsys.readouterr().out.splitlines()
    main(["validate", "xenium.zip"])
    packed = capsys.readouterr().out.splitlines()
    assert packed[1:] == [line for line in folder[1:] if not re.match("picture:|.*transcripts", line)]


def test_the_reader_for_developers_reads(tmp_path):
    (code,) = (b for b in re.findall(r"^```python\n(.*?)^```", DEVELOPERS, re.MULTILINE | re.DOTALL))
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - the page's own
    reader = names["READER"]
    assert not reader.reads(tmp_path)
    lines = [f"b{i},{10.0 * i},{5.0 * (i % 3)},{i % 4},1" for i in range(12)]
    (tmp_path / "beads.csv").write_text("\n".join(["bead,x,y,ACTB,CD3E", *lines]) + "\n")
    assert reader.reads(tmp_path)
    settled = settle(reader.read(tmp_path, Asked()), Answers(), "puck")
    assert settled.adata.shape == (12, 2)
    np.testing.assert_array_equal(np.asarray(settled.adata.obsm["spatial"])[:, 0], 10.0 * np.arange(12))
    assert settled.adata.uns["squint"]["unit"] == "unknown"
    assert [question.option for question in settled.findings.asked] == ["unit"]
    for spoilt in ("", "bead,a,b\nb1,1,2\n", "bead,x,y,A\nb1,,1,2\n", "bead,x,y,A\nb1,1,1,many\n"):
        (tmp_path / "beads.csv").write_text(spoilt)
        with pytest.raises(InputError, match=r"^beads\.csv"):
            reader.read(tmp_path, Asked())
