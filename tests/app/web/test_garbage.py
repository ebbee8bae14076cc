"""Garbage is collected for several runs at once, which pass over what was there before."""

import subprocess
import sys

from tests.helpers.paths import ROOT

RINGS = """
import gc, weakref
from app.web import garbage
class Ring: pass
def ring():
    one = Ring(); one.self = one
    return weakref.ref(one)
gc.disable()
"""


def runs(code: str) -> None:
    subprocess.run([sys.executable, "-c", RINGS + code], cwd=ROOT, check=True)


def test_what_is_there_after_a_collection_is_passed_over_and_what_comes_later_is_not() -> None:
    runs("""
old, held = ring(), Ring()
garbage.after_run()
assert old() is None
assert gc.get_freeze_count() > 1_000
new = ring()
for _ in range(8):
    garbage.after_run()
assert new() is None
held.self, gone = held, weakref.ref(held)
del held
for _ in range(8):
    garbage.after_run()
assert gone() is not None
garbage.collect()
assert gone() is None
""")


def test_not_every_run_is_held_up() -> None:
    runs("""
garbage.after_run()
began, waits = [], ring()
gc.callbacks.append(lambda phase, info: began.append(phase) if phase == "start" else None)
for _ in range(7):
    garbage.after_run()
assert not began and waits() is not None
garbage.after_run()
assert len(began) == 1 and waits() is None
""")
