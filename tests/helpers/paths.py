"""Where things lie: the checkout, and real sections beside it."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
REAL_DATA = Path(os.environ.get("SQUINT_TEST_DATA") or ROOT.parent / "shared" / "data")
REGIONS = REAL_DATA.parent / "regions"  # rectangles to hide, and baselines that others measured there
BUNDLES = REAL_DATA.parent / "bundles"  # output folders of instruments, as their makers write them
CASES = REAL_DATA.parent / "cases"  # small inputs that bug reports describe
