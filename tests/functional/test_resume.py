"""`nrunner jobs resume`: a job goes on where its controller was killed."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from nrunner.history import History
from nrunner.journal import Journal, read_records
from nrunner.layout import runtime_parents
from nrunner.runners import procfs
from nrunner.runners.spool import read_remains
from tests.functional.sandbox import Run, Sandbox, wait_until

MARKED = '#!/bin/sh\necho "$NRUNNER_ATTEMPT" >> ../marks\n'
HELD = 'while [ "$(wc -l < ../marks)" -ge "$(cat ../most)" ]; do sleep 0.02; done\n'
"""How a test goes on until more may have begun than have."""


@pytest.fixture
def box(sandbox: Sandbox) -> Sandbox:
    sandbox.env["NRUNNER_AGENT_ORPHAN_DEADLINE"] = "30"
    return sandbox


def marks(box: Sandbox) -> Counter[str]:
    path = box.here.parent / "marks"
    return Counter(path.read_text().split()) if path.exists() else Counter()


def allow(box: Sandbox, most: int) -> None:
    """Hold the tests that run once so many have begun."""
    new = box.here.parent / "most.new"
    new.write_text(f"{most}\n")
    new.rename(new.with_name("most"))


def killed(box: Sandbox, run: Run, started: int) -> None:
    """Kill the controller once so many payloads have begun."""
    wait_until(lambda: len(marks(box)) >= started, f"{started} tests have begun")
    run.signal(signal.SIGKILL)
    assert run.wait().code == -signal.SIGKILL


def resumes(box: Sandbox) -> list[int]:
    """Return the epochs of the controllers that went on."""
    path = box.job / "journal.jsonl"
    records = read_records(path) if path.exists() else ()
    return [each["epoch"] for each in records if each["type"] == "resumed"]


def guardian(box: Sandbox) -> int:
    (found,) = [each for each in box.records() if each["type"] == "environment"]
    pid: int = found["address"]["pid"]
    return pid


def ended(box: Sandbox) -> set[int]:
    """Return the tasks of which the agent has put down that they are over."""
    (spool,) = (box.job / ".spools").iterdir()
    remains = read_remains(str(spool))
    assert remains is not None
    return {each["task"] for each in remains.events if each["event"] == "ended"}


def settled(box: Sandbox) -> dict[int, dict[str, object]]:
    return {each["number"]: each for each in box.results()["tests"]}


def test_what_runs_is_taken_over_and_nothing_runs_twice(box: Sandbox) -> None:
    box.write("t.sh", MARKED + "sleep 0.3\n")
    run = box.start("run", *["t.sh"] * 12, "--max-parallel-tasks", "3")
    killed(box, run, 4)
    done = box.run("jobs", "resume")
    assert done.code == 0, done.err
    assert "of 12 tasks have their verdict" in done.out
    assert {each["status"] for each in settled(box).values()} == {"PASS"}
    assert len(marks(box)) == marks(box).total() == 12
    assert all(len(each["attempts"]) == 1 for each in box.results()["tests"])
    assert not box.running()


@pytest.mark.timeout(120)
def test_a_detached_job_of_many_tests_loses_none_of_them(box: Sandbox) -> None:
    box.write("t.sh", MARKED + "sleep 0.2\n")
    begun = box.run("run", "--detach", *["t.sh"] * 100, "--max-parallel-tasks", "8")
    assert begun.code == 0, begun.err
    job_id = begun.out.strip()
    wait_until(lambda: len(marks(box)) >= 40, "it is in the middle")
    controller = json.loads((box.job / "lock").read_text())["pid"]
    os.kill(controller, signal.SIGKILL)
    wait_until(lambda: "interrupted" in box.run("jobs", "list").out, "it is known to be cut off")
    listed = box.run("jobs", "list")
    assert f"nrunner jobs resume {job_id[:12]}" in listed.out + listed.err
    done = box.run("jobs", "resume", job_id)
    assert done.code == 0, done.err
    tests = box.results()["tests"]
    assert [each["status"] for each in tests] == ["PASS"] * 100
    assert [len(each["attempts"]) for each in tests] == [1] * 100
    assert len(marks(box)) == marks(box).total() == 100
    assert "complete" in box.run("jobs", "list").out


def test_tests_go_on_while_nobody_controls_them(box: Sandbox) -> None:
    box.write("t.sh", MARKED + "sleep 0.1\n")
    run = box.start("run", *["t.sh"] * 6, "--max-parallel-tasks", "2")
    killed(box, run, 1)
    wait_until(lambda: len(marks(box)) == 6, "all tests have begun")
    time.sleep(0.3)
    done = box.run("jobs", "resume")
    assert done.code == 0, done.err
    assert marks(box).total() == 6


def test_what_ended_before_its_agent_was_killed_counts(box: Sandbox) -> None:
    """The agent had told nobody yet: what it had to say is in its folder."""
    box.write("quick.sh", MARKED + "sleep 0.2\n")
    box.write("long.sh", MARKED + "sleep 60\n")
    run = box.start("run", "long.sh", *["quick.sh"] * 3, "--max-parallel-tasks", "2")
    wait_until(lambda: marks(box), "a test has begun")
    run.signal(signal.SIGSTOP)
    wait_until(lambda: len(marks(box)) == 4, "all tests have begun")
    wait_until(lambda: ended(box) == {2, 3, 4}, "the agent has put down that all but one are over")
    (agent,) = procfs.children_of(guardian(box))
    os.kill(agent, signal.SIGKILL)
    run.signal(signal.SIGKILL)
    run.wait()
    done = box.run("jobs", "resume")
    assert done.code == 1, done.out
    found = settled(box)
    assert [found[number]["status"] for number in (2, 3, 4)] == ["PASS"] * 3
    assert (found[1]["status"], found[1]["cause"]) == ("ERROR", "lost")
    assert "its outcome is not known" in str(found[1]["detail"])
    assert marks(box).total() == 4
    assert not box.running()


def test_what_its_agent_never_touched_is_run_though_both_are_dead(box: Sandbox) -> None:
    box.write("long.sh", MARKED + "sleep 60\n")
    box.write("quick.sh", MARKED)
    run = box.start("run", "long.sh", *["quick.sh"] * 5, "--max-parallel-tasks", "1")
    wait_until(lambda: marks(box), "a test has begun")
    wait_until(lambda: [each for each in box.moves() if each["phase"] == "STARTED"], "recorded")
    (agent,) = procfs.children_of(guardian(box))
    run.signal(signal.SIGKILL)
    os.kill(agent, signal.SIGKILL)
    run.wait()
    done = box.run("jobs", "resume")
    found = settled(box)
    assert done.code == 1
    assert (found[1]["status"], found[1]["cause"]) == ("ERROR", "lost")
    assert [found[number]["status"] for number in range(2, 7)] == ["PASS"] * 5
    assert marks(box).total() == 6


def test_after_a_reboot_what_has_not_run_is_run(box: Sandbox) -> None:
    """Nothing lives, sockets are gone, and pids mean others: only the job's folder is left."""
    box.write("long.sh", MARKED + "sleep 60\n")
    box.write("quick.sh", MARKED)
    run = box.start("run", "long.sh", *["quick.sh"] * 5, "--max-parallel-tasks", "1")
    wait_until(lambda: [each for each in box.moves() if each["phase"] == "STARTED"], "recorded")
    wait_until(lambda: marks(box), "a test has begun")
    bystander = subprocess.Popen(["sleep", "60"])
    for pid in [run.pid, *box.agents(), *box.payloads()]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    run.wait()
    wait_until(lambda: not box.running(), "all are dead")
    for each in runtime_parents():
        shutil.rmtree(each / (box.job / "id").read_text()[:12], ignore_errors=True)
    _reboot(box.job, bystander.pid)
    done = box.run("jobs", "resume")
    found = settled(box)
    assert done.code == 1
    assert (found[1]["status"], found[1]["cause"]) == ("ERROR", "lost")
    assert [found[number]["status"] for number in range(2, 7)] == ["PASS"] * 5
    assert marks(box).total() == 6
    assert 0 <= float(str(found[2]["time_start"])) < 60
    assert bystander.poll() is None, "a stranger was killed for having the pid of an agent"
    bystander.kill()
    bystander.wait()


def test_an_agent_that_was_left_alone_too_long_has_told_how_it_ended(box: Sandbox) -> None:
    box.env["NRUNNER_AGENT_ORPHAN_DEADLINE"] = "0.3"
    box.write("t.sh", MARKED + "test -e ../second || { touch ../second; sleep 60; }\n")
    run = box.start("run", "t.sh", "--max-parallel-tasks", "1")
    killed(box, run, 1)
    wait_until(lambda: not box.running(), "the agent has left")
    done = box.run("jobs", "resume")
    assert done.code == 0, done.out
    (test,) = box.results()["tests"]
    first, second = test["attempts"]
    assert (first["cause"], second["status"]) == ("infra", "PASS")
    assert "no controller for 0.3 s" in first["detail"]


def test_a_job_that_is_complete_is_left_alone(box: Sandbox) -> None:
    assert box.run("run", "/bin/true", "/bin/false").code == 1
    before = (box.job / "journal.jsonl").read_bytes()
    done = box.run("jobs", "resume")
    assert done.code == 1
    assert "nothing to go on with" in done.out
    assert (box.job / "journal.jsonl").read_bytes() == before


@pytest.mark.parametrize("command", ["resume", "wait"])
def test_the_code_of_a_job_whose_journal_is_gone_is_that_of_its_report(
    box: Sandbox, command: str
) -> None:
    assert box.run("run", "/bin/true", "/bin/false").code == 1
    (box.job / "journal.jsonl").unlink()
    assert box.run("jobs", command).code == 1


def test_reports_that_a_killed_controller_did_not_get_to_are_written(box: Sandbox) -> None:
    assert box.run("run", "/bin/true", "/bin/false", "--tap", "asked.tap").code == 1
    told = box.results()["tests"]
    for each in (box.here / "asked.tap", box.job / "results.tap", box.job / "results.json"):
        each.unlink()  # the order in which they are written is the other way round
    done = box.run("jobs", "resume")
    assert done.code == 1
    assert box.results()["tests"] == told
    assert (box.here / "asked.tap").read_text() == (box.job / "results.tap").read_text()
    assert "nothing to go on with" in box.run("jobs", "resume").out


def test_reports_of_an_earlier_controller_do_not_pass_for_those_of_the_end(box: Sandbox) -> None:
    box.write("t.sh", MARKED + HELD)
    allow(box, 2)
    run = box.start("run", *["t.sh"] * 4, "--max-parallel-tasks", "1")
    killed(box, run, 2)
    (box.job / "results.json").write_text("{}")
    (box.job / "results.tap").write_text("TAP version 13")
    again = box.start("jobs", "resume")
    wait_until(lambda: len(resumes(box)) == 1, "it is gone on with")
    reports = [box.job / f"results.{ending}" for ending in ("json", "tap")]
    wait_until(lambda: not any(each.exists() for each in reports), "it has no report any more")
    allow(box, 99)
    assert again.wait().code == 0
    assert len(box.results()["tests"]) == 4


def test_a_job_that_runs_is_not_gone_on_with(box: Sandbox) -> None:
    box.write("t.sh", MARKED + "sleep 60\n")
    run = box.start("run", "t.sh")
    wait_until(lambda: marks(box), "the test has begun")
    refused = box.run("jobs", "resume")
    assert refused.code == 2
    assert str(run.pid) in refused.err
    run.signal(signal.SIGINT)
    assert run.wait().code == 8
    assert marks(box).total() == 1


def test_reports_that_were_not_written_are_written(box: Sandbox) -> None:
    assert box.run("run", "/bin/true").code == 0
    (box.job / "results.json").unlink()
    assert box.run("jobs", "resume").code == 0
    assert settled(box)[1]["status"] == "PASS"


def test_a_job_that_was_interrupted_before_its_controller_was_killed_stays_so(box: Sandbox) -> None:
    box.env["NRUNNER_RUN_GRACE"] = "50"
    box.write("t.sh", MARKED + "trap '' TERM\nuntil test -e ../enough; do sleep 0.05; done\n")
    run = box.start("run", *["t.sh"] * 3, "--max-parallel-tasks", "1")
    wait_until(lambda: marks(box), "the first test has begun")
    run.signal(signal.SIGTERM)
    wait_until(lambda: len(_settled_by(box.job)) == 2, "the others are cancelled")
    run.signal(signal.SIGKILL)
    assert run.wait().code == -signal.SIGKILL
    assert box.run("report", "--json", "told.json").code == 0
    told = json.loads((box.here / "told.json").read_text())
    assert (told["exit_code"], told["interrupted"]) == (8 | 2, "interrupted by SIGTERM")
    box.write("../enough", "")
    done = box.run("jobs", "resume")
    assert done.code == 8, done.out
    assert box.results()["interrupted"] == "interrupted by SIGTERM"
    assert [settled(box)[number]["status"] for number in (2, 3)] == ["CANCEL"] * 2
    assert marks(box).total() == 1


def test_what_cut_a_job_short_counts_even_if_all_that_ran_after_it_passed(box: Sandbox) -> None:
    assert box.run("run", "/bin/true").code == 0
    _cut_after(box.job, "settled")
    (box.job / "results.json").unlink()
    journal = Journal.reopen(box.job / "journal.jsonl", lambda _record: None)
    journal.append([{"type": "stopped", "reason": "interrupted by SIGTERM"}])
    journal.close()
    assert box.run("jobs", "resume").code == 8
    assert box.results()["interrupted"] == "interrupted by SIGTERM"
    assert settled(box)[1]["status"] == "PASS"


def test_a_torn_tail_is_cut_off_and_kept(box: Sandbox) -> None:
    box.write("t.sh", MARKED + "sleep 0.2\n")
    run = box.start("run", *["t.sh"] * 4, "--max-parallel-tasks", "1")
    killed(box, run, 2)
    # Longer than all that follows: nothing of it may be left behind that.
    end = b'{"type":"settled","task":4,"report":"' + b"x" * 100_000
    with (box.job / "journal.jsonl").open("ab") as journal:
        journal.write(end)
    done = box.run("jobs", "resume")
    assert done.code == 0, done.err
    assert "the end of the journal was torn" in done.out
    (torn,) = box.job.glob("journal.jsonl.torn-*")
    assert torn.read_bytes() == end
    assert (box.job / "journal.jsonl").read_bytes().endswith(b"\n")
    assert len(box.results()["tests"]) == 4


def test_a_job_is_gone_on_with_again_and_again(box: Sandbox) -> None:
    box.write("t.sh", MARKED + HELD)
    allow(box, 2)
    run = box.start("run", *["t.sh"] * 10, "--max-parallel-tasks", "2")
    for count, started in enumerate((2, 5, 8)):
        wait_until(lambda count=count: len(resumes(box)) == count, "it is gone on with")
        allow(box, started)
        killed(box, run, started)
        run = box.start("jobs", "resume")
    allow(box, 99)
    done = run.wait()
    assert done.code == 0, done.err
    assert marks(box).total() == 10
    assert resumes(box) == [2, 3, 4]


def test_a_test_that_kills_every_controller_while_it_starts_is_given_up(box: Sandbox) -> None:
    """Its order is never sent: two controllers died of it, or so it looks."""
    assert box.run("run", "/bin/true").code == 0
    _cut_after(box.job, "STARTING")
    _add_resumed(box.job)
    (box.job / "results.json").unlink()
    done = box.run("jobs", "resume")
    assert done.code == 1
    test = settled(box)[1]
    assert (test["status"], test["cause"]) == ("ERROR", "lost")
    assert "2 controllers died while it was starting" in str(test["detail"])


def test_a_newer_journal_is_refused_in_words(box: Sandbox) -> None:
    assert box.run("run", "/bin/true").code == 0
    (box.job / "results.json").unlink()
    journal = Journal.reopen(box.job / "journal.jsonl", lambda _record: None)
    journal.append([{"type": "job", "format": 99}])
    journal.close()
    before = journal.path.read_bytes()
    for _ in range(2):
        done = box.run("jobs", "resume")
        assert done.code == 2
        assert "its format 99 is newer than" in done.err
        assert journal.path.read_bytes() == before


def test_a_journal_without_the_plan_is_refused_in_words(box: Sandbox) -> None:
    fixture = Path(__file__).parents[1] / "fixtures" / "journals" / "format-1.jsonl"
    assert box.run("run", "/bin/true").code == 0
    (box.job / "results.json").unlink()
    shutil.copy(fixture, box.job / "journal.jsonl")
    done = box.run("jobs", "resume")
    assert done.code == 2
    assert "format 1, which does not hold the plan" in done.err
    assert "Traceback" not in done.err


def test_the_jobs_limit_counts_only_while_there_is_a_controller(box: Sandbox) -> None:
    box.write("t.sh", MARKED + "sleep 0.4\n")
    limit = ("--job-timeout", "3")
    run = box.start("run", *["t.sh"] * 3, "--max-parallel-tasks", "1", *limit)
    killed(box, run, 1)
    time.sleep(3)
    done = box.run("jobs", "resume")
    assert done.code == 0, done.out


def _settled_by(job: Path) -> list[int]:
    records = read_records(job / "journal.jsonl")
    return [each["task"] for each in records if each["type"] == "settled"]


def _cut_after(job: Path, phase: str) -> None:
    path = job / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    last = next(index for index, line in enumerate(lines) if phase.encode() in line)
    kept = [line for line in lines[: last + 1] if b'"environment"' not in line[:30]]
    path.write_bytes(b"".join(kept))


def _reboot(job: Path, stranger: int) -> None:
    """Have the journal tell of another boot, whose agent had the pid of somebody who lives now."""
    path = job / "journal.jsonl"
    records = [*read_records(path)]
    path.unlink()
    for record in records:
        record.pop("check")
        if record["type"] == "job":
            record["boot_id"] = "of-another-boot"
        elif record["type"] == "environment":
            start = procfs.read_process(stranger)
            assert start is not None
            record["address"].update(boot_id="of-another-boot", pid=stranger, start=start.start)
    journal = Journal(path)
    journal.append(records)
    journal.close()


def _add_resumed(job: Path) -> None:
    history = History()
    journal = Journal.reopen(job / "journal.jsonl", history.visit)
    record = {"type": "resumed", "epoch": 2, "boot_id": history.boot_id, "wall": history.wall}
    journal.append([{**record, "monotonic": history.base, "time": history.base + 1}])
    journal.close()
