"""python-unittest: a test method, class or module, run by unittest.

kwargs may say more than the uri: ``module`` (a dotted name instead of the uri's path), ``top`` (a
folder to put first on ``sys.path``) and ``exclude`` (tests of the module that have tasks of their
own). Not responsible for what happens inside the interpreter: ``nrunner.runners.unittest_child``.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nrunner.runnable import Runnable
from nrunner.runners.python_test import PythonTest

__all__ = ["PythonUnittest"]


class PythonUnittest(PythonTest):
    """Runs tests with unittest, in the folder and with the path of ``python -m unittest``."""

    kind = "python-unittest"
    description = "tests of Python's unittest"
    child = "unittest-child"
    zygote = "zygote"
    example = "test_a.py:Class.test_b"
    kwargs = (("module", str), ("top", str), ("exclude", list))

    def company(self, runnable: Runnable) -> str:
        """Return the module of a test method; whatever else is asked for runs by itself."""
        place, _, names = str(runnable.uri).rpartition(":")
        if not place or "." not in names:
            return ""
        return "|".join((place, *(str(runnable.kwargs.get(key, "")) for key in ("module", "top"))))

    def module(self, spec: Mapping[str, Any]) -> str:
        """Say what has to be imported; a dotted name alone does not tell where its module ends."""
        place, colon, _ = spec["uri"].rpartition(":")
        if not colon and not place:
            place = spec["uri"]
        if not (colon or place.endswith(".py") or "module" in spec):
            return ""
        return "|".join((place, spec.get("module", ""), spec.get("top", "")))
