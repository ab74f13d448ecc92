"""``results.tap``: TAP version 14, with YAML diagnostics for what is not a plain pass.

Names and reasons that TAP could not hold are escaped: a line stays a line. Not responsible for
reading TAP (``nrunner.runners.tap``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from nrunner.result import Result
from nrunner.results.base import JobReport, TaskReport
from nrunner.results.tail import output_end
from nrunner.results.text import first_line, fitting, shortened, task_name, visible

__all__ = ["TapReport"]

_OK = {Result.PASS, Result.WARN, Result.SKIP, Result.CANCEL}
_SKIPPED = {Result.SKIP, Result.CANCEL}
_LOGS = ("debug.log", "stdout", "stderr")
_MOST_OF_A_LOG = 1 << 20


class TapReport:
    """Writes ``results.tap``."""

    name = "tap"
    description = "Test Anything Protocol, version 14"
    file_name = "results.tap"

    def write(self, job: JobReport, tasks: Iterable[TaskReport], stream: IO[str]) -> None:
        """Write the report; `tasks` are read once and none is kept."""
        stream.write(f"TAP version 14\n1..{job.total}\n")
        include_logs = job.options.get("results.tap_include_logs", False)
        for task in tasks:
            if include_logs:
                stream.writelines(fitting(line, stream) for line in _logs(task, job.folder))
            stream.write(fitting(_point(task), stream))
        if job.interrupted:
            comment = f"# cut short: {_escaped(first_line(job.interrupted))}\n"
            stream.write(fitting(comment, stream))


def _point(task: TaskReport) -> str:
    verdict = "ok" if task.result in _OK else "not ok"
    line = f"{verdict} {task.number} - {_escaped(shortened(task_name(task.id)))}"
    if task.result in _SKIPPED:
        return f"{line} # SKIP {_escaped(first_line(_reason(task)))}".rstrip() + "\n"
    if task.result is Result.PASS and len(task.attempts) < 2:
        return f"{line}\n"
    return f"{line}\n{_diagnostics(task)}"


def _logs(task: TaskReport, folder: Path) -> Iterator[str]:
    """Yield what a task wrote, as comments: the last of it if that is much."""
    name = shortened(task_name(task.id))
    for output in _LOGS:
        path = task.outputs.get(output)
        text, is_whole = output_end(folder / path, _MOST_OF_A_LOG) if path else ("", True)
        if not text:
            continue
        yield f"# {output} of {name}:\n"
        if not is_whole:
            yield "#   ...\n"
        for line in text.removesuffix("\n").split("\n"):
            yield f"#   {visible(line.expandtabs().rstrip())}".rstrip() + "\n"


def _reason(task: TaskReport) -> str:
    if task.result is Result.CANCEL:
        return f"cancelled: {task.detail}" if task.detail else "cancelled"
    return task.detail


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("#", "\\#")


def _diagnostics(task: TaskReport) -> str:
    fields: dict[str, Any] = {
        "result": task.result.value,
        "cause": task.cause.value,
        "message": task.detail,
        "doing": task.attempts[-1].doing if task.attempts else "",
        "elapsed": round(task.elapsed, 6),
        "attempts": len(task.attempts),
        "environment": task.environment,
        "returncode": task.returncode,
        "class_name": task.class_name,
        "fail_class": task.fail_class,
        "log_dir": task.log_dir,
        "traceback": task.traceback,
    }
    lines = (
        f"  {key}: {_yaml(value)}\n" for key, value in fields.items() if value not in ("", None)
    )
    return f"  ---\n{''.join(lines)}  ...\n"


def _yaml(value: str | float) -> str:
    if not isinstance(value, str):
        return str(value)
    return f'"{_UNSAFE.sub(_yaml_escape, value)}"'


_UNSAFE = re.compile(r"[^ !#-\[\]-~]")
_SHORT = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


def _yaml_escape(match: re.Match[str]) -> str:
    character = match[0]
    if character in _SHORT:
        return _SHORT[character]
    if character.isprintable():
        return character
    code = ord(character)
    if 0xD800 <= code <= 0xDFFF:
        # No escape of YAML stands for half a character: shown as text.
        return f"\\\\u{code:04x}"
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
