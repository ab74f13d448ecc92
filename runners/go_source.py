"""What a package's source tells without go: what look like tests, what their program is called.

Only go knows which of them are tests (``go test -list``). Not responsible for reading files.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import re

__all__ = ["names_in", "program_of"]

_FUNCTION = re.compile(r"^func\s+((?:Test|Fuzz|Example)(?![a-z])\w*)\s*\(", re.MULTILINE)
_MODULE = re.compile(r"""^[ \t]*module[ \t]+["`]?([^\s"`()]+)""", re.MULTILINE)
_VERSION = re.compile(r"v(?:[2-9]|[1-9][0-9]+)")
"""What go names no program after."""


def names_in(text: str) -> list[str]:
    """Return the names of functions that may be tests, fuzz tests or examples, in their order."""
    return [name for name in _FUNCTION.findall(text) if name != "TestMain"]


def program_of(folder: str, module: str = "") -> str:
    """Return what go calls the program of the tests in a folder, "" if that is not sure.

    `folder` is its name, `module` the text of its ``go.mod`` if it has one. Tests may look at what
    they are called.
    """
    found = _MODULE.search(module)
    path = (found[1] if found else "") if module else folder
    *outer, name = path.split("/")
    if _VERSION.fullmatch(name):
        # Named after what it is in: that may be a module, which is not called as its folder.
        name = outer[-1] if outer else ""
    return name and f"{name}.test"
