"""What a zygote has to know of Robot Framework: how its tests are run, each in a fork of its own.

Used inside the interpreter of the user's choice. Not responsible for any of that
(``nrunner.runners.robot_child``), nor for forks.
Portable: runs on Python 3.8 with Robot Framework 4; without it all tests say so.
"""

from __future__ import annotations

from nrunner.runners.robot_child import conclude, load, robot
from nrunner.runners.unittest_child import vanish

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from nrunner.runners.resident import Series

__all__ = ["conclude", "load", "prepare", "series", "share", "vanish", "warm_up"]

_USED = (
    *(("run", "RobotFramework"), ("running", "TestSuite"), ("reporting", "ResultWriter")),
    *(("libraries.BuiltIn", "BuiltIn"), ("libraries.Easter", "__name__")),
)
"""What each run imports, and is better imported before."""


def warm_up() -> None:
    """Import what Robot needs, but nothing of the user's."""
    for module, name in _USED:
        try:
            robot(module, name)
        except (ImportError, AttributeError):
            continue


def share(loaded: Any) -> tuple[None, str]:
    """Say that nothing is shared: each test imports its own libraries."""
    return None, "imports its own libraries"


def prepare(spec: Mapping[str, Any], workshop: Any, output: int) -> Any:
    """Do nothing: there is nothing that could be made before the fork."""
    return None


def series() -> Series:
    """Refuse: a suite is a task, and its tests share the process of that."""
    raise NotImplementedError
