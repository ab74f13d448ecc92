"""A running job as others see it: the view behind the control API, and messages from outside.

Events of the API are the journal's records, so all of them can be had again and none is kept in
memory. Not responsible for HTTP or sockets (``nrunner.status``).
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from nrunner.errors import JournalError
from nrunner.event import Cancelled
from nrunner.interrupt import stop_by_user, told_of_stop
from nrunner.journal import Journal, decoded
from nrunner.layout import JobFolder, task_folder_name
from nrunner.machine import Machine
from nrunner.messages import Heartbeat, Log, Message, Output, Whiteboard
from nrunner.phase import Phase
from nrunner.reporter import Reporter
from nrunner.result import Cause, Result, Verdict
from nrunner.results.base import JobReport, TaskReport
from nrunner.runnable import tags_to_json
from nrunner.runners.folder import make_folder
from nrunner.scheduler import Scheduler
from nrunner.status.intake import Accepted
from nrunner.status.view import ApiEvent, TaskView
from nrunner.task import Task

__all__ = ["Watch", "event_of"]

_KINDS = {"settled": "task_settled", "closed": "job_closed", "notice": "notice"}
_NAMES = {kind: kind.__name__.lower() for kind in get_args(Message)}
_TERMINAL = ("task_settled", "job_closed")
_SPEAKING = (Phase.STARTING, Phase.STARTED)
"""In these phases there may be a payload."""


class Watch:
    """Implements ``nrunner.status.view.JobView`` for a job that runs here."""

    def __init__(
        self,
        tasks: Sequence[Task],
        machine: Machine,
        scheduler: Scheduler,
        journal: Journal,
        reporter: Reporter,
        folder: JobFolder,
    ) -> None:
        self._tasks = tasks
        self._machine = machine
        self._scheduler = scheduler
        self._journal = journal
        self._reporter = reporter
        self._folder = folder
        self._numbers: dict[str, int] | None = None
        self._heard: dict[int, int] = {}
        """The attempt that spoke last, by the number of its task."""
        self.reopen: Callable[[int], None] = lambda number: None
        """Is told which task has begun another attempt, when that speaks."""
        self.unkept = 0
        """Messages whose content could not be written to the task's folder, or not all of it."""

    def job(self) -> JobReport:
        """Return the job as it is now."""
        return self._reporter.now(time.monotonic())

    def is_over(self) -> bool:
        """Whether nothing will happen to the job any more."""
        return False

    def task(self, number: int) -> TaskView | None:
        """Return a task, or None if there is none with that number."""
        if not 1 <= number <= len(self._tasks):
            return None
        return self._view(self._tasks[number - 1])

    def tasks(self, start: int, limit: int) -> Sequence[TaskView]:
        """Return at most `limit` tasks in order, the first numbered `start` or above."""
        first = max(0, start - 1)
        return [self._view(task) for task in self._tasks[first : first + limit]]

    def log_path(self, number: int, stream: str) -> Path | None:
        """Return where a task's ``stdout`` or ``stderr`` is, or None if it has none (yet)."""
        report = self._journal.report_of(number)
        if report is not None:
            name = report.outputs.get(stream)
            return self._folder.root / name if name else None
        return self._scheduler.live_output(number, stream)

    def cancel_task(self, number: int) -> bool:
        """Ask for a task to be cancelled; False if it has its verdict already."""
        if self._machine.verdict(number) is not None:
            return False
        state = self._machine.state(number)
        running = state is not None and state.phase in _SPEAKING
        result = Result.INTERRUPT if running else Result.CANCEL
        verdict = Verdict(result, Cause.CANCELLED, "cancelled by the user")
        self._scheduler.feed(Cancelled(time.monotonic(), number, verdict))
        return True

    def cancel_job(self, *, kill: bool = False) -> None:
        """Ask for the whole job to be cancelled, as Ctrl-C once does, or twice if `kill`."""
        text = f"cancelled by the control API: {told_of_stop(kill=kill)}"
        with contextlib.suppress(JournalError):
            self._journal.append([{"type": "notice", "text": text}])
        self._reporter.notice(text)
        self._reporter.flush()
        self._scheduler.stop(stop_by_user(time.monotonic(), kill=kill))

    def newest(self) -> int:
        """Return the id of the newest event; 0 if there is none."""
        return self._journal.records

    def events_after(self, event_id: int, limit: int) -> Sequence[ApiEvent] | None:
        """Return at most `limit` events that followed; None if there never was such an id."""
        count = self._journal.records
        if not 0 <= event_id <= count:
            return None
        last = min(count, event_id + limit)
        lines = self._journal.lines(event_id, last)
        return [event_of(event_id + index, line) for index, line in enumerate(lines, 1)]

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` whenever there are new events, until the function returned is called."""
        return self._journal.subscribe(wake)

    # Messages from outside.

    def known(self, task_id: str) -> int | None:
        """Return the number of the task that has this id and runs now."""
        if self._numbers is None:
            self._numbers = {task.id: task.number for task in self._tasks}
        number = self._numbers.get(task_id)
        state = None if number is None else self._machine.state(number)
        if number is None or state is None or state.phase not in _SPEAKING:
            return None
        if self._heard.get(number) != state.attempt:
            self._heard[number] = state.attempt
            self.reopen(number)
        return number

    def take_messages(self, batch: Sequence[Accepted]) -> None:
        """Keep what runners outside say about tasks: in the journal and in the task's files.

        No message from outside ends a task: its agent does, who saw the process end.
        """
        records: list[Mapping[str, Any]] = []
        contents: dict[tuple[int, str], list[bytes]] = {}
        for number, message in batch:
            kind = _NAMES[type(message)]
            records.append({"type": "message", "task": number, "kind": kind, "time": message.time})
            content = _content(message)
            if content is not None:
                name, data = content
                contents.setdefault((number, name), []).append(data)
        # One file at a time: to open one takes longer than all else that is done for a message.
        for (number, name), parts in contents.items():
            try:
                self._append(number, name, b"".join(parts))
            except OSError:
                self.unkept += len(parts)
        try:
            self._journal.append(records)
        except JournalError as error:
            self._scheduler.fail(error)

    def _append(self, number: int, name: str, data: bytes) -> None:
        folder = self._folder.test_results
        folder /= task_folder_name(number, self._tasks[number - 1].id)
        make_folder(str(folder))
        # A test may have put a link or a pipe there: neither is followed nor waited for.
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK
        with os.fdopen(os.open(folder / name, flags, 0o600), "ab") as file:
            file.write(data)

    def _view(self, task: Task) -> TaskView:
        number = task.number
        state = self._machine.state(number)
        report: TaskReport | None = None
        phase, attempt, running, place = Phase.REQUESTED, 0, None, ""
        if state is not None:
            phase, attempt, place = state.phase, state.attempt, state.place
            if phase is Phase.STARTED and state.started is not None:
                running = time.monotonic() - state.started
        else:
            report = self._journal.report_of(number)
            if report is not None:
                phase, attempt = report.phases[-1][0], len(report.attempts)
                place = report.environment
        runnable = task.runnable
        return TaskView(
            number,
            task.id,
            runnable.kind,
            runnable.uri,
            task.reference,
            task.suite,
            phase,
            attempt,
            place,
            running,
            report,
            runnable.variant_id,
            tags_to_json(runnable.tags),
            tuple([each.title for each in runnable.requirements]),
        )


def _content(message: Message) -> tuple[str, bytes] | None:
    """Return the name of a task's file, and what a message adds to it."""
    if isinstance(message, Heartbeat):
        return None
    if isinstance(message, Log):
        return "debug.log", message.data + b"\n"
    if isinstance(message, Output) and not message.log_only:
        return message.stream, message.data
    if isinstance(message, Whiteboard):
        return "whiteboard", message.data
    return None


def event_of(number: int, line: bytes) -> ApiEvent:
    """Return the event that a record of the journal is to readers of the API."""
    try:
        record = decoded(line)
        kind = str(record.pop("type", ""))
    except (ValueError, AttributeError, TypeError) as error:
        raise JournalError("read the journal: somebody else has written to it") from error
    record.pop("check", None)
    if kind == "move":
        kind = "task_started" if record.get("phase") == Phase.STARTED.value else "task_moved"
    kind = _KINDS.get(kind, kind)
    return ApiEvent(number, kind, record, kind in _TERMINAL)
