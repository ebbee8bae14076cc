"""A model packed as one file. Runs in the worker, without torch."""

from pathlib import Path

from app.requests import PackModel
from squint.library.results import Report
from squint.library.store import Library
from squint.model import archive
from squint.model.card import CARD, CONFIG, WEIGHTS


def pack(library: Library, asked: PackModel, report: Report) -> str:
    """Pack a model; return the path of the archive, which is removed by whoever takes it."""
    report(0.1, "checking every file of it")
    folder = Path(asked.folder)
    if folder.parent == library.models:
        for name in (WEIGHTS, CONFIG, CARD):
            library.files.checked(folder / name)
    with library.handed_out() as place:
        path = place / "model.zip"
        archive.export(folder, path)
    return str(path)
