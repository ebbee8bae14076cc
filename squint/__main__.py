"""``python -m squint``."""

from squint.cli import main

raise SystemExit(main())
