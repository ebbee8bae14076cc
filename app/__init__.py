"""The dashboard."""

import os

# Arrow reads this when it is first imported: its own memory would keep what the tables of past visits took.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
