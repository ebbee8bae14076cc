"""One browser for all tests."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Playwright

from tests.helpers.dashboard import chromium


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    with chromium(playwright) as running:
        yield running
