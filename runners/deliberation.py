"""Verdicts that take long: a thread reads what was printed while the loop goes on.

Not responsible for the verdict (the runner's class), nor for when it is long
(``nrunner.runners.supervisor``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from nrunner.runners.base import Outcome
from nrunner.runners.loop import Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

__all__ = ["Deliberation", "Verdict", "deliberate"]

Verdict = Callable[[], Outcome]
"""Returns an outcome, or raises what kept it from being found."""


class Deliberation:
    """A verdict that is being found."""

    def __init__(self, loop: Loop, woken: int) -> None:
        self._loop = loop
        self._woken = woken

    def abandon(self) -> None:
        """Hear nothing of it any more; whoever reads may go on for nobody."""
        self._loop.unwatch(self._woken)
        os.close(self._woken)


def deliberate(
    loop: Loop, judge: Verdict, then: Callable[[Verdict], None]
) -> Optional[Deliberation]:
    """Judge aside, and call `then` from the loop with what returns, or raises, what came of it.

    Where there can be no thread, or no file to wake the loop by, it is done at once; in the latter
    case `then` was called already, and None is returned.
    """
    import threading  # few agents ever need it

    try:
        woken, wake = os.pipe2(os.O_CLOEXEC)
    except OSError:
        then(judge)
        return None
    deliberation = Deliberation(loop, woken)
    found: Optional[Outcome] = None
    error: Optional[BaseException] = None

    def run() -> None:
        nonlocal found, error
        try:
            found = judge()
        except BaseException as raised:
            error = raised
        os.close(wake)

    def verdict() -> Outcome:
        if error is not None:
            raise error
        assert found is not None
        return found

    def end() -> None:
        deliberation.abandon()
        then(verdict)

    loop.watch(woken, end)
    try:
        threading.Thread(target=run, name="deliberation", daemon=True).start()
    except RuntimeError:
        run()
    return deliberation
