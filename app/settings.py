"""What the environment decides."""

import os
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

NOTICE = "For research use only. Not for use in diagnostic procedures."
_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Settings:
    """Folders the dashboard works with."""

    home: Path  # the library
    model: Path  # a model bundle
    samples: Path  # sections imported into a new library


def settings() -> Settings:
    """Read ``SQUINT_HOME`` and ``SQUINT_MODEL``."""
    samples = _ROOT / "data_samples"
    return Settings(
        home=Path(os.environ.get("SQUINT_HOME") or "library").absolute(),
        model=Path(os.environ.get("SQUINT_MODEL") or samples / "pretrained").absolute(),
        samples=samples,
    )


def app_version() -> str:
    """Return the version of squint."""
    try:
        return version("squint")
    except PackageNotFoundError:
        return "unreleased"
