"""The codebook of a bundle, read without torch."""

import subprocess
import sys

import numpy as np
import pytest

from squint.errors import InputError
from squint.library.place import shipped_models
from squint.model.bundle import Bundle
from squint.model.card import WEIGHTS
from squint.model.code_vectors import code_vectors


def test_the_vectors_are_those_of_the_model():
    folder = shipped_models()[0]
    bundle = Bundle.load(folder)
    np.testing.assert_array_equal(code_vectors(folder), bundle.model.codebook.codes.numpy())


def test_torch_stays_unloaded():
    code = (
        "import sys; from squint.library.place import shipped_models; "
        "from squint.model.code_vectors import code_vectors; "
        "code_vectors(shipped_models()[0]); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("content", [None, b"", b"\x00" * 100, b"\x08\x00\x00\x00\x00\x00\x00\x00{}      "])
def test_damaged_weights_are_said(tmp_path, content):
    if content is not None:
        (tmp_path / WEIGHTS).write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        code_vectors(tmp_path)
