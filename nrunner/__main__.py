"""``python -m nrunner``."""

from __future__ import annotations

import sys

from nrunner.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
