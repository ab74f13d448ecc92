"""What has to hold of a job that is over, whatever died meanwhile: the invariants.

Reads the journal, the reports, the marks that payloads left, and what is there on the machine. Not
responsible for making anything die.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nrunner.journal import read_records
from nrunner.layout import runtime_parents
from nrunner.phase import MOVES, Phase
from nrunner.runners import procfs
from nrunner.runners.killing import MARK

OK = ("PASS", "SKIP", "WARN", "CANCEL")


class Finding(AssertionError):
    """An invariant that does not hold."""


def check(holds: object, what: str) -> None:
    """Raise Finding unless it holds."""
    if not holds:
        raise Finding(what)


def marks(path: Path) -> Counter[tuple[int, int]]:
    """Return how often the payload of each (task, attempt) has begun, by what they wrote.

    A payload writes a line with its NRUNNER_ATTEMPT: ``JOB:TASK:ATTEMPT``.
    """
    if not path.exists():
        return Counter()
    lines = path.read_text("ascii").split()
    return Counter((int(task), int(attempt)) for _, task, attempt in (x.split(":") for x in lines))


class Aftermath:
    """A job that is over."""

    def __init__(self, job: Path, code: int, marks: Counter[tuple[int, int]]) -> None:
        self.job = job
        self.code = code
        self.marks = marks
        self.records = [*read_records(job / "journal.jsonl")]
        lines = (job / "journal.jsonl").read_bytes().splitlines()
        check(len(lines) == len(self.records), "the journal is torn")
        self.settled = {each["task"]: each["report"] for each in self.of("settled")}

    def of(self, kind: str) -> Iterator[dict[str, Any]]:
        """Yield the records of a type."""
        return (each for each in self.records if each["type"] == kind)

    def check(self) -> None:
        """Raise Finding for the first invariant that does not hold."""
        self.check_verdicts()
        self.check_moves()
        self.check_runs()
        self.check_reports()
        self.check_code()

    def check_verdicts(self) -> None:
        """Every planned task has exactly one verdict."""
        planned = [each["task"] for each in self.of("planned")]
        (head,) = self.of("job")
        check(planned == [*range(1, head["total"] + 1)], "the plan is not whole")
        settled = Counter(each["task"] for each in self.of("settled"))
        check(settled == Counter(planned), f"verdicts: {settled}")

    def check_moves(self) -> None:
        """Moves are legal, but that what was on its way is begun again by another controller."""
        phases: dict[int, Phase] = {}
        over: set[int] = set()
        again: set[int] = set()
        for each in self.records:
            if each["type"] == "resumed":
                again = set(phases) - over
            elif each["type"] == "settled":
                over.add(each["task"])
            elif each["type"] == "move":
                task, phase = each["task"], Phase(each["phase"])
                check(task not in over, f"task {task} moves after its verdict")
                legal = phase in MOVES[phases.get(task, Phase.REQUESTED)]
                repeated = task in again and (phase is phases[task] or phase is Phase.TRIAGING)
                before = phases.get(task)
                settled_late = task in again and before is not None and before.is_end
                check(legal or repeated or settled_late, f"{task}: {before} -> {phase}")
                again.discard(task)
                phases[task] = phase

    def check_runs(self) -> None:
        """No attempt has run twice, and none has run that is not told of."""
        twice = {key: count for key, count in self.marks.items() if count > 1}
        check(not twice, f"run twice: {twice}")
        for task, attempt in self.marks:
            told = [each["number"] for each in self.settled[task]["attempts"]]
            check(attempt in told, f"attempt {attempt} of task {task} ran, and {told} are told")

    def check_reports(self) -> None:
        """The reports say what the journal says."""
        data = json.loads((self.job / "results.json").read_text("utf-8"))
        told = {each["number"]: (each["status"], each["cause"]) for each in data["tests"]}
        known = {number: (each["result"], each["cause"]) for number, each in self.settled.items()}
        check(told == known, f"results.json says {told}, the journal {known}")
        check([*self.of("closed")][-1]["exit_code"] == data["exit_code"], "exit codes differ")

    def check_code(self) -> None:
        """The exit code is that of the verdicts."""
        red = any(each["result"] in ("FAIL", "ERROR") for each in self.settled.values())
        check(self.code == int(red), f"exit code {self.code}")


def left_running(job_id: str) -> list[str]:
    """Return what still runs of a job: its payloads, and its agents."""
    found = []
    for pid, process in procfs.snapshot().items():
        mark = procfs.mark_of(pid, MARK) or ""
        command = procfs.command_of(pid)
        ours = mark.startswith(f"{job_id}:") or job_id[:12] in _line(pid)
        if ours and process.is_alive:
            found.append(f"{pid} {command} {mark}")
    return found


def _line(pid: int) -> str:
    """Return the whole command line of a process: an agent's names its folder."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""


def wait_for_nothing(job_id: str, within: float = 20.0) -> None:
    """Wait until nothing of a job runs, and its folder for sockets is gone."""
    deadline = time.monotonic() + within
    while (left := left_running(job_id)) or (left := sockets_of(job_id)):
        check(time.monotonic() < deadline, f"left behind: {left}")
        time.sleep(0.02)


def sockets_of(job_id: str) -> list[str]:
    """Return what is left of a job's folder for sockets."""
    folders = (parent / job_id[:12] for parent in runtime_parents())
    return [str(each) for each in folders if os.path.lexists(each)]
