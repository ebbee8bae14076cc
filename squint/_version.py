"""The version of squint, as it was installed: pyproject.toml says it."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("squint")
except PackageNotFoundError:  # run from a folder that was never installed
    __version__ = "unreleased"
