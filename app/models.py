"""Model bundles that were trained on a stack with some of its cells held out."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from app.library import Library
from app.settings import settings
from app.stacks import Stack

CARD = "card.json"


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
