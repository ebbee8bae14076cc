"""Reading SpatialData stores in tests."""

from pathlib import Path
from typing import Any

import pytest

from squint import keys
from squint.errors import InputError
from squint.io import Answers, read_settled
from squint.io.facts import Settled

VERSIONS = [2, 3]


def read(path: Path, **answers: Any) -> Settled:
    return read_settled(path, Answers(**answers))


def positions(settled: Settled) -> Any:
    return settled.adata.obsm[keys.SPATIAL]


def refusal(path: Path, **answers: Any) -> str:
    with pytest.raises(InputError) as error:
        read(path, **answers)
    assert "\n" not in str(error.value)
    return str(error.value)
