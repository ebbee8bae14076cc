"""``python -m squint``."""

from squint.cli.main import main

if __name__ == "__main__":  # processes that are started from here import it too
    raise SystemExit(main())
