"""The files of a report: one HTML, one PDF, and the ZIP of all tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from squint.errors import InputError
from squint.files import make_folder, write_bytes, write_text
from squint.report.html import Say, write_html
from squint.report.names import HTML, PDF, ZIP
from squint.report.packed import write_zip
from squint.report.pdf import print_pdf
from squint.report.tables import Computed
from squint.report.words import stamp


@dataclass(frozen=True)
class Written:
    """Files of a report."""

    files: tuple[Path, ...]
    no_pdf: str = ""  # why there is no PDF; empty if there is one


def write_report(computed: Computed, inputs: Mapping[str, bytes], folder: Path, say: Say) -> Written:
    """Write a report to a folder, each file whole or not at all.

    Parameters
    ----------
    computed
        Its numbers.
    inputs
        Tables that go with its recipe, by hash.
    folder
        Where to; it is made if it is not there.
    say
        Is told how far it is.

    Raises
    ------
    InputError
        If the disk refuses. Without Chrome there is no PDF, and no error.
    """
    make_folder(folder)
    html = write_html(computed, lambda share, what: say(0.7 * share, what))
    write_text(folder / HTML, html)
    write_bytes(folder / ZIP, write_zip(computed, inputs))
    say(0.8, "printing the PDF")
    try:
        write_bytes(folder / PDF, print_pdf(html, stamp(computed.recipe)))
    except InputError as error:
        return Written((folder / HTML, folder / ZIP), str(error))
    return Written((folder / HTML, folder / PDF, folder / ZIP))
