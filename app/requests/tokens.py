"""What tasks about tokens and scores are asked."""

from dataclasses import dataclass
from typing import ClassVar

from squint.library.results import Computation, Task


@dataclass(frozen=True)
class Tokenise(Task[list[str]]):
    """Give the cells of sections their tokens."""

    name: ClassVar[str] = "tokenise"
    ids: tuple[str, ...]
    model: str  # sha256


@dataclass(frozen=True)
class SumTokens(Task[None]):
    """Add up what the tokens of sections are, for their description."""

    name: ClassVar[str] = "sum_tokens"
    ids: tuple[str, ...]
    model: str  # sha256


@dataclass(frozen=True)
class Activate(Computation):
    """Score sections against a reference patient."""

    name: ClassVar[str] = "activate"
    ranked: tuple[str, ...]  # those of the sections whose cells choose the codes
    model: str  # sha256
    reference: str
    against: str | None
    n_codes: int

    def __post_init__(self) -> None:
        for name in ("ids", "ranked"):  # in whatever order they are shown, the scores are the same
            object.__setattr__(self, name, tuple(sorted(getattr(self, name))))
