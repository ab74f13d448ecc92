"""The brand of an attempt: a mark that its processes have whatever they do to hide.

A daemon can leave its session, clear its environment and close its files; what limits it inherits
it has no reason to touch. One of them means nothing to it: for how long a real-time process may
compute without a pause. It is set to thousands of years and some microseconds, which say which
attempt of which agent it is. It costs one system call. Not responsible for what follows from it
(``nrunner.runners.killing``).
Portable: runs on Python 3.7 with the standard library alone.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    Key = tuple[int, int]
    """Task and attempt."""

__all__ = ["Brands", "prepare", "wear"]

_TOP = 1 << 56
_SALT_BITS, _TASK_BITS, _ATTEMPT_BITS = 20, 28, 8
_OWN_BITS = _TASK_BITS + _ATTEMPT_BITS
_LINE = b"Max realtime timeout"
_resource: list[Any] = []


class Brands:
    """The brands of one agent; those of an agent that runs inside a test are others."""

    def __init__(self) -> None:
        salt = int.from_bytes(os.urandom(4), "big") % (1 << _SALT_BITS)
        self._base = _TOP | salt << _OWN_BITS
        prepare()

    def of(self, key: Key) -> int:
        """Return the brand of an attempt; errands, with negative numbers, have brands, too."""
        task, attempt = key
        number = task % (1 << _TASK_BITS) << _ATTEMPT_BITS
        return self._base | number | attempt % (1 << _ATTEMPT_BITS)

    def bearer(self, pid: int) -> Optional[Key]:
        """Return whose attempt's brand a process has, None if it has none of ours."""
        brand = _read(pid)
        if brand is None or brand >> _OWN_BITS != self._base >> _OWN_BITS:
            return None
        task = brand >> _ATTEMPT_BITS & (1 << _TASK_BITS) - 1
        if task >= 1 << (_TASK_BITS - 1):
            task -= 1 << _TASK_BITS
        return task, brand & (1 << _ATTEMPT_BITS) - 1


def prepare() -> None:
    """Find out whether brands can be had here; done once, before the first is worn."""
    known = "resource" in sys.modules
    try:
        import resource
    except ImportError:
        return
    finally:
        if not known:
            sys.modules.pop("resource", None)
    if not _resource and resource.getrlimit(resource.RLIMIT_RTTIME)[1] == resource.RLIM_INFINITY:
        _resource[:] = resource.setrlimit, resource.RLIMIT_RTTIME, resource.RLIM_INFINITY


def wear(brand: int) -> None:
    """Have this process, and all that it starts from now on, wear a brand, where that can be."""
    if not _resource:
        return
    setrlimit, number, infinity = _resource
    try:
        setrlimit(number, (brand, infinity))
    except (OSError, ValueError):
        _resource.clear()


def _read(pid: int) -> Optional[int]:
    try:
        with open(f"/proc/{pid}/limits", "rb") as file:
            _, found, rest = file.read().partition(_LINE)
    except OSError:
        return None
    words = rest.split(None, 1)
    return int(words[0]) if found and words and words[0].isdigit() else None
