"""Where a process of ours begins when it is started from the agent's zipapp or a checkout.

``agent FOLDER FD [ungrouped] [bound-to PID]``, ``unittest-child JSON``, ``zygote FD``,
``pytest-child JSON``, ``pytest-zygote FD``, ``pytest-collect FILE``, ``robot-child JSON``,
``robot-zygote FD``, ``survey JSON``, ``requirement check|fulfil [REPORT]``, ``dut WORD ARGUMENT``,
``introduce FILE CONFIG PATH WORD...``; one door for all, so that the code runs from a single file
wherever it was copied. Not responsible for what is behind the door.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

__all__ = ["main"]

_AGENT = "agent FOLDER LISTENING-FD [ungrouped] [bound-to PID]"
_REQUIREMENT = "requirement check | requirement fulfil REPORT"
_DUT = "dut WORD ARGUMENT"
_INTRODUCE = "introduce FILE CONFIG PATH WORD..."
_PYTEST = "pytest-child JSON | pytest-zygote FD | pytest-collect FILE"
_ROBOT = "robot-child JSON | robot-zygote FD"
_CHILDREN = f"unittest-child JSON | zygote FD | {_PYTEST} | {_ROBOT} | survey JSON"
_USAGE = f"usage: {_AGENT} | {_CHILDREN} | {_REQUIREMENT} | {_DUT} | {_INTRODUCE}"

_MAINS = {"robot-child": "robot_child", "survey": "survey", "unittest-child": "unittest_child"}
"""Parts that take all that follows, by their word."""


def main(argv: Optional[list[str]] = None) -> int:
    """Run the part that is named by the first word; return the exit status."""
    words = sys.argv[1:] if argv is None else argv
    if words and words[0] in _MAINS:
        module = import_module(f"nrunner.runners.{_MAINS[words[0]]}")
        return int(module.main(words[1:]) or 0)
    if words[:1] == ["zygote"]:
        from nrunner.runners import unittest_craft, zygote

        return zygote.main(words[1:], unittest_craft)
    if words[:1] == ["robot-zygote"]:
        from nrunner.runners import robot_craft, zygote

        return zygote.main(words[1:], robot_craft)
    if words and words[0].startswith("pytest-"):
        return _pytest(words)
    if words[:1] in (["dut"], ["introduce"]):
        return _helper(words)
    verb = words[1:2] if words[:1] == ["requirement"] else []
    if (verb == ["check"] and len(words) == 2) or (verb == ["fulfil"] and len(words) == 3):
        from nrunner.runners import requirement

        return requirement.main(words[1:])
    if words[:1] == ["agent"] and len(words) >= 3:
        more = words[3:]
        may_group = more[:1] != ["ungrouped"]
        bond = more if may_group else more[1:]
        if not bond or (len(bond) == 2 and bond[0] == "bound-to"):
            from nrunner.runners.guardian import guard

            starter = int(bond[1]) if bond else 0
            return guard(words[1], int(words[2]), may_group=may_group, starter=starter)
    print(_USAGE, file=sys.stderr)
    return 2


def _helper(words: list[str]) -> int:
    """Do what helps on the way to a test, or on a device; return the exit status."""
    if words[0] == "dut":
        from nrunner.runners import dut

        status = dut.main(words[1:])
        if status < 0:
            print(f"usage: {dut.USAGE}", file=sys.stderr)
            return 2
        return status
    if len(words) > 4:
        from nrunner.runners import capability

        return capability.main(words[1:])
    print(_USAGE, file=sys.stderr)
    return 2


def _pytest(words: list[str]) -> int:
    """Run what needs pytest; return the exit status."""
    if words[0] == "pytest-child":
        from nrunner.runners import pytest_child

        return int(pytest_child.main(words[1:]) or 0)
    if words[0] == "pytest-collect":
        from nrunner.runners import pytest_collect

        return pytest_collect.main(words[1:])
    if words[0] == "pytest-zygote":
        from nrunner.runners import pytest_craft, zygote

        return zygote.main(words[1:], pytest_craft)
    print(_USAGE, file=sys.stderr)
    return 2


if __name__ == "__main__":
    # Started as a file: the package is reached from the folder above the one that holds us.
    here = os.path.dirname(os.path.abspath(__file__))
    root = os.path.dirname(here)
    sys.path[0] = os.path.dirname(root) if os.path.basename(root) == "nrunner" else root
    sys.exit(main())
