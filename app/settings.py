"""What the environment decides."""

import os
from dataclasses import dataclass
from pathlib import Path

from squint._version import __version__
from squint.errors import InputError
from squint.library import place
from squint.secret import secret

NOTICE = "For research use only. Not for use in diagnostic procedures."


@dataclass(frozen=True)
class Settings:
    """Folders the dashboard works with."""

    home: Path  # the library
    model: Path  # a model bundle
    samples: Path  # sections imported into a new library


def settings() -> Settings:
    """Read ``SQUINT_HOME`` and ``SQUINT_MODEL``."""
    return Settings(home=place.home(), model=place.server_model(), samples=place.SAMPLES)


def max_upload() -> int:
    """Read ``SQUINT_MAX_UPLOAD_MB``; return the most bytes that a streamed upload may have."""
    megabytes = os.environ.get("SQUINT_MAX_UPLOAD_MB") or "10000"
    if not (megabytes.isascii() and megabytes.isdigit()) or len(megabytes) > 12:
        raise InputError(f"SQUINT_MAX_UPLOAD_MB must be a whole number of megabytes, not {megabytes!r}.")
    return int(megabytes) * 1_000_000


def starts_engine() -> bool:
    """Read ``SQUINT_START_ENGINE``; say whether the dashboard starts the engine, or another service."""
    given = os.environ.get("SQUINT_START_ENGINE") or "yes"
    if given not in {"yes", "no"}:
        raise InputError(f"SQUINT_START_ENGINE must be yes or no, not {given!r}.")
    return given == "yes"


def metrics_token() -> str:
    """Read ``SQUINT_METRICS_TOKEN``, or its file: who has it may ask for metrics."""
    return secret("SQUINT_METRICS_TOKEN")


def metrics_here() -> bool:
    """Read ``SQUINT_METRICS``; say whether programs of this machine may ask for metrics."""
    given = os.environ.get("SQUINT_METRICS") or "off"
    if given not in {"off", "loopback"}:
        raise InputError(f"SQUINT_METRICS must be off or loopback, not {given!r}.")
    return given == "loopback"


def max_upload_a_day() -> int | None:
    """Read ``SQUINT_MAX_UPLOAD_GB_PER_DAY``; return the most bytes that one may send in a day, if any."""
    gigabytes = os.environ.get("SQUINT_MAX_UPLOAD_GB_PER_DAY") or ""
    if not gigabytes:
        return None
    try:
        n_bytes = float(gigabytes) * 1e9
    except ValueError:
        n_bytes = 0.0
    if not 0 < n_bytes < 1e18:
        raise InputError(
            f"SQUINT_MAX_UPLOAD_GB_PER_DAY must be a number of gigabytes, not {gigabytes[:40]!r}."
        )
    return int(n_bytes)


def app_version() -> str:
    """Return the version of squint."""
    return __version__
