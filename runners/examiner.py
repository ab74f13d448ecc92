"""Finding out what an attempt is doing, and keeping that where people look.

Not responsible for when that is asked (``nrunner.runners.alarm``, ``nrunner.runners.supervisor``),
nor for how it is put (``nrunner.runners.evidence``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence

from nrunner.record import dataclass
from nrunner.runners import procfs
from nrunner.runners.attempt import EVIDENCE, Attempt, Stage
from nrunner.runners.loop import Loop
from nrunner.runners.procfs import Process

__all__ = ["Examiner", "Findings"]

_LAST_BYTES = 8192
_FAULT = b"Current thread 0x"


@dataclass(frozen=True)
class Findings:
    """What an attempt is doing."""

    doing: str
    """In a few words."""
    wait_channel: str
    """The kernel function in which the process sleeps that matters."""
    stack: str
    """Where the Python of the payload is, if that can be asked."""


class Examiner:
    """Examines attempts that run."""

    def __init__(self, loop: Loop, members: Callable[[Attempt], list[Process]]) -> None:
        self._loop = loop
        self._members = members

    def examine(
        self,
        attempt: Attempt,
        occasion: str,
        then: Callable[[Findings], None],
        *,
        is_last: bool = False,
    ) -> None:
        """Keep what an attempt is doing, and call back, unless it is over by then.

        `is_last` says that nothing of it has to go on undisturbed.
        """
        processes = self._members(attempt)

        def conclude(stack: str) -> None:
            if attempt.stage is not Stage.DONE:
                then(_kept(attempt, occasion, processes, stack))

        python = _python(attempt)
        main = next((each for each in processes if each.pid == python), None)
        if main is None:
            conclude("")
            return
        from nrunner.runners import inquiry  # most agents never ask

        report = attempt.place.report
        inquiry.ask(self._loop, main, report, conclude, by_force=is_last)


def _python(attempt: Attempt) -> int:
    """Return the process whose Python is ours to ask, 0 if there is none."""
    return attempt.pid if attempt.command is not None and attempt.command.answers else 0


def _kept(attempt: Attempt, occasion: str, processes: Sequence[Process], stack: str) -> Findings:
    from nrunner.runners import evidence

    base_dir = attempt.place.base_dir
    output = _output(attempt)
    if not stack:
        # Python's fault handler wrote there what the payload itself could not tell.
        output["stderr"], found, rest = output["stderr"].partition(_FAULT)
        stack = (found + rest).decode("utf-8", "replace")
    process = evidence.foremost(processes)
    findings = Findings(
        evidence.doing(processes, _python(attempt), stack, base_dir),
        procfs.wait_channel_of(process.pid) if process is not None else "",
        stack,
    )
    text = evidence.report(occasion, processes, stack, output)
    if _add(f"{attempt.order.log_dir}/{EVIDENCE}", text):
        attempt.has_evidence = True
    return findings


def _output(attempt: Attempt) -> dict[str, bytes]:
    """Return the end of what the attempt has written until now."""
    slot, log_dir = attempt.slot, attempt.order.log_dir
    if slot is None:
        return {"stdout": b"", "stderr": b""}
    slot.catch_up()
    return {
        name: _end_of((f"{slot.folder}/{name}", f"{log_dir}/{name}"))
        for name in ("stdout", "stderr")
    }


def _end_of(paths: Iterable[str]) -> bytes:
    for path in paths:
        try:
            with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - _LAST_BYTES))
                return file.read(_LAST_BYTES)
        except OSError:
            continue
    return b""


def _add(path: str, text: str) -> bool:
    # A test may have put a link or a pipe there: neither is followed nor waited for.
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
        with open(os.open(path, flags, 0o600), "ab") as file:
            file.write(text.encode("utf-8", "backslashreplace"))
    except OSError:
        return False
    return True
