"""nrunner's command line under a wall clock that is turned: ``python jumpy.py FILE ARGUMENTS``.

FILE says by how many seconds the clock is off, at any time. The monotonic clock is left alone, as
the kernel leaves it. (libfaketime would do this for all processes, but its clock_nanosleep refuses
what Python's time.sleep asks for.) Agents and tests are not under it: agents never ask what time it
is.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

_real = time.time


def turned(file: Path) -> float:
    """Return what the clock shows."""
    return _real() + float(file.read_text() or 0)


def main() -> int:
    """Turn the clock and run nrunner."""
    file = Path(sys.argv[1])
    time.time = lambda: turned(file)
    from nrunner.cli.main import main as nrunner

    return nrunner(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
