"""file: the requirement that a file or folder exists.

It cannot be fulfilled, only found. Not responsible for copying anything to where a test runs.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import os
from typing import Any, Optional

from nrunner.errors import RunnerError
from nrunner.runnable import Requirement
from nrunner.runners.base import RequirementRunner
from nrunner.runners.demand import Demand

__all__ = ["File"]

_QUALITIES = ("mode", "sha256", "size")
_KEYS = ("path", *_QUALITIES, "bring", "from")
"""The last two are for who brings it; what else there is has been mistyped."""
_HEX = "0123456789abcdef"


class File(RequirementRunner):
    """Finds a file or folder, named by `uri` or by the kwarg ``name`` or ``path``."""

    kind = "file"
    description = "a file or folder that has to exist"

    def is_instant(self, requirement: Requirement) -> bool:
        """Whether nothing has to be read."""
        return "sha256" not in requirement.kwargs

    def check(self, requirement: Requirement, base_dir: str) -> Optional[str]:
        """Return None if the file is there, else the reason why not."""
        Demand(requirement, *_KEYS)
        reason = _missing(requirement, base_dir)
        if reason is None and any(key in requirement.kwargs for key in _QUALITIES):
            reason = _differs(requirement, base_dir)
        return reason


def _missing(what: Requirement, base_dir: str) -> Optional[str]:
    name = _name(what)
    try:
        os.stat(os.path.join(base_dir, name))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        return f"file {name!r}: {str(reason).lower()} (looked for in {base_dir})"
    return None


def _name(what: Requirement) -> str:
    name: Any = what.uri or what.kwargs.get("name") or what.kwargs.get("path")
    if not isinstance(name, str):
        raise RunnerError('requirement "file" needs a uri, or the key "name" or "path"')
    return name


def _differs(what: Requirement, base_dir: str) -> Optional[str]:
    """Return in what a file is not as it is demanded, the cheapest first."""
    name = _name(what)
    path = os.path.join(base_dir, name)
    mode, size, sha256 = (what.kwargs.get(key) for key in ("mode", "size", "sha256"))
    try:
        found = os.stat(path)
        if size is not None and found.st_size != _number(size, "size", 10):
            return f"file {name!r} has {found.st_size} bytes, not {size}"
        wanted = None if mode is None else _number(mode, "mode", 8)
        if wanted is not None and found.st_mode & 0o7777 != wanted:
            return f"file {name!r} has the mode {found.st_mode & 0o7777:04o}, not {wanted:04o}"
        if sha256 is not None:
            return _other_content(name, path, sha256)
    except OSError as error:
        return f"file {name!r}: {(error.strerror or str(error)).lower()}"
    return None


def _number(value: Any, key: str, base: int) -> int:
    try:
        return int(value, base) if isinstance(value, str) else int(str(int(value)), base)
    except (TypeError, ValueError, OverflowError) as error:
        expected = "octal digits like 0644" if base == 8 else "a number of bytes"
        raise RunnerError(f'requirement "file": key "{key}": expected {expected}') from error


def _other_content(name: str, path: str, sha256: Any) -> Optional[str]:
    import hashlib

    if not isinstance(sha256, str) or len(sha256) != 64 or set(sha256.lower()) - set(_HEX):
        raise RunnerError('requirement "file": key "sha256": expected 64 hexadecimal digits')
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            digest.update(piece)
    if digest.hexdigest() == sha256.lower():
        return None
    return f"file {name!r} has the sha256 {digest.hexdigest()}, not {sha256.lower()}"
