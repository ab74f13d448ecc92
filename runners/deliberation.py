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

__all__ = ["Verdict", "deliberate"]

Verdict = Callable[[], Outcome]
"""Returns an outcome, or raises what kept it from being found."""


def deliberate(loop: Loop, judge: Verdict, then: Callable[[Verdict], None]) -> None:
    """Judge aside, and call `then` from the loop with what returns, or raises, what came of it.

    Where there can be no thread, or no file to wake the loop by, it is done at once.
    """
    import threading  # few agents ever need it

    try:
        woken, wake = os.pipe2(os.O_CLOEXEC)
    except OSError:
        then(judge)
        return
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
        loop.unwatch(woken)
        os.close(woken)
        then(verdict)

    loop.watch(woken, end)
    try:
        threading.Thread(target=run, name="deliberation", daemon=True).start()
    except RuntimeError:
        run()
