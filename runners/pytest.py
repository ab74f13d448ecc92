"""pytest: a test item, a class or a file, run by the pytest of the interpreter it runs in.

The uri is pytest's own address, ``test_a.py::TestB::test_c[1]``, or a file. args are options for
pytest. kwargs may say where its configuration is, where one of these files alone would not lead
there: ``inifile`` and ``rootdir``. Not responsible for what happens inside the interpreter:
``nrunner.runners.pytest_child``.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nrunner.runnable import Runnable
from nrunner.runners.base import Place
from nrunner.runners.python_test import PythonTest

__all__ = ["Pytest"]


class Pytest(PythonTest):
    """Runs tests with pytest, in the folder and with the path of ``python -m pytest``."""

    kind = "pytest"
    description = "tests of pytest"
    child = "pytest-child"
    zygote = "pytest-zygote"
    example = "test_a.py::test_b"
    kwargs = (("inifile", str), ("rootdir", str))

    def company(self, runnable: Runnable) -> str:
        """Return the file of a test and how pytest is called; a whole file runs by itself."""
        file, colons, _ = str(runnable.uri).partition("::")
        return "|".join((file, *_settings(runnable.args, runnable.kwargs))) if colons else ""

    def module(self, spec: Mapping[str, Any]) -> str:
        """Say which file pytest has to collect, and how it is called."""
        return "|".join((self.file_of(spec["uri"]), *_settings(spec.get("args", ()), spec)))

    def file_of(self, uri: str) -> str:
        """Return the path in a uri."""
        return uri.partition("::")[0]

    def _spec(self, runnable: Runnable, place: Place) -> dict[str, Any]:
        spec = super()._spec(runnable, place)
        if runnable.args:
            spec["args"] = list(runnable.args)
        return spec


def _settings(args: Any, named: Mapping[str, Any]) -> tuple[str, ...]:
    return (*args, *(str(named.get(key, "")) for key in ("inifile", "rootdir")))
