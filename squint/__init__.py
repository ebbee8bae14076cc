"""Tokens of tissue: read a section, train a model, tokenise, and ask what the tokens say.

``squint.read`` a file, ``squint.train`` a model, then ``squint.tl.tokenize`` and ``squint.tl.activate``;
``squint.pp`` prepares, ``squint.pl`` draws, ``squint.datasets`` simulates. Everything is imported on first
use, because torch takes seconds that reading a file should not cost.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from squint import datasets, pl, pp, tl
    from squint.bundle import Bundle
    from squint.config import ModelConfig, TrainConfig
    from squint.errors import InputError
    from squint.io import read, validate, write
    from squint.training import train

__all__ = [
    "Bundle",
    "InputError",
    "ModelConfig",
    "TrainConfig",
    "datasets",
    "pl",
    "pp",
    "read",
    "tl",
    "train",
    "validate",
    "write",
]

_HOME = {
    "Bundle": "squint.bundle",
    "InputError": "squint.errors",
    "ModelConfig": "squint.config",
    "TrainConfig": "squint.config",
    "read": "squint.io",
    "train": "squint.training",
    "validate": "squint.io",
    "write": "squint.io",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'squint' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name) if name in _HOME else import_module(f"squint.{name}")
