"""Tokens of tissue: read a section, train a model, tokenise, and ask what the tokens say.

``squint.read`` a file, ``squint.train`` a model, then ``squint.tl.tokenize`` and ``squint.tl.activate``;
``squint.pp`` prepares, ``squint.pl`` draws, ``squint.datasets`` simulates. Everything is imported on first
use, because torch takes seconds that reading a file should not cost.
"""

import lazy_loader

from squint import threads as threads  # before anything of ours imports torch

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
