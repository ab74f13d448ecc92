"""Writing to standard output and standard error, which may be closed, full or not Unicode.

Nobody reading any more (``| head -1``) is no error, and changes no exit code. Not responsible for
what a running job shows (``nrunner.results.console``).
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterable
from typing import IO, Any

from nrunner.errors import ExitCode, ResultsError

__all__ = ["finish", "say", "say_error", "say_json", "table"]


def say(text: str) -> None:
    """Write a line to standard output."""
    _write(sys.stdout, text + "\n")


def say_error(text: str) -> None:
    """Write a line to standard error, in our name."""
    if sys.stderr is None:  # it was closed before Python began
        return
    with contextlib.suppress(OSError, ValueError):
        _write(sys.stderr, f"nrunner: {text}\n")
        sys.stderr.flush()


def say_json(data: Any) -> None:
    """Write data to standard output, for programs."""
    import json

    say(json.dumps(data, indent=2))


def table(rows: Iterable[tuple[str, ...]]) -> None:
    """Write rows whose columns are aligned; the last one may be of any length."""
    lines = list(rows)
    if not lines:
        return
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        say("  ".join(cells).rstrip())


def finish(code: int) -> int:
    """Flush standard output and return the exit code, with what flushing adds to it."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        _drain_into_nothing(sys.stdout)
    except (OSError, ValueError) as error:
        _drain_into_nothing(sys.stdout)
        say_error(f"could not write to standard output: {_reason(error)}")
        return code | ExitCode.JOB_FAILED
    return code


def _write(stream: IO[str] | None, text: str) -> None:
    """Write; None is how Python shows a stream that was closed before it began."""
    if stream is None:
        return
    try:
        try:
            stream.write(text)
        except UnicodeEncodeError:
            encoding = getattr(stream, "encoding", None) or "ascii"
            stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    except OSError as error:
        _drain_into_nothing(stream)
        if error.errno != errno.EPIPE:
            raise ResultsError(f"write to standard output: {_reason(error)}") from error


def _drain_into_nothing(stream: IO[str]) -> None:
    """Let what is buffered and what follows go nowhere, or Python complains when it exits."""
    with contextlib.suppress(OSError, ValueError):
        number = stream.fileno()
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, number)
        os.close(nothing)


def _reason(error: OSError | ValueError) -> str:
    text = error.strerror if isinstance(error, OSError) else None
    return (text or str(error)).lower()
