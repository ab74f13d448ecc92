"""Mishaps: errors on the event loop that nobody waits for, so nobody else would tell of them.

A job goes on after one: what has to end a job is raised where somebody waits (``scheduler``).
People are told in a line; the traceback goes to a file. Not responsible for errors that are
expected.
"""

from __future__ import annotations

import contextlib
import errno
import os
from asyncio import AbstractEventLoop
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["Mishaps"]

_SHORT_OF_MEANS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_MOST = 10
"""Mishaps that are told; after so many it is always the same."""


class Mishaps:
    """Hears of the errors of one job's loop; `tell` is given a line for people."""

    def __init__(self, file: Path, tell: Callable[[str], None]) -> None:
        self._file = file
        self._tell = tell
        self._told: set[str] = set()

    def take(self, _loop: AbstractEventLoop, context: dict[str, Any]) -> None:
        """Tell of an error, once; what asyncio's exception handler does."""
        error = context.get("exception")
        if isinstance(error, OSError) and error.errno in _SHORT_OF_MEANS:
            text = f"the job's sockets rest for a moment: {error.strerror}"
        else:
            what = context.get("message") if error is None else f"{type(error).__name__}: {error}"
            text = f"this is a bug in nrunner: {what} (see {self._file.name} in the job's folder)"
        if text not in self._told and len(self._told) < _MOST:
            self._told.add(text)
            self._tell(text)
            if "bug" in text:
                self._keep(context, error)

    def _keep(self, context: dict[str, Any], error: BaseException | None) -> None:
        import traceback

        lines = traceback.format_exception(error) if error is not None else []
        text = "".join((str(context.get("message")), "\n", *lines, "\n"))
        with contextlib.suppress(OSError):
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
            with os.fdopen(os.open(self._file, flags, 0o600), "ab") as file:
                file.write(text.encode("utf-8", "backslashreplace"))
