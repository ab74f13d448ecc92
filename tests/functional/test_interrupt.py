"""Signals to a job: once, twice, three times, and the one that cannot be caught.

The controller gets its signals as from a terminal or from another program; payloads only get what
the agent sends them.
"""

from __future__ import annotations

import os
import pty
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.sandbox import Run, Sandbox, check_moves, read_journal, wait_until

# Writes what it hears; ends at SIGTERM, unless it is told to be deaf.
LISTENER = """#!/usr/bin/env python3
import os, signal, sys, time
heard = open(os.environ["HEARD"] + "-" + sys.argv[1], "a", buffering=1)
def hear(number, frame):
    print(signal.Signals(number).name, file=heard)
    if number == signal.SIGTERM and "deaf" not in sys.argv:
        sys.exit(1)
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, hear)
print("listens", file=heard)
while True:
    time.sleep(60)
"""


class Choir:
    """Two payloads that listen and a third that waits for its turn."""

    def __init__(self, sandbox: Sandbox, *words: str) -> None:
        self.sandbox = sandbox
        self.heard = sandbox.here / "heard"
        sandbox.env["HEARD"] = str(self.heard)
        sandbox.write("listener", LISTENER)
        recipes = [
            f'{{"kind": "exec-test", "uri": "./listener", "args": {_json([name, *words])}}}'
            for name in ("one", "two", "three")
        ]
        sandbox.write("choir.json", f"[{', '.join(recipes)}]", executable=False)

    def start(self, *flags: str, **more: object) -> Run:
        """Start the job; return once both listen."""
        argv = ("run", "choir.json", "--max-parallel-tasks", "2", *flags)
        run = self.sandbox.start(*argv, **more)
        for name in ("one", "two"):
            wait_until(lambda name=name: self.has_heard(name) == ["listens"], f"{name} listens")
        run.wait_started(2)
        return run

    def has_heard(self, name: str) -> list[str]:
        """Return what one of them noted."""
        path = Path(f"{self.heard}-{name}")
        return path.read_text().split() if path.exists() else []


def _json(words: list[str]) -> str:
    return "[" + ", ".join(f'"{word}"' for word in words) + "]"


@pytest.fixture
def choir(sandbox: Sandbox) -> Choir:
    return Choir(sandbox)


@pytest.fixture
def deaf_choir(sandbox: Sandbox) -> Choir:
    return Choir(sandbox, "deaf")


def statuses(sandbox: Sandbox) -> list[tuple[str, str]]:
    return [(each["status"], each["cause"]) for each in sandbox.results()["tests"]]


STOPPED = [("INTERRUPT", "cancelled"), ("INTERRUPT", "cancelled"), ("CANCEL", "cancelled")]


def test_the_first_interrupt_ends_tests_softly_and_starts_no_more(choir: Choir) -> None:
    run = choir.start()
    run.signal(signal.SIGINT)
    end = run.wait()
    sandbox = choir.sandbox
    sandbox.wait_nothing_runs()
    assert end.code == 8
    assert statuses(sandbox) == STOPPED
    assert {each["detail"] for each in sandbox.results()["tests"]} == {"interrupted by the user"}
    assert choir.has_heard("one") == choir.has_heard("two") == ["listens", "SIGTERM"]
    assert choir.has_heard("three") == []
    assert end.lines[-3:-1] == [
        "CUT SHORT  : interrupted by the user",
        "RESULTS    : PASS 0 | ERROR 0 | FAIL 0 | SKIP 0 | WARN 0 | INTERRUPT 2 | CANCEL 1",
    ]
    assert (sandbox.job / "results.tap").read_text().count("not ok") == 2
    records = sandbox.records()
    check_moves(records)
    assert records[-1]["type"] == "closed"
    assert records[-1]["exit_code"] == 8
    assert records[-1]["interrupted"] == "interrupted by the user"
    said = [each["text"] for each in records if each["type"] == "notice"]
    assert said == ["SIGINT: no more tests are started, those that run are told to end"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_being_told_to_end_counts_as_an_interrupt(choir: Choir, number: signal.Signals) -> None:
    run = choir.start()
    run.signal(number)
    assert run.wait().code == 8
    assert statuses(choir.sandbox) == STOPPED
    assert choir.sandbox.results()["interrupted"] == f"interrupted by {number.name}"
    assert choir.has_heard("one") == ["listens", "SIGTERM"]
    choir.sandbox.wait_nothing_runs()


def test_the_second_interrupt_kills(deaf_choir: Choir) -> None:
    sandbox = deaf_choir.sandbox
    sandbox.env["NRUNNER_RUN_GRACE"] = "50"
    run = deaf_choir.start()
    run.signal(signal.SIGINT)
    for name in ("one", "two"):
        wait_until(lambda name=name: "SIGTERM" in deaf_choir.has_heard(name), f"{name} was told")
    assert len(sandbox.payloads()) >= 2
    run.signal(signal.SIGINT)
    end = run.wait()
    sandbox.wait_nothing_runs()
    assert end.code == 8
    assert statuses(sandbox) == STOPPED
    assert [each["returncode"] for each in sandbox.results()["tests"]] == [-9, -9, None]


def test_the_third_interrupt_leaves_at_once_with_the_journal_whole(choir: Choir) -> None:
    """The agent is stopped meanwhile, so that there is something left to leave behind."""
    sandbox = choir.sandbox
    run = choir.start()
    for pid in sandbox.agents():
        os.kill(pid, signal.SIGSTOP)
    for text in ("those that run are told to end", "tests that run are killed"):
        run.signal(signal.SIGINT)
        run.wait_said(f"NOTICE     : SIGINT: .*{text}")
    run.signal(signal.SIGINT)
    end = run.wait(10)
    assert end.code == 8 | 2
    assert len(sandbox.payloads()) == 2
    records = read_journal(sandbox.job / "journal.jsonl")
    assert [each["type"] for each in records].count("planned") == 3
    assert {each["task"] for each in records if each["type"] == "settled"} <= {3}
    # The agent gives up by itself: its orphan deadline is 1 s here.
    for pid in sandbox.agents():
        os.kill(pid, signal.SIGCONT)
    sandbox.wait_nothing_runs(15)


def test_a_killed_controller_leaves_nothing_running_once_the_orphan_deadline_is_past(
    deaf_choir: Choir,
) -> None:
    sandbox = deaf_choir.sandbox
    run = deaf_choir.start()
    assert len(sandbox.running()) >= 5  # the controller, guardian, agent and two payloads
    run.process.kill()
    run.process.communicate()
    assert len(sandbox.payloads()) >= 2
    sandbox.wait_nothing_runs(15)
    records = read_journal(sandbox.job / "journal.jsonl")
    assert [each["task"] for each in records if each.get("phase") == "STARTED"] == [1, 2]


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Return both ends of a terminal."""
    ours, theirs = pty.openpty()
    yield ours, theirs
    for fd in (ours, theirs):
        os.close(fd)


def test_payloads_do_not_hear_the_interrupt_that_the_terminal_sends(
    choir: Choir, terminal: tuple[int, int]
) -> None:
    ours, theirs = terminal
    # A shell that leads the terminal's session, as people have it; Ctrl-C is typed.
    sandbox = choir.sandbox
    run = choir.start(stdin=theirs, start_new_session=True, preexec_fn=_take_terminal)
    os.write(ours, b"\x03")
    end = run.wait()
    assert end.code == 8
    assert choir.has_heard("one") == choir.has_heard("two") == ["listens", "SIGTERM"]
    assert statuses(sandbox) == STOPPED
    sandbox.wait_nothing_runs()


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_a_job_that_goes_on_in_the_background_is_not_ended_by_a_stop(choir: Choir) -> None:
    """SIGTSTP stops the controller alone; after SIGCONT it ends the job as ever."""
    run = choir.start()
    run.signal(signal.SIGSTOP)
    wait_until(lambda: _state(run) == "T", "the controller is stopped")
    assert len(choir.sandbox.payloads()) >= 2
    run.signal(signal.SIGCONT)
    run.signal(signal.SIGINT)
    assert run.wait().code == 8
    assert statuses(choir.sandbox) == STOPPED


def _state(run: Run) -> str:
    stat = Path(f"/proc/{run.pid}/stat").read_text()
    return stat[stat.rfind(")") + 2]


def test_an_interrupt_while_tests_are_looked_for_ends_nrunner_at_once(sandbox: Sandbox) -> None:
    """The loader of a file that never ends to be imported is ended, too."""
    sandbox.write(
        "test_slow.py",
        "import time, unittest\nopen('loads', 'w').close()\ntime.sleep(300)\n"
        "def load_tests(loader, tests, pattern):\n    return tests\n",
        executable=False,
    )
    run = sandbox.start("run", "test_slow.py", start_new_session=True)
    wait_until((sandbox.here / "loads").exists, "the loader is at it")
    run.signal(signal.SIGINT)
    end = run.wait(10)
    assert end.code == 8
    assert end.err == "nrunner: interrupted\n"
    sandbox.wait_nothing_runs(10)
    assert not sandbox.base.exists()


@pytest.mark.parametrize("ended_by", ["interrupt", "limit"])
def test_a_job_that_ends_while_it_prepares_ends_the_preparing_too(
    sandbox: Sandbox, ended_by: str
) -> None:
    sandbox.plug_in("nrunner-runner-endless", "#!/bin/sh\ntouch begun\nsleep 300\n")
    sandbox.write(
        "needy.json",
        '{"kind": "noop", "requirements": [{"type": "endless", "uri": "x"}]}',
        executable=False,
    )
    flags = ["--job-timeout", "4"] if ended_by == "limit" else []
    run = sandbox.start("run", "needy.json", *flags)
    wait_until((sandbox.here / "begun").exists, "it prepares")
    if ended_by == "interrupt":
        run.signal(signal.SIGINT)
    end = run.wait(15)
    sandbox.wait_nothing_runs(10)
    assert end.code == 8
    assert statuses(sandbox) == [("CANCEL", "cancelled")]
    (way,) = check_moves(sandbox.records()).values()
    assert [phase for phase, _ in way][-2:] == ["PREPARING", "DISCARDED"]


WAITS = "#!/bin/sh\necho $1\nwhile [ ! -e go ]; do sleep 0.02; done\n"


def on_a_terminal(sandbox: Sandbox, *, ignored: tuple[int, ...] = (), leads: bool) -> Run:
    """Start two tests on a terminal that is closed while the first runs."""
    sandbox.write("waits.sh", WAITS)
    ours, theirs = pty.openpty()

    def prepare() -> None:
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)
        if leads:
            _take_terminal()

    run = sandbox.start(
        "run",
        "./waits.sh",
        "/bin/false",
        *("--max-parallel-tasks", "1"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={"TERM": "xterm"},
        start_new_session=True,
        preexec_fn=prepare,
    )
    os.close(theirs)
    run.wait_started(1)
    wait_until(lambda: b"0/2" in os.read(ours, 4096), "it shows how far it is")
    os.close(ours)
    return run


def test_a_terminal_that_is_closed_ends_the_job_as_an_interrupt_does(sandbox: Sandbox) -> None:
    run = on_a_terminal(sandbox, leads=True)
    assert run.process.wait(20) == 8
    assert statuses(sandbox) == [("INTERRUPT", "cancelled"), ("CANCEL", "cancelled")]
    assert sandbox.results()["interrupted"] == "interrupted by SIGHUP"
    assert sandbox.records()[-1]["type"] == "closed"
    assert "CUT SHORT" in (sandbox.job / "job.log").read_text()
    sandbox.wait_nothing_runs()


@pytest.mark.parametrize("how", ["nohup", "another session"])
def test_a_terminal_that_is_closed_costs_a_job_that_does_not_hang_on_it_nothing(
    sandbox: Sandbox, how: str
) -> None:
    if how == "nohup":
        run = on_a_terminal(sandbox, leads=True, ignored=(signal.SIGHUP,))
    else:
        run = on_a_terminal(sandbox, leads=False)
    (sandbox.here / "go").touch()
    assert run.process.wait(20) == 1
    assert statuses(sandbox) == [("PASS", "test"), ("FAIL", "test")]
    assert sandbox.results()["interrupted"] is None
    assert "RESULTS    : PASS 1 | ERROR 0 | FAIL 1" in (sandbox.job / "job.log").read_text()


def test_signals_that_are_to_be_ignored_are(choir: Choir) -> None:
    """What `nohup` asks for, and a shell without job control of what it starts with `&`."""

    def ignore() -> None:
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)

    run = choir.start(preexec_fn=ignore)
    for number in (signal.SIGINT, signal.SIGHUP):
        run.signal(number)
    run.signal(signal.SIGTERM)
    end = run.wait()
    assert end.code == 8
    assert choir.sandbox.results()["interrupted"] == "interrupted by SIGTERM"
    assert choir.has_heard("one") == ["listens", "SIGTERM"]


def test_nrunner_started_with_interrupts_ignored_can_still_be_told_to_end(choir: Choir) -> None:
    """What a shell does to jobs in the background (`&` in a script)."""
    run = choir.start(preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    run.signal(signal.SIGTERM)
    assert run.wait().code == 8
    assert choir.has_heard("one") == ["listens", "SIGTERM"]
