"""What a zygote has to know of pytest: how its tests are collected, shared, prepared and run.

Used inside the interpreter of the user's choice. Not responsible for any of that
(``nrunner.runners.pytest_child``), nor for forks.
Portable: runs on Python 3.7 with pytest 7; without pytest all tests say so.
"""

from __future__ import annotations

import gc
import importlib

from nrunner.runners.pytest_child import LACKING, chosen, conclude, load, speak_as_pytest, vanish

if not LACKING:
    from nrunner.runners.pytest_plugins import import_plugins
from nrunner.runners.pytest_series import PytestSeries as series  # noqa: N813 - a function here

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Optional

    from nrunner.runners.pytest_child import Loaded
    from nrunner.runners.pytest_session import PytestSession

__all__ = ["conclude", "load", "prepare", "series", "share", "vanish", "warm_up"]


def warm_up() -> None:
    """Import all of pytest that a session needs, but nothing of the user's."""
    speak_as_pytest()
    if not LACKING:
        importlib.import_module("faulthandler")  # which each session uses
        import_plugins()


def share(loaded: Loaded) -> tuple[Optional[PytestSession], str]:
    """Return the session in which a file was collected; None if there is none, or why not."""
    if isinstance(loaded, dict):
        is_skipped = loaded["result"] == "skip"
        return None, "is skipped as a whole" if is_skipped else "cannot be collected"
    session = loaded[0]
    gc.collect()
    gc.freeze()  # or each fork would look through all of it
    return session, session.why_alone()


def prepare(spec: Mapping[str, Any], workshop: PytestSession, output: int) -> Loaded:
    """Find the test that a fork is to run; `output` will be its standard output."""
    return chosen(workshop, spec["uri"])
