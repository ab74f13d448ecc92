"""Where a Python payload of ours is: it tells when a signal asks it.

It writes the stacks of its threads into a named pipe that whoever asks has made for that, and
opens no file before. A payload that does not come to that, since it is busy outside of Python, can
be had by another signal to tell its standard error, from where a test that goes on would see it.
Two real-time signals that hardly any test uses; forks inherit what was arranged once. It imports
nothing of nrunner. Not responsible for asking (``nrunner.runners.inquiry``).
Portable: runs on Python 3.7 with the standard library alone.
"""

from __future__ import annotations

import importlib
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any, Optional

__all__ = ["LONGEST_STACK", "SUFFIX", "TELL", "TELL_STDERR", "answer_at", "arm", "stacks"]

_signal: Any = importlib.import_module("_signal")

TELL = int(_signal.SIGRTMAX) - 7
"""Asks for the stacks, to be written into the pipe."""
TELL_STDERR = int(_signal.SIGRTMAX) - 6
"""Asks for them on standard error, where nothing else helps."""
SUFFIX = ".stack"
"""What the path of the pipe has behind that of the report."""
LONGEST_STACK = 16 << 10
"""In bytes: what a pipe takes at once, whoever reads."""

_MOST_FRAMES = 64
_MOST_THREADS = 16
# Taken now: a test may put something else in their places.
_open, _write, _close = os.open, os.write, os.close
_frames = sys._current_frames  # noqa: SLF001 - there is no other way to ask
_modules = sys.modules
_PIPE = os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
_place = [""]


def arm() -> None:
    """Have this process and its forks tell where they are when they are asked."""
    known = "faulthandler" in sys.modules
    try:
        _signal.signal(TELL, _tell)
        import faulthandler

        faulthandler.register(TELL_STDERR, 2, True)
    except (AttributeError, ImportError, OSError, RuntimeError, ValueError):
        return
    finally:
        if not known:
            sys.modules.pop("faulthandler", None)


def answer_at(report: str) -> None:
    """Say where the payload's report goes: beside it there will be a pipe, if anybody asks."""
    _place[0] = report + SUFFIX


def _tell(_number: int, frame: Optional[FrameType]) -> None:
    try:
        pipe = _open(_place[0], _PIPE)
    except OSError:
        return  # nobody asks any more
    try:
        _write(pipe, stacks(frame).encode("utf-8", "backslashreplace")[:LONGEST_STACK])
    except Exception:
        return  # whatever it is, the test must not notice
    finally:
        _close(pipe)


_OURS = os.path.dirname(_tell.__code__.co_filename) + os.sep
"""What begins the names of our own files, in a zipapp, too."""


def stacks(here: Optional[FrameType]) -> str:
    """Return where each thread is, the one that runs `here` first, its latest call first."""
    frames = _frames()
    me = next((each for each, frame in frames.items() if _contains(frame, here)), None)
    others = [each for each in frames if each != me]
    parts = [_told(me, here)] if me is not None else []
    parts += [_told(each, frames[each]) for each in others[:_MOST_THREADS]]
    if len(others) > _MOST_THREADS:
        parts.append(f"and {len(others) - _MOST_THREADS} more threads\n")
    return "".join(parts)


def _contains(frame: Optional[FrameType], wanted: Optional[FrameType]) -> bool:
    while frame is not None and frame is not wanted:
        frame = frame.f_back
    return frame is wanted is not None


def _told(thread: Optional[int], frame: Optional[FrameType]) -> str:
    lines = [f"thread {_name_of(thread)}:\n"]
    while frame is not None and len(lines) <= _MOST_FRAMES:
        code = frame.f_code
        if code.co_filename.startswith(_OURS):
            return "".join(lines)  # what called the test does not help anybody
        lines.append(f'  File "{code.co_filename}", line {frame.f_lineno}, in {code.co_name}\n')
        frame = frame.f_back
    if frame is not None:
        lines.append("  ...\n")
    return "".join(lines)


def _name_of(thread: Optional[int]) -> str:
    threading: Any = _modules.get("threading")
    known = getattr(threading, "_active", {}).get(thread)
    name = getattr(known, "_name", None)
    return str(name) if name else str(thread)
