"""One small job of every kind, ended at a chosen record of its journal, gone on with, and checked.

Not responsible for choosing the record (``test_crash_points``, ``soak``).
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from nrunner.journal import read_records
from tests.faults.checker import Aftermath, check, marks, wait_for_nothing
from tests.functional.sandbox import Sandbox

MORTAL = Path(__file__).with_name("mortal.py")
ROOT = Path(__file__).parents[2]

_MARK = 'echo "$NRUNNER_ATTEMPT" >> "$FAULT_MARKS"'
_FILES = {
    "quick.sh": f"#!/bin/sh\n{_MARK}\necho hello\n",
    "bad.sh": f"#!/bin/sh\n{_MARK}\nexit 1\n",
    "slow.sh": f"#!/bin/sh\n{_MARK}\nexec sleep 0.25\n",
    "two.t": f"#!/bin/sh\n{_MARK}\necho 1..2\necho ok 1\necho ok 2\n",
    "test_unit.py": """
import os, unittest
class T(unittest.TestCase):
    def test_good(self):
        with open(os.environ["FAULT_MARKS"], "a") as file:
            file.write(os.environ["NRUNNER_ATTEMPT"] + "\\n")
""",
}
_LOUD = f"#!/bin/sh\n{_MARK}\nseq 9000\n"
"""More than an event carries."""
_ENTRY = "[nrunner.spawners]\ndistant = nrunner.testing.distant_spawner:make_spawner\n"
REFERENCES = ("quick.sh", "slow.sh", "two.t", "test_unit.py", "bad.sh")
EXPECTED = {1: "PASS", 2: "PASS", 3: "PASS", 4: "PASS", 5: "FAIL"}


@dataclass(frozen=True)
class Case:
    """Who dies, and after which record."""

    victim: str
    point: int


class Sweep:
    """A folder for the runs of a sweep."""

    def __init__(self, folder: Path, *, is_distant: bool = False) -> None:
        """`is_distant` has tests run where none of our files are seen."""
        self.folder = folder
        self.is_distant = is_distant
        self._words = ["--spawner", "distant"] if is_distant else []
        self._files = {**_FILES, "quick.sh": _LOUD} if is_distant else _FILES
        info = folder / "distant-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: distant\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(_ENTRY)

    def count(self) -> int:
        """Return how many records the job has if nothing dies."""
        box, _ = self._run(Case("controller", 0))
        return len([*read_records(box.job / "journal.jsonl")])

    def play(self, case: Case) -> str:
        """Have one end; return what was found to hold, or raise Finding."""
        box, code = self._run(case)
        if case.victim == "agent" or code >= 0:
            return self._judge(box, code, case)
        job = box.job if (box.base / "latest").exists() else None
        if job is None or not self._is_planned(job):
            return self._never_ran(box, job)
        resumed = box.run("jobs", "resume", "latest")
        check("Traceback" not in resumed.err, resumed.err)
        return self._judge(box, resumed.code, case)

    def _run(self, case: Case) -> tuple[Sandbox, int]:
        folder = self.folder / f"{case.victim}-{case.point}"
        folder.mkdir()
        box = Sandbox(folder)
        for name, text in self._files.items():
            box.write(name, text)
        box.env.update(
            FAULT_MARKS=str(folder / "marks"),
            NRUNNER_AGENT_ORPHAN_DEADLINE="20",
            PYTHONPATH=f"{ROOT}:{self.folder}",
        )
        words = [sys.executable, str(MORTAL), case.victim, str(case.point), "run", *REFERENCES]
        words += ["--max-parallel-tasks", "2", *self._words]
        quiet = subprocess.DEVNULL
        done = subprocess.run(
            words, cwd=box.here, env=box.env, stdin=quiet, stdout=quiet, stderr=quiet, check=False
        )
        return box, done.returncode

    def _is_planned(self, job: Path) -> bool:
        path = job / "journal.jsonl"
        kinds = [each["type"] for each in read_records(path)] if path.exists() else []
        return kinds.count("planned") == len(EXPECTED)

    def _never_ran(self, box: Sandbox, job: Path | None) -> str:
        check(not marks(box.here.parent / "marks"), "something ran before the plan was whole")
        if job is not None:
            resumed = box.run("jobs", "resume", "latest")
            check(resumed.code == 2, f"exit code {resumed.code}")
            check("begin it again" in resumed.err, resumed.err)
        return "not begun"

    def _judge(self, box: Sandbox, code: int, case: Case) -> str:
        after = Aftermath(box.job, code, marks(box.here.parent / "marks"))
        after.check()
        wait_for_nothing((box.job / "id").read_text().strip())
        lost = 0
        for number, expected in EXPECTED.items():
            report = after.settled[number]
            is_lost = (report["result"], report["cause"]) == ("ERROR", "lost")
            lost += is_lost
            fits = report["result"] == expected or (is_lost and case.victim == "both")
            check(fits, f"task {number}: {json.dumps(report)}")
            if case.victim == "controller":
                check(len(report["attempts"]) == 1, f"task {number}: {report['attempts']}")
        if self.is_distant:
            name = after.settled[1]["outputs"]["stdout"]
            text = "".join(f"{number}\n" for number in range(1, 9001))
            check((box.job / name).read_text() == text, "output is not what was printed")
        return f"{lost} lost" if lost else "whole"
