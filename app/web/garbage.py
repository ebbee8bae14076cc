"""What stays for good is left out of collections of garbage, which hold up every request meanwhile."""

import gc
from functools import cache


@cache
def settle(page: str) -> None:
    """Take what is there once a page was shown first, modules above all, for what stays.

    Streamlit collects after each run of a page: in 80 to 250 ms with all modules, during which the server
    answers nobody.
    """
    del page
    gc.collect()
    gc.freeze()


def collect() -> None:
    """Collect what was taken for what stays too: the sessions that were shown first are in it."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
