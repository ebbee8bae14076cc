"""The browser that draws Plotly's figures as PNG, SVG and PDF."""

import shutil

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def find_chrome() -> str | None:
    """Return where Chrome or Chromium is, or ``None``."""
    return next((path for name in _NAMES if (path := shutil.which(name))), None)
