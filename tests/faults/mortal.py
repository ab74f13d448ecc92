"""nrunner's command line, in a process that kills something right after a record of its journal.

    python mortal.py VICTIM K ARGUMENTS...

VICTIM is `controller`, `agent` or `both`. Records are written one by one, so that each is a point
at which the end can come, also those that are usually written together. Not responsible for what is
found afterwards (``checker``).
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nrunner.journal import Journal
from nrunner.runners.procfs import children_of

_append = Journal.append


def agents() -> list[int]:
    """Return the agents below us: each is the only child of its guardian."""
    guardians = [pid for pid in children_of(os.getpid()) if b"agent" in _words(pid)]
    return [pid for guardian in guardians for pid in children_of(guardian)[:1]]


def _words(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def strike(victim: str, there: bool) -> None:
    """Kill; `there` tells whether there is certainly an agent."""
    if victim != "controller":
        found = agents()
        if there and not found:
            os._exit(99)  # a sweep that kills nothing must not look like one that passes
        for pid in found:
            os.kill(pid, signal.SIGKILL)
    if victim != "agent":
        os.kill(os.getpid(), signal.SIGKILL)


class Doom:
    """Counts records until it is time."""

    def __init__(self, victim: str, left: int) -> None:
        self.victim = victim
        self.left = left
        self.there = False

    def append(self, journal: Journal, records: Sequence[Mapping[str, Any]]) -> None:
        """Write record by record; strike after the one that is meant."""
        for record in records:
            _append(journal, [record])
            self.left -= 1
            self.there |= record["type"] == "environment"
            self.there &= record["type"] != "closed"
            if self.left == 0:
                strike(self.victim, self.there)


def main() -> int:
    """Run nrunner until the end comes, or to its own."""
    from nrunner.cli.main import main as nrunner

    doom = Doom(sys.argv[1], int(sys.argv[2]))
    Journal.append = lambda journal, records: doom.append(journal, records)  # type: ignore[method-assign]
    return nrunner(sys.argv[3:])


if __name__ == "__main__":
    sys.exit(main())
