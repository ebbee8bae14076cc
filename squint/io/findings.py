"""What reading a source found, left out, assumed and could not decide, each with its number and file."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from squint.errors import InputError

MAX_LISTED = 8


@dataclass(frozen=True)
class Item:
    """One line of the report on a source."""

    what: str  # "Negative Control Probe"
    n: int | None  # how many; None where there is nothing to count
    why: str  # a sentence's part: "controls are no genes"
    file: str  # the file or slot it came from; empty where it is all of the source


@dataclass(frozen=True)
class Question:
    """Something that a source leaves open, and who reads it has to say."""

    option: str  # of :class:`squint.io.content.Answers`, or "column section_id"
    words: str  # a sentence that asks
    choices: tuple[str, ...]  # empty where the answer is free
    file: str

    def __str__(self) -> str:
        """Ask in one line, naming the option and its choices."""
        option = "--column section_id=COLUMN" if self.option.startswith("column ") else f"--{self.option}"
        more = f" and {len(self.choices) - MAX_LISTED} more" if len(self.choices) > MAX_LISTED else ""
        choices = f" ({', '.join(self.choices[:MAX_LISTED])}{more})" if self.choices else ""
        return f"{self.words} Say it with {option}{choices}."


class AskedError(InputError):
    """A source that cannot be read before a question is answered."""

    def __init__(self, question: Question) -> None:
        super().__init__(f"{question.file}: {question}" if question.file else str(question))
        self.question = question

    def __reduce__(self) -> tuple[type["AskedError"], tuple[Question]]:
        """Be sent to another process with the question."""
        return AskedError, (self.question,)


@dataclass
class Findings:
    """The report on a source, as it grows while the source is read."""

    found: list[Item] = field(default_factory=list)
    left_out: list[Item] = field(default_factory=list)
    assumed: list[Item] = field(default_factory=list)
    asked: list[Question] = field(default_factory=list)  # open questions without which reading goes on
    notes: list[str] = field(default_factory=list)  # sentences on anything else that was changed or is odd

    def note(self, sentence: str) -> None:
        """Add a sentence."""
        self.notes.append(sentence)

    def find(self, what: str, n: int | None, file: str = "", why: str = "") -> None:
        """Add something that is there."""
        self.found.append(Item(what, n, why, file))

    def leave_out(self, what: str, n: int | None, why: str, file: str = "") -> None:
        """Add something that is there and is not used."""
        self.left_out.append(Item(what, n, why, file))

    def assume(self, what: str, why: str, file: str = "", n: int | None = None) -> None:
        """Add something that the source does not state, and is taken to be so."""
        self.assumed.append(Item(what, n, why, file))

    def extend(self, other: "Findings") -> None:
        """Add all of another report."""
        self.found += other.found
        self.left_out += other.left_out
        self.assumed += other.assumed
        self.asked += other.asked
        self.notes += other.notes

    def ask(self, option: str, words: str, choices: Sequence[str] = (), file: str = "") -> None:
        """Add a question that can stay open."""
        self.asked.append(Question(option, words, tuple(choices), file))


def choose(option: str, answer: str | None, words: str, choices: Sequence[str], file: str = "") -> str:
    """Take an answer that is one of the choices; without one, the only choice.

    Raises
    ------
    AskedError
        If there are several and none is named, or the answer is none of them.
    """
    if answer is None and len(choices) == 1:
        return choices[0]
    if answer in choices:
        return str(answer)
    if answer is not None:
        words = f"There is no {answer!r}. {words}"
    raise AskedError(Question(option, words, tuple(choices), file))
