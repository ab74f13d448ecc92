"""The end of what a failed test wrote, for ``--show test`` and for the page.

Reads a bounded piece of each file. Not responsible for where the lines go.
"""

from __future__ import annotations

import os
from pathlib import Path

from nrunner.results.base import TaskReport
from nrunner.results.text import visible

__all__ = ["output_end", "output_tail"]

_BYTES = 2048
_LINES = 20


def output_tail(report: TaskReport, folder: Path) -> list[str]:
    """Return the end of what a task that is not fine wrote, as lines for people."""
    if report.result.is_ok:
        return []
    lines: list[str] = []
    for name in ("stdout", "stderr"):
        path = report.outputs.get(name)
        if path:
            lines += [f"     {name} | {line}" for line in _last_lines(folder / path)]
    return lines


def output_end(path: Path, size: int) -> tuple[str, bool]:
    """Return the last lines of a file, `size` bytes at most, and whether that is all of it.

    A file that cannot be read is empty. A line that does not fit is there in part.
    """
    try:
        data, is_whole = _end_of(path, size)
    except (OSError, ValueError):
        return "", True
    if not is_whole:
        # The first line is a part of one, unless it is all there is.
        data = data.partition(b"\n")[2] or data
    return data.decode("utf-8", "backslashreplace"), is_whole


def _last_lines(path: Path) -> list[str]:
    lines = output_end(path, _BYTES)[0].split("\n")
    if not lines[-1]:
        del lines[-1]
    return [visible(line.rstrip("\r")) for line in lines[-_LINES:]]


def _end_of(path: Path, most: int) -> tuple[bytes, bool]:
    # A test may have put a pipe in its place, which must not hold us up.
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(number, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - most))
        return file.read(most), size <= most
