"""Outlet: a stream of text that may stop being read, or hold less than Unicode.

Once nobody reads (``| head -1``) it goes quiet; the job goes on. Not responsible for what is
written.
"""

from __future__ import annotations

import contextlib
import os
from typing import IO

from nrunner.results.text import fitting

__all__ = ["Outlet"]


class Outlet:
    """Writes to a stream without ever raising."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream: IO[str] | None = stream
        # Another program may have left it so; then a full pipe would look like a closed one.
        with contextlib.suppress(OSError, ValueError):
            os.set_blocking(stream.fileno(), True)

    @property
    def is_open(self) -> bool:
        """Whether what is written still goes somewhere."""
        return self._stream is not None

    def write(self, text: str) -> None:
        """Write and flush `text`; go quiet for good if that fails."""
        stream = self._stream
        if stream is None or not text:
            return
        try:
            _write(stream, text)
        except (OSError, ValueError):
            self._stream = None
            _drain_into_nothing(stream)


def _write(stream: IO[str], text: str) -> None:
    try:
        stream.write(text)
    except UnicodeEncodeError:
        stream.write(fitting(text, stream))
    stream.flush()


def _drain_into_nothing(stream: IO[str]) -> None:
    """Let what is still buffered go nowhere, or Python complains about it when it exits."""
    with contextlib.suppress(OSError, ValueError):
        number = stream.fileno()
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, number)
        os.close(nothing)
