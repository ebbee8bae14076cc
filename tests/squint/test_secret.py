"""Secrets come from the environment or from a file that it names."""

import pytest

from squint.errors import InputError
from squint.secret import secret


def test_a_secret_is_in_the_environment_or_in_a_file(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("SQUINT_X", raising=False)
    monkeypatch.delenv("SQUINT_X_FILE", raising=False)
    assert secret("SQUINT_X") == ""
    (tmp_path / "x").write_text("word\n")
    monkeypatch.setenv("SQUINT_X_FILE", str(tmp_path / "x"))
    assert secret("SQUINT_X") == "word"
    monkeypatch.setenv("SQUINT_X", "other")
    with pytest.raises(InputError, match="both set"):
        secret("SQUINT_X")
    monkeypatch.delenv("SQUINT_X_FILE")
    assert secret("SQUINT_X") == "other"


def test_a_file_that_cannot_be_read_is_said_and_never_an_empty_secret(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SQUINT_X_FILE", str(tmp_path / "missing"))
    with pytest.raises(InputError, match="SQUINT_X_FILE names a file that cannot be read"):
        secret("SQUINT_X")
