"""How many cases: ``pytest -m fuzz tests/fuzz --cases 2000 --seed 1``."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the number of cases of each target, and the seed that they are drawn with."""
    parser.addoption("--cases", type=int, default=200, help="cases of each target")
    parser.addoption("--seed", type=int, default=0, help="of the changes")


@pytest.fixture(scope="session")
def n_cases(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--cases", 200))


@pytest.fixture(scope="session")
def seed(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--seed", 0))
