"""A runner executable that lives and will never say how its test ended: seen, and given up.

A test can end in a way that its runner does not notice (``os.abort()`` under a runner that waits
for a message of its child), and a runner can hang by itself. The former shows by its children,
which have all ended, the latter by its heartbeats, which have stopped, or because it hung up. Not
responsible for a runner that ends (its runner class judges that), nor for limits of time
(``nrunner.runners.alarm``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nrunner.record import dataclass
from nrunner.runners import procfs
from nrunner.runners.attempt import Attempt, Stage
from nrunner.runners.child import exit_of
from nrunner.runners.loop import Loop
from nrunner.runners.payload import describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

    from nrunner.runners.reception import Reception

__all__ = ["Judgement", "Sight", "Vigil"]

_LOOKS = 4
"""How often one looks within a grace."""
_SHORTEST_GRACE = 0.1
_LONG = 12
"""Graces for what may be as it should be: a helper that ended well, heartbeats that are late."""
_BUSY = 0.5
"""A runner that computes for so much of the time does something by itself."""


@dataclass(frozen=True)
class Sight:
    """What is seen of a runner at a moment."""

    words: int
    """How many messages came that say something."""
    beats: int
    """How many came that say no more than that it runs."""
    ended: Optional[Sequence[tuple[int, int]]] = ()
    """Pid and wait status of its children, which it has not waited for; None if any lives."""
    cpu: float = 0.0
    """Seconds that it has computed."""
    hung_up: bool = False
    """Whether it was connected, and is no more."""


class Judgement:
    """Decides, one sight after the other, whether a runner has come to nothing (pure)."""

    def __init__(self, grace: float) -> None:
        self.grace = max(grace, _SHORTEST_GRACE)
        self.every = self.grace / _LOOKS
        self._last = Sight(0, 0)
        self._ended = 0
        """For how many sights in a row its children have been gone, and nothing was said."""
        self._quiet = 0
        """For how many sights in a row nothing at all was heard."""

    def add(self, sight: Sight) -> str:
        """Return why nothing is to be expected any more; empty as long as something is."""
        last, self._last = self._last, sight
        is_same = sight.words == last.words and sight.ended == last.ended
        is_busy = sight.cpu - last.cpu > self.every * _BUSY
        self._ended = self._ended + 1 if sight.ended and is_same and not is_busy else 0
        is_quiet = sight.words == last.words and sight.beats == last.beats and not is_busy
        is_left = sight.beats > 1 or (sight.hung_up and sight.ended is not None)
        self._quiet = self._quiet + 1 if is_quiet and is_left else 0
        bad = next((status for _, status in sight.ended or () if status), 0)
        patience = _LOOKS * (1 if bad else _LONG)
        if self._ended >= patience:
            silence = f"its runner said nothing more for {self._seconds(patience)}"
            return f"its process {_put(bad)}, and {silence}"
        if self._quiet >= _LOOKS * _LONG:
            how = "hung up" if sight.hung_up else "had its last heartbeat"
            return f"its runner {how} {self._seconds(_LOOKS * _LONG)} ago, and goes on running"
        return ""

    def _seconds(self, sights: int) -> str:
        return f"{sights * self.every:g} s"


class Vigil:
    """Watches the runner executable of one attempt for as long as that runs."""

    def __init__(
        self,
        loop: Loop,
        attempt: Attempt,
        reception: Reception,
        give_up: Callable[[Attempt, str], None],
    ) -> None:
        """`give_up` is called at most once, with the reason."""
        self._loop = loop
        self._attempt = attempt
        self._reception = reception
        self._give_up = give_up
        self._judgement = Judgement(attempt.order.limits.grace)
        self._timer = loop.after(self._judgement.every, self._look)

    def end(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def _again(self) -> None:
        # Held while people have stopped the job: the runner can say nothing then.
        self._timer = self._loop.after(self._judgement.every, self._look)

    def _look(self) -> None:
        attempt = self._attempt
        if attempt.stage is not Stage.RUNNING or attempt.said is not None:
            return
        reason = self._judgement.add(self._sight()) if attempt.pid else ""
        if reason and procfs.tracer_of(attempt.pid):
            # Somebody debugs it, and has all the time in the world.
            self._judgement, reason = Judgement(self._judgement.grace), ""
        if reason and not self._has_more():
            self._give_up(attempt, reason)
        elif attempt.said is None:
            self._again()

    def _sight(self) -> Sight:
        pid, heard = self._attempt.pid, self._reception
        main = procfs.read_process(pid)
        cpu = main.cpu_seconds if main is not None else 0.0
        ended = procfs.ended_children(pid)
        return Sight(heard.words, heard.beats, ended, cpu, heard.was_left)

    def _has_more(self) -> bool:
        """Whether something was said that nobody had read so far."""
        words = self._reception.words
        self._reception.drain()
        return self._reception.words != words


def _put(status: int) -> str:
    end = exit_of(status)
    how = describe(end) or "exited with status 0"
    return how if end.signal is None else f"was {how}"
