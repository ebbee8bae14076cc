"""A collection of garbage passes over what was there before."""

import subprocess
import sys

from tests.helpers.paths import ROOT


def test_what_was_there_when_a_page_was_first_shown_is_passed_over_and_what_comes_later_is_not() -> None:
    code = """
import gc, weakref
from app.web.garbage import settle
class Ring: pass
def ring():
    one = Ring(); one.self = one
    return weakref.ref(one)
old = ring()
settle("Sections")
assert old() is None
frozen = gc.get_freeze_count()
assert frozen > 1_000
settle("Sections")
assert gc.get_freeze_count() == frozen
new = ring()
gc.collect()
assert new() is None
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
