"""What tasks about the vocabularies of models are asked."""

from dataclasses import dataclass
from typing import ClassVar

from squint.library.results import Computation


@dataclass(frozen=True)
class ExpressTokens(Computation):
    """Say how much of each gene is in each token, over all cells of sections."""

    name: ClassVar[str] = "express_tokens"
    model: str  # sha256


@dataclass(frozen=True)
class CompareVocabularies(Computation):
    """Say which token of one model is which of another, on the cells of sections that both tokenised."""

    name: ClassVar[str] = "compare_vocabularies"
    model: str  # sha256
    other: str  # sha256
    n_shuffles: int  # of tokens within sections
    n_resamples: int  # of sections
    seed: int
