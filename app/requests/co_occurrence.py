"""What tasks about tokens that go together are asked."""

from dataclasses import dataclass
from typing import ClassVar

from squint.library.results import Computation, Task


@dataclass(frozen=True)
class CoOccurrence(Computation):
    """Correlate the usage of tokens over sections or patients."""

    name: ClassVar[str] = "co_occurrence"
    model: str  # sha256
    by: str  # column of the groups
    n_tokens: int
    clr: bool  # centred log-ratios instead of shares
    n_permutations: int


@dataclass(frozen=True)
class Neighbours(Computation):
    """Count which tokens are neighbours, against tokens shuffled within sections."""

    name: ClassVar[str] = "neighbours"
    model: str
    n_tokens: int
    n_permutations: int


@dataclass(frozen=True)
class WriteSequences(Task[str]):
    """Write the tokens of sections as sequences."""

    name: ClassVar[str] = "write_sequences"
    ids: tuple[str, ...]
    model: str
    format: str  # ending of the file
