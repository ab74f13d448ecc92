"""A mixed load of tests, and what each comes to when nothing disturbs it.

Each payload leaves a mark when it begins (see ``checker.marks``). Not responsible for running it.
"""

from __future__ import annotations

import random
from pathlib import Path

from tests.functional.sandbox import Sandbox

__all__ = ["Load"]

_MARK = 'echo "$NRUNNER_ATTEMPT" >> "$FAULT_MARKS"'
_UNITTEST = """
import os, time, unittest
class T(unittest.TestCase):
    def setUp(self):
        with open(os.environ["FAULT_MARKS"], "a") as file:
            file.write(os.environ["NRUNNER_ATTEMPT"] + "\\n")
    def test_good(self): pass
    def test_bad(self): self.assertEqual(1, 2)
    def test_slow(self): time.sleep(0.1)
"""
_PROGRAMS = {
    "pass.sh": "exit 0",
    "fail.sh": "exit 3",
    "sleep.sh": "sleep 0.2",
    "loud.sh": "head -c 1000000 /dev/zero | tr '\\0' x",
    "long.sh": "sleep 0.8",
    "deaf.sh": "trap '' TERM; sleep 0.3",
    "daemon.sh": "setsid sleep 300 > /dev/null 2>&1 &",
    "fork.sh": "for i in 1 2 3 4 5 6 7 8; do sleep 0.05 & done; wait",
    "good.t": "echo 1..2; echo ok 1; echo ok 2",
    "bad.t": "echo 1..2; echo ok 1; echo not ok 2",
}
_EXPECTED = {
    **dict.fromkeys(("pass.sh", "sleep.sh", "loud.sh", "long.sh", "deaf.sh", "fork.sh"), "PASS"),
    **dict.fromkeys(("good.t", "test_unit.py:T.test_good", "test_unit.py:T.test_slow"), "PASS"),
    **dict.fromkeys(("fail.sh", "bad.t", "test_unit.py:T.test_bad"), "FAIL"),
    "daemon.sh": "WARN",
}


class Load:
    """A list of references, drawn at random, and their results."""

    def __init__(self, chance: random.Random, size: int) -> None:
        self.references = chance.choices(list(_EXPECTED), k=size)

    @property
    def expected(self) -> dict[int, str]:
        """The result of each task by its number, if nothing disturbs it."""
        return {number: _EXPECTED[name] for number, name in enumerate(self.references, 1)}

    def install(self, box: Sandbox, marks: Path) -> None:
        """Write the programs to where nrunner is started."""
        for name, text in _PROGRAMS.items():
            box.write(name, f"#!/bin/sh\n{_MARK}\n{text}\n")
        box.write("test_unit.py", _UNITTEST)
        box.write("references", "\n".join(self.references) + "\n")
        box.env["FAULT_MARKS"] = str(marks)
