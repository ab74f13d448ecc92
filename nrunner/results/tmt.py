"""Results as tmt, the Test Management Tool, reads them: a list in YAML.

Not responsible for what tmt makes of it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import IO, Any

from nrunner.result import Result
from nrunner.results.base import JobReport, TaskReport
from nrunner.results.text import first_line, task_name, utf8

__all__ = ["TmtReport"]

_RESULTS = {
    Result.PASS: "pass",
    Result.WARN: "warn",
    Result.FAIL: "fail",
    Result.ERROR: "error",
    Result.INTERRUPT: "error",
    Result.SKIP: "skip",
    Result.CANCEL: "skip",
}


class TmtReport:
    """Writes ``results.yaml``."""

    name = "tmt"
    description = "YAML for tmt, the Test Management Tool"
    file_name = "results.yaml"

    def write(self, job: JobReport, tasks: Iterable[TaskReport], stream: IO[str]) -> None:
        """Write the report; `tasks` are read once and none is kept."""
        if not job.total:
            stream.write("[]\n")
        for task in tasks:
            mark = "- "
            for name, value in _fields(task, job):
                stream.write(f"{mark}{name}: {_yaml(value)}\n")
                mark = "  "


def _fields(task: TaskReport, job: JobReport) -> Iterator[tuple[str, Any]]:
    yield "name", "/" + task_name(task.id).lstrip("/")
    yield "result", _RESULTS[task.result]
    yield "start-time", _time(task.time_start)
    yield "end-time", _time(task.time_end)
    yield "duration", _duration(task.elapsed)
    if task.detail:
        yield "note", [first_line(task.detail)]
    yield "log", list(task.outputs.values())
    yield "data-path", str(job.folder)


def _yaml(value: Any) -> str:
    """Return a value as JSON, which YAML holds; with ASCII alone no reader can stumble.

    But YAML has no pairs of escapes for one character: it has an escape for any.
    """
    texts = [utf8(each) for each in value] if isinstance(value, list) else utf8(value)
    return _PAIR.sub(_whole, json.dumps(texts))


_PAIR = re.compile(r"\\\\|\\u(d[89ab]..)\\u(d[c-f]..)")
"""Two escapes for one character; an escaped backslash is seen first, as it begins none."""


def _whole(match: re.Match[str]) -> str:
    if match[1] is None:
        return match[0]
    high, low = int(match[1], 16), int(match[2], 16)
    return f"\\U{0x10000 + (high - 0xD800 << 10) + low - 0xDC00:08x}"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _duration(seconds: float) -> str:
    whole = math.ceil(seconds) if math.isfinite(seconds) else 0
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
