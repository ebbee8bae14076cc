"""The report as PDF: its HTML, printed by Chrome or Chromium, which runs no script of it."""

import logging
import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from squint.chrome import find_chrome
from squint.errors import InputError
from squint.pl._stamp import stamp_pdf

NO_CHROME = (
    "There is no Chrome or Chromium here to print the PDF with (Debian: apt install chromium). The HTML "
    "and the "
    "ZIP are whole without it, and any browser prints the HTML."
)
_LIMIT_S = 180
logging.getLogger("pypdf").setLevel(logging.ERROR)  # it warns of how Chrome counts objects
_SWITCHES = (
    "--headless=new",
    "--no-sandbox",  # which a container does not allow; the page is ours, without scripts or network
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--no-first-run",
    "--no-pdf-header-footer",
)


def print_pdf(html: str, stamp: Mapping[str, str]) -> bytes:
    """Print a page of HTML.

    Parameters
    ----------
    html
        The page, with all that is in it.
    stamp
        Text by name, for the metadata.

    Raises
    ------
    InputError
        If there is no Chrome, or it fails.
    """
    chrome = find_chrome()
    if chrome is None:
        raise InputError(NO_CHROME)
    with TemporaryDirectory(prefix="squint-", ignore_cleanup_errors=True) as folder:
        page, target = Path(folder) / "report.html", Path(folder) / "report.pdf"
        page.write_text(html, encoding="utf-8")
        command = [
            chrome,
            *_SWITCHES,
            f"--user-data-dir={folder}/profile",
            f"--print-to-pdf={target}",
            page.as_uri(),
        ]
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(  # noqa: S603 - our own words
            command, stdin=quiet, stdout=quiet, stderr=quiet, cwd=folder, start_new_session=True
        )
        try:
            process.wait(_LIMIT_S)
        except subprocess.TimeoutExpired:
            pass
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if not target.is_file():
            raise InputError("Chrome could not print the PDF. Try again, or print the HTML with a browser.")
        return stamp_pdf(target.read_bytes(), stamp)
