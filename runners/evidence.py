"""What an attempt is doing, in words: for people who wait for it, and before it is killed.

Not responsible for finding its processes (``nrunner.runners.killing``), nor for asking them
(``nrunner.runners.inquiry``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from nrunner.runners import procfs
from nrunner.runners.procfs import Process

__all__ = ["doing", "foremost", "report"]

_MOST_PROCESSES = 50
_DEEPEST = 10
_LAST_LINES = 20
_LONGEST_COMMAND = 60
_STATES = {"R": "runs", "D": "waits", "S": "waits", "T": "is stopped", "t": "is traced"}
_FRAME = '  File "'


def foremost(processes: Sequence[Process]) -> Process | None:
    """Return the process that matters: it has started none, is busy rather than not, is young."""
    parents = {each.parent for each in processes}
    leaves = [each for each in processes if each.pid not in parents]
    return max(leaves, key=lambda each: (each.state in "RD", each.start, each.pid), default=None)


def doing(processes: Sequence[Process], python: int, stack: str, base_dir: str) -> str:
    """Say in a few words what an attempt is doing: where its Python is, what its process does.

    `python` is the process, if there is one, that is no more than our way to start Python.
    """
    place = _place(stack, base_dir)
    process = foremost(processes)
    if process is None or (place and process.pid == python):
        return place
    name = "its Python" if process.pid == python else _command(process)
    where = procfs.wait_channel_of(process.pid) if process.state in "SD" else ""
    does = _STATES.get(process.state, "ends")
    activity = f"{name} ({process.pid}) {does}{f' in {where}' if where else ''}"
    return f"{place}, {activity}" if place else activity


def _command(process: Process) -> str:
    command = procfs.command_of(process.pid)
    if len(command) > _LONGEST_COMMAND:
        return command[:_LONGEST_COMMAND] + "..."
    return command


def _place(stack: str, base_dir: str) -> str:
    """Return the latest call in a file of the user's, else the latest of all."""
    frames = [line for line in stack.splitlines() if line.startswith(_FRAME)]
    if not frames:
        return ""
    ours = (each for each in frames if each.startswith(f"{_FRAME}{base_dir}/"))
    head, _, name = next(ours, frames[0]).rpartition(" in ")
    path, _, line = head[len(_FRAME) :].rstrip(",").rpartition('", line ')
    if path.startswith(base_dir + "/"):
        path = path[len(base_dir) + 1 :]
    return f"{path}:{line} in {name}"


def report(
    occasion: str, processes: Sequence[Process], stack: str, output: Mapping[str, bytes]
) -> str:
    """Return all that is known of what an attempt is doing, for people."""
    parts = [f"{occasion}\n", _table(processes)]
    if stack:
        parts.append(f"Python, the latest call first:\n{_printable(stack)}")
    for name, data in output.items():
        if data:
            parts.append(f"the end of {name}:\n{_indented(data)}")
    return "\n".join(parts) + "\n"


def _table(processes: Sequence[Process]) -> str:
    rows = [("PID", "PARENT", "STATE", "AGE", "CPU", "WAITS IN", "COMMAND")]
    now = procfs.uptime()
    for depth, each in islice(_in_tree(processes), _MOST_PROCESSES):
        command, where = procfs.command_of(each.pid), procfs.wait_channel_of(each.pid)
        age, cpu = f"{each.age(now):.1f}", f"{each.cpu_seconds:.2f}"
        row = (str(each.pid), str(each.parent), each.state, age, cpu, where)
        rows.append((*row, "  " * min(depth, _DEEPEST) + command))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    lines = ["  ".join((*map(str.ljust, row, widths), row[-1])) for row in rows]
    if len(processes) > _MOST_PROCESSES:
        lines.append(f"and {len(processes) - _MOST_PROCESSES} more processes")
    return "\n".join(lines) + "\n"


def _in_tree(processes: Sequence[Process]) -> Iterator[tuple[int, Process]]:
    """Go through processes, parents before their children, with their depth."""
    known = {each.pid for each in processes}
    below: dict[int, list[Process]] = {}
    for each in sorted(processes, key=lambda each: (each.start, each.pid), reverse=True):
        below.setdefault(each.parent if each.parent in known else 0, []).append(each)
    todo = [(0, each) for each in below.get(0, ())]
    while todo:
        depth, each = todo.pop()
        yield depth, each
        todo.extend((depth + 1, child) for child in below.get(each.pid, ()))


def _indented(data: bytes) -> str:
    lines = data.decode("utf-8", "replace").splitlines()[-_LAST_LINES:]
    return "".join(f"  {_printable(line)}\n" for line in lines)


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() or each in "\n\t" else "?" for each in text)
