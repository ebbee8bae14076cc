"""Files of gene sets, given to the worker as the page does."""

import json
from typing import Any

from app.requests import AddGeneSets
from app.tasks.exports import TASKS
from squint.library.store import Library


def add(library: Library, content: bytes, name: str) -> Any:
    """Put a file into the library; return how many sets it holds."""
    path = library.workspace() / "given"
    path.write_bytes(content)
    asked = json.loads(json.dumps(AddGeneSets(str(path), name).args))
    try:
        return TASKS["add_gene_sets"]({"home": str(library.home), "asked": asked}, lambda *_: None)
    finally:
        library.unstage(path)
