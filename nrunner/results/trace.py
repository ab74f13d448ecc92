"""A trace in Chrome's format, for Perfetto: who ran when, in which slot of which environment.

Needs all attempts before it can say who had which slot, so it keeps a few numbers and words of
each. Not responsible for the timeline of the page, which shows the same.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator
from typing import IO, Any

from nrunner.phase import Phase
from nrunner.results.base import JobReport, TaskReport
from nrunner.results.jsontext import JsonText
from nrunner.results.text import first_line, shortened, task_name

__all__ = ["TraceReport"]

_PREPARING = 0
"""The "process" in which preparations are shown: they overlap as they like."""
_COLOURS = {"PASS": "good", "WARN": "bad", "SKIP": "grey", "CANCEL": "grey"}


class TraceReport:
    """Writes a trace."""

    name = "trace"
    description = "a timeline for Perfetto, in Chrome's trace format"
    file_name = "results.trace.json"

    def write(self, job: JobReport, tasks: Iterable[TaskReport], stream: IO[str]) -> None:
        """Write the trace; of the tasks only what it shows is kept."""
        dump = JsonText(stream)
        other = {"job": job.id, "folder": str(job.folder), "command": " ".join(job.command)}
        stream.write(f'{{"displayTimeUnit":"ms","otherData":{dump.text(other)},"traceEvents":[')
        separator = "\n"
        for event in _events(job, tasks):
            stream.write(separator + dump.text(event))
            separator = ",\n"
        stream.write("\n]}\n")


def _events(job: JobReport, tasks: Iterable[TaskReport]) -> Iterator[dict[str, Any]]:
    bars: list[tuple[float, int, str, dict[str, Any]]] = []
    prepared: list[dict[str, Any]] = []
    for task in tasks:
        bars += _bars(task, job)
        prepared += _preparations(task)
    bars.sort(key=lambda bar: bar[:2])
    slots = _Slots()
    for start, _, environment, event in bars:
        pid, tid, news = slots.take(environment, start, start + event["dur"])
        yield from news
        yield {**event, "pid": pid, "tid": tid, "ts": start}
    if prepared:
        yield _named("process_name", _PREPARING, 0, "preparing")
        yield from prepared


def _bars(task: TaskReport, job: JobReport) -> Iterator[tuple[float, int, str, dict[str, Any]]]:
    name = shortened(task_name(task.id), 200)
    for attempt in task.attempts:
        if attempt.time_start is None:
            continue
        start = _microseconds(attempt.time_start - job.time_start)
        told = {
            "task": task.number,
            "attempt": attempt.number,
            "result": attempt.result.value,
            "cause": attempt.cause.value,
            "reason": first_line(attempt.detail),
        }
        event = {
            "name": name,
            "cat": task.kind,
            "ph": "X",
            "dur": _microseconds(attempt.elapsed),
            "cname": _COLOURS.get(attempt.result.value, "terrible"),
            "args": told,
        }
        yield start, task.number, attempt.environment or task.environment, event


def _preparations(task: TaskReport) -> Iterator[dict[str, Any]]:
    for (phase, start), (_, end) in zip(task.phases, task.phases[1:], strict=False):
        if phase is Phase.PREPARING:
            shared = {
                "name": shortened(task_name(task.id), 200),
                "cat": "preparing",
                "id": task.number,
                "pid": _PREPARING,
                "tid": 0,
            }
            yield {**shared, "ph": "b", "ts": _microseconds(start)}
            yield {**shared, "ph": "e", "ts": _microseconds(end)}


class _Slots:
    """Gives each bar the first slot of its environment that is free by then."""

    def __init__(self) -> None:
        self._pids: dict[str, int] = {}
        self._counts: dict[str, int] = {}
        self._free: dict[str, list[int]] = {}
        self._busy: dict[str, list[tuple[float, int]]] = {}

    def take(
        self, environment: str, start: float, end: float
    ) -> tuple[int, int, list[dict[str, Any]]]:
        """Return environment and slot as numbers, and events that name them if they are new."""
        news = []
        pid = self._pids.get(environment)
        if pid is None:
            pid = self._pids[environment] = len(self._pids) + 1
            self._free[environment], self._busy[environment] = [], []
            news.append(_named("process_name", pid, 0, shortened(environment) or "unknown"))
        free, busy = self._free[environment], self._busy[environment]
        while busy and busy[0][0] <= start:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if free:
            slot = heapq.heappop(free)
        else:
            slot = self._counts[environment] = self._counts.get(environment, 0) + 1
            news.append(_named("thread_name", pid, slot, f"slot {slot}"))
        heapq.heappush(busy, (end, slot))
        return pid, slot, news


def _named(what: str, pid: int, tid: int, name: str) -> dict[str, Any]:
    return {"name": what, "ph": "M", "pid": pid, "tid": tid, "ts": 0, "args": {"name": name}}


def _microseconds(seconds: float) -> float:
    return round(seconds * 1e6, 1) if math.isfinite(seconds) else 0.0
