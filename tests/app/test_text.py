"""What pages say of errors."""

from pathlib import Path

import pytest

from app.settings import settings
from app.text import sentence, without_folders


def test_nobody_is_told_where_files_lie_on_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, model = tmp_path / "secret place" / "library", tmp_path / "other place" / "breast_model"
    monkeypatch.setenv("SQUINT_HOME", str(home))
    monkeypatch.setenv("SQUINT_MODEL", str(model))
    said = (
        f"Another program holds {home}/projects/ab/library.sqlite. {model} is damaged: "
        f"[Errno 2] No such file: '{model}/weights.safetensors', nor {settings().samples}/a.h5ad."
    )
    assert without_folders(said) == (
        "Another program holds projects/ab/library.sqlite. breast_model is damaged: "
        "[Errno 2] No such file: 'weights.safetensors', nor a.h5ad."
    )
    assert "place" not in sentence(said)


def test_what_is_no_folder_of_ours_stays() -> None:
    said = "obs/cell_type of /layers/counts holds 3/4 of them"
    assert without_folders(said) == said
