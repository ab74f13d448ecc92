"""The gate: which messages are let in, and what is kept of those that are not.

Pure: lines or messages in, accepted messages out. A message that is refused changes nothing but a
counter and a bounded sample. Not responsible for sockets (``collector``), nor for what a message
does to its task (``nrunner.machine``).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from nrunner.errors import MessageError
from nrunner.messages import Finished, Message, Started, parse
from nrunner.record import dataclass
from nrunner.runners.line import Line
from nrunner.runners.long_line import LongLine

__all__ = ["Accepted", "Intake", "IntakeStatistics", "Refusal", "Sink"]

_SAMPLES = 10
_WORTH_IT = 5_000
"""Lines after which the fast decoder pays for its import."""
_SILENT, _STARTED, _FINISHED = range(3)


class Refusal(enum.Enum):
    """Why a line or message was not let in."""

    MALFORMED = "malformed"
    TOO_LONG = "too long"
    UNKNOWN_TASK = "unknown task"
    WRONG_JOB = "wrong job"
    REPEATED = "repeated"
    """A second ``started`` or ``finished`` in one attempt."""
    LATE = "late"
    """Anything else after ``finished``."""


class Accepted(NamedTuple):
    """A message that was let in, with the number of its task."""

    number: int
    message: Message


# The constructor of a named tuple is a Python function around this, and takes twice as long.
_accepted = tuple.__new__

Sink = Callable[[Sequence[Accepted]], None]
"""Is given each batch, on the event loop; must be quick and must not raise."""


@dataclass(frozen=True, slots=True)
class IntakeStatistics:
    """What came in so far."""

    accepted: int
    refused: Mapping[Refusal, int]
    samples: Mapping[Refusal, tuple[str, ...]]
    """The first few of each sort, shortened."""


class Intake:
    """Checks messages against the tasks of one job.

    `known` gives the number of the task that has an id and may speak now, or None; a task's number
    is its index in the gate's memory of one byte per task.
    """

    def __init__(self, known: Callable[[str], int | None], job_id: str | None = None) -> None:
        self._known = known
        self._job_id = job_id
        self._decode: Callable[[bytes | bytearray], Message] = parse
        self._lines = 0
        self._accepted = 0
        self._states = bytearray()
        self._refused = dict.fromkeys(Refusal, 0)
        self._samples: dict[Refusal, list[str]] = {reason: [] for reason in Refusal}

    def take(self, lines: Sequence[Line]) -> list[Accepted]:
        """Return the messages among `lines` that are let in."""
        decode, accept = self._decode, self.accept
        found = []
        for line in lines:
            try:
                entry = accept(line.read(decode) if isinstance(line, LongLine) else decode(line))
            except MessageError as error:
                self._refuse_line(line, error)
                continue
            if entry is not None:
                found.append(entry)
        self._lines += len(lines)
        if self._lines > _WORTH_IT and self._decode is parse:
            self._hurry()
        return found

    def accept(self, message: Message) -> Accepted | None:
        """Let in one message that has been parsed already, or refuse it."""
        number = self._known(message.task_id)
        if number is None:
            self._refuse(Refusal.UNKNOWN_TASK, message)
            return None
        reason = self._check(number, message)
        if reason is not None:
            self._refuse(reason, message)
            return None
        self._accepted += 1
        return _accepted(Accepted, (number, message))

    def reopen(self, number: int) -> None:
        """Forget that the task began or finished: its next attempt may speak."""
        if number < len(self._states):
            self._states[number] = _SILENT

    def refuse(self, reason: Refusal, detail: str) -> None:
        """Count something that was refused before it came here."""
        self._refused[reason] += 1
        samples = self._samples[reason]
        if len(samples) < _SAMPLES:
            samples.append(_shortened(detail))

    def statistics(self) -> IntakeStatistics:
        """Return what came in so far."""
        samples = {reason: tuple(texts) for reason, texts in self._samples.items() if texts}
        return IntakeStatistics(self._accepted, dict(self._refused), samples)

    def _check(self, number: int, message: Message) -> Refusal | None:
        """Say what speaks against a message; where nothing does, note what it says."""
        job_id = message.job_id
        if job_id is not None and self._job_id is not None and job_id != self._job_id:
            return Refusal.WRONG_JOB
        states, kind = self._states, type(message)
        if number >= len(states):
            states.extend(bytes(number + 1 - len(states)))
        if states[number] == _FINISHED:
            return Refusal.REPEATED if kind is Finished else Refusal.LATE
        if kind is Finished:
            states[number] = _FINISHED
        elif kind is Started:
            if states[number] == _STARTED:
                return Refusal.REPEATED
            states[number] = _STARTED
        return None

    def _refuse(self, reason: Refusal, message: Message) -> None:
        kind, job = type(message).__name__.lower(), message.job_id
        where = "" if job is None else f" of job {_shortened(job)!r}"
        self.refuse(reason, f"{kind} for {_shortened(message.task_id)!r}{where}")

    def _refuse_line(self, line: Line, error: MessageError) -> None:
        beginning = line.beginning if isinstance(line, LongLine) else bytes(line[:120])
        if beginning.strip():
            self.refuse(Refusal.MALFORMED, f"{error}: {beginning!r}")

    def _hurry(self) -> None:
        from nrunner.status.decoder import decode

        self._decode = decode


def _shortened(text: str) -> str:
    return text if len(text) <= 300 else text[:297] + "..."
