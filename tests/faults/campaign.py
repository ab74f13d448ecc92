"""Jobs under a nemesis, from start to end: struck, gone on with, and checked.

Not responsible for the faults (``nemesis``), nor for the invariants (``checker``).
"""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from nrunner.errors import JournalError
from nrunner.layout import JobFolder
from nrunner.pastjob import PastJob
from tests.faults.checker import Aftermath, check, marks, wait_for_nothing
from tests.faults.load import Load
from tests.faults.nemesis import Nemesis, Target
from tests.functional.sandbox import Sandbox

__all__ = ["Campaign", "Sizes"]

ROOT = Path(__file__).parents[2]
JUMPY = Path(__file__).with_name("jumpy.py")
_RESUMED_AT_MOST = 400
_PATIENCE = 120.0
_FELT_BY_TESTS = frozenset({"files", "pids"})
"""Faults that agents hand on to their tests, whose own words then say anything."""
_TROUBLE = (("ERROR", "lost"), ("ERROR", "infra"))


@dataclass
class Sizes:
    """Samples of a sort of process: memory in KiB, and open files."""

    memory: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)

    def look_at(self, pid: int) -> None:
        """Take a sample of a process, if it is there."""
        with contextlib.suppress(OSError, StopIteration, ValueError):
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            rss = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
            files = len([*Path(f"/proc/{pid}/fd").iterdir()])
            self.memory.append(rss)
            self.files.append(files)

    def check(self, what: str) -> None:
        """Raise Finding unless later samples are like earlier ones."""
        third = len(self.memory) // 3
        if third < 5:
            return
        for name, samples, slack in (("KiB", self.memory, 4096), ("files", self.files, 4)):
            first, last = sorted(samples[:third])[third // 2], sorted(samples[-third:])[third // 2]
            check(last <= 1.25 * first + slack, f"{what} grew from {first} to {last} {name}")


class Campaign:
    """One job after another, in a folder, under one nemesis."""

    def __init__(
        self, folder: Path, seed: int, only: frozenset[str] = frozenset(), pause: float = 0.5
    ) -> None:
        """`pause` is the longest time between two faults, in seconds."""
        self.folder = folder
        self.chance = random.Random(seed)
        (folder / "disk").mkdir(parents=True, exist_ok=True)
        self.nemesis = Nemesis(self.chance, folder / "disk", only)
        self.controllers = Sizes()
        self.agents = Sizes()
        self.results: Counter[str] = Counter()
        self._pause = pause
        self._jobs = 0

    def run(self, size: int, references: list[str] | None = None) -> None:
        """Run one job of so many tests to its end, whatever happens; raise Finding."""
        self._jobs += 1
        folder = self.folder / f"job-{self._jobs}"
        folder.mkdir()
        box = Sandbox(folder, folder / "here")
        box.base = self.folder / "disk" / f"job-{self._jobs}"
        load = Load(self.chance, size)
        (folder / "clock").write_text("+0\n")
        load.install(box, folder / "marks")
        box.env.update(
            NRUNNER_RUN_RESULTS_DIR=str(box.base),
            NRUNNER_AGENT_ORPHAN_DEADLINE="5",
            PYTHONPATH=str(ROOT),
        )
        before = len(self.nemesis.struck)
        self.nemesis.spare = _FELT_BY_TESTS if self._jobs % 2 else frozenset()
        words = ["run", "@references"] if references is None else ["run", *references]
        code = self._to_the_end(box, [*words, "--max-parallel-tasks", "3"], folder)
        struck = {*self.nemesis.struck[before:]}
        exact = references is None and not struck & _FELT_BY_TESTS
        self._judge(box, code, load.expected if exact else {}, folder)

    def _to_the_end(self, box: Sandbox, words: list[str], folder: Path) -> int:
        for _ in range(_RESUMED_AT_MOST):
            code = self._until_it_dies(box, words, folder)
            there = (box.base / "latest").exists()
            if there and (box.job / "results.json").exists() and code >= 0 and not code & 2:
                return code
            if there and _is_planned(box.job):
                words = ["jobs", "resume"]
            time.sleep(self.chance.choice((0.0, 0.0, 0.1, 0.5)))
        raise AssertionError(f"not at its end after {_RESUMED_AT_MOST} controllers")

    def _until_it_dies(self, box: Sandbox, words: list[str], folder: Path) -> int:
        with (folder / "said").open("ab") as said:
            process = subprocess.Popen(
                [sys.executable, str(JUMPY), str(folder / "clock"), *words],
                cwd=box.here,
                env=box.env,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )
        journal = box.base / "latest" / "journal.jsonl"
        target = Target(process.pid, journal, box.base.parent, folder / "clock")
        began = time.monotonic()
        while process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(self.chance.uniform(0.0, self._pause))
                break
            self.controllers.look_at(process.pid)
            self.agents.look_at(target.agent)
            name = self.nemesis.strike(target)
            with (folder / "struck").open("a") as file:
                file.write(f"{time.monotonic():.3f} {name}\n")
            if time.monotonic() - began > _PATIENCE:
                process.kill()
                raise AssertionError(f"a controller hangs: {folder}")
        return process.wait()

    def _judge(self, box: Sandbox, code: int, expected: dict[int, str], folder: Path) -> None:
        said = (folder / "said").read_text(errors="replace")
        check("Traceback" not in said and "bug in nrunner" not in said, said[-3000:])
        after = Aftermath(box.job, code, marks(folder / "marks"))
        after.check()
        wait_for_nothing((box.job / "id").read_text().strip())
        for number, report in after.settled.items():
            told = (report["result"], report["cause"])
            self.results[f"{told[0]} {told[1]}"] += 1
            fits = not expected or told in _TROUBLE or report["result"] == expected[number]
            check(fits, f"{folder}: {number} ({report['reference']}): {told} {report['detail']}")


def _is_planned(job: Path) -> bool:
    try:
        past = PastJob(JobFolder(job))
    except JournalError:
        return False
    past.journal.close()
    return past.history.is_planned
