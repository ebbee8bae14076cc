"""What the web process logs: as :mod:`squint.logs` says, Streamlit and its server included."""

import logging
import sys

from streamlit import logger as streamlit_logger

from squint import logs
from squint.errors import InputError


def configure() -> None:
    """Have all that the web process says go to one place, also by loggers that Streamlit makes later.

    Ends the process where ``SQUINT_LOG`` cannot be used.
    """
    try:
        logs.configure("web", quiet="uvicorn")  # which quotes addresses with their queries
    except InputError as error:
        sys.exit(str(error))
    streamlit_logger.setup_formatter = _take_over  # type: ignore[assignment] # it would give each a handler and a format of its own


def _take_over(known: logging.Logger) -> None:
    known.propagate = True
    logs.take_over(known)
