"""A results folder on a file system that really gets full: a small tmpfs of its own.

The job ends and says why; its journal is whole; once there is room it is gone on with.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nrunner.journal import read_records
from tests.functional.sandbox import Sandbox

# In one mount namespace: what is mounted there is nobody else's business, and gone with it.
_SCRIPT = """
mount -t tmpfs -o size={size}k none "$NRUNNER_RUN_RESULTS_DIR" || exit 77
{python} -m nrunner run {arguments} > ../out 2> ../err; echo $? > ../code
cp "$NRUNNER_RUN_RESULTS_DIR/latest/journal.jsonl" ../journal-full
rm -f "$NRUNNER_RUN_RESULTS_DIR/filler"
{python} -m nrunner jobs resume > ../out2 2> ../err2; echo $? > ../code2
cp -r "$(readlink -f "$NRUNNER_RUN_RESULTS_DIR/latest")" ../kept
"""


class Full:
    """What was left of both runs."""

    def __init__(self, folder: Path) -> None:
        self.out, self.err = ((folder / name).read_text() for name in ("out", "err"))
        self.out2, self.err2 = ((folder / name).read_text() for name in ("out2", "err2"))
        self.code, self.code2 = (int((folder / name).read_text()) for name in ("code", "code2"))
        self.journal = folder / "journal-full"
        self.whole = folder / "kept" / "journal.jsonl"


def run_full(box: Sandbox, arguments: str, size: int) -> Full:
    """Run on a file system of so many KiB, then go on with more room in it."""
    box.base.mkdir()
    script = _SCRIPT.format(size=size, python=sys.executable, arguments=arguments)
    words = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "-rm"]
    done = subprocess.run(
        [*words, "sh", "-c", script], cwd=box.here, env=box.env, timeout=50, check=False
    )
    assert done.returncode == 0
    return Full(box.here.parent)


def settled(path: Path) -> list[int]:
    return [each["task"] for each in read_records(path) if each["type"] == "settled"]


@pytest.fixture
def filling(sandbox: Sandbox) -> Sandbox:
    """The fifth test fills the disk; each leaves a mark that it ran."""
    sandbox.write("t.sh", '#!/bin/sh\necho "$NRUNNER_ATTEMPT" >> ../marks\nsleep 0.05\n')
    fill = 'head -c 100M /dev/zero > "$NRUNNER_RUN_RESULTS_DIR/filler" 2>/dev/null\n'
    sandbox.write("fill.sh", f'#!/bin/sh\necho "$NRUNNER_ATTEMPT" >> ../marks\n{fill}exit 0\n')
    sandbox.env["NRUNNER_AGENT_ORPHAN_DEADLINE"] = "30"
    return sandbox


def test_a_full_disk_ends_the_job_in_words_and_tears_nothing(filling: Sandbox) -> None:
    tests = " ".join(["t.sh"] * 4 + ["fill.sh"] + ["t.sh"] * 60)
    found = run_full(filling, f"{tests} --max-parallel-tasks 2", 1000)
    assert found.code & 2
    assert "No space left on device" in found.err
    assert "nrunner jobs resume" in found.out
    assert "Traceback" not in found.out + found.err
    lines = found.journal.read_bytes().splitlines()
    assert len([*read_records(found.journal)]) == len(lines)
    told = sum(line.startswith(" (") for line in found.out.splitlines())
    assert told == len(settled(found.journal)) >= 3
    assert "tasks have no verdict" in found.out


def test_once_there_is_room_the_job_is_gone_on_with(filling: Sandbox) -> None:
    tests = " ".join(["t.sh"] * 4 + ["fill.sh"] + ["t.sh"] * 60)
    found = run_full(filling, f"{tests} --max-parallel-tasks 2", 1000)
    before = settled(found.journal)
    assert found.code2 == 0, found.out2 + found.err2
    after = settled(found.whole)
    assert sorted(after) == [*range(1, 66)]
    assert after[: len(before)] == before
    marks = (filling.here.parent / "marks").read_text().split()
    assert len(set(marks)) == len(marks)
    assert not filling.running()
