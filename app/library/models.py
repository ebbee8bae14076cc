"""Model bundles: which suit a stack or a section, and what their training knew of it."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from app.library.stacks import Stack
from app.library.store import Library, Section
from app.settings import settings

CARD, CONFIG = "card.json", "config.json"
# What `squint.tl.inpaint` says of cells and training
TRAINED_WITHOUT, NOT_IN_TRAINING = "trained without these cells", "not in training"
TRAINED_ON = "trained on these cells"
REFUSE_BELOW = 0.25  # share of the model's genes that a section must measure, as in `squint.tl`


@dataclass(frozen=True)
class ModelFacts:
    """What pages say of a model."""

    name: str  # of its folder
    sha256: str  # of its weights
    n_codes: int
    n_genes: int
    genes_sha256: str  # of its list of genes
    n_sections: int  # trained on
    simulated: bool  # whether all of those were


class Candidate(NamedTuple):
    """A model, as one section meets it."""

    folder: Path
    n_genes: int
    n_shared: int  # of its genes that the section measures
    in_training: bool  # whether its card names this section
    held_out: frozenset[str]  # cells of the section that training did not see
    in_paints: bool  # whether it was trained to

    @property
    def fits(self) -> bool:
        """Whether enough of its genes are measured."""
        return self.n_shared >= REFUSE_BELOW * self.n_genes


def candidates(library: Library, section: Section) -> list[Candidate]:
    """List all models, in the order of `find_models`, with what they share with a section."""
    genes, cells = set(library.genes(section.id)), set(library.cells(section.id).index)
    found = []
    for folder in _bundles(library):
        try:
            config = json.loads((folder / CONFIG).read_text())
            own = set(config["genes"])
            records = json.loads((folder / CARD).read_text())["sections"]
        except (OSError, ValueError, KeyError, TypeError):
            continue  # no bundle, or a broken one: the server says so where it is its own
        held_out, known = _held_out(records, section, cells)
        in_paints = config.get("context_components") != 0
        found.append(Candidate(folder, len(own), len(own & genes), known, held_out, in_paints))
    return found


def _held_out(
    records: list[dict[str, Any]], section: Section, cells: set[str]
) -> tuple[frozenset[str], bool]:
    for record in records:
        hidden = set(record["hidden"])
        if (record["name"], record["n_cells"]) == (section.section, len(cells)) and hidden <= cells:
            return frozenset(hidden), True
    return frozenset(), False


def find_models(library: Library, stack: Stack) -> list[Path]:
    """List the bundles whose card names every level of a stack, with cells held out of it.

    The model of the server comes first, then those trained here, the newest first, then those that ship with
    squint.
    """
    cells = {level.section: set(library.cells(level.id).index) for level in stack.levels}
    return [folder for folder in _bundles(library) if _knows(folder, cells)]


def weights_sha256(folder: Path) -> str:
    """Hash the weights of a bundle."""
    return hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()


def _bundles(library: Library) -> Iterator[Path]:
    yield settings().model
    trained = [folder for folder in library.models.iterdir() if (folder / CARD).exists()]
    yield from sorted(trained, key=lambda folder: -(folder / CARD).stat().st_mtime)
    yield from sorted(folder.parent for folder in settings().samples.glob(f"*/{CARD}"))


def _knows(folder: Path, cells: Mapping[str, set[str]]) -> bool:
    """Say whether a card names sections of these cells, some of which it held out."""
    try:
        card: dict[str, Any] = json.loads((folder / CARD).read_text())
        held_out = {str(s["name"]): (int(s["n_cells"]), set(s["hidden"])) for s in card["sections"]}
    except (OSError, ValueError, KeyError, TypeError):
        return False  # no bundle, or a broken one: the server says so where it is its own
    for name, own in cells.items():
        n_cells, hidden = held_out.get(name, (0, set()))
        if n_cells != len(own) or not hidden or not hidden <= own:
            return False
    return True
