"""What is said of an attempt, from made-up processes."""

from __future__ import annotations

import pytest

from nrunner.runners import evidence, procfs
from nrunner.runners.evidence import doing, foremost
from nrunner.runners.procfs import Process

STACK = """thread MainThread:
  File "/usr/lib/subprocess.py", line 9, in wait
  File "/here/tests/test_a.py", line 12, in helper
  File "/here/tests/test_a.py", line 5, in test_in_line
thread worker:
  File "/here/other.py", line 1, in run
"""


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """A machine on which every process sleeps, and is called after its number."""
    monkeypatch.setattr(procfs, "command_of", lambda pid: f"command {pid}")
    monkeypatch.setattr(procfs, "wait_channel_of", lambda pid: f"channel_{pid}")
    monkeypatch.setattr(procfs, "uptime", lambda: 100.0)


def process(pid: int, parent: int, state: str = "S", start: int = 0) -> Process:
    return Process(pid, parent, 1, state, start or pid, 50)


def test_who_started_others_does_not_matter():
    assert foremost([process(2, 1), process(3, 2), process(4, 2)]) == process(4, 2)
    assert foremost([]) is None


def test_who_is_busy_matters_more_than_who_is_young():
    assert foremost([process(2, 1), process(3, 2, "R"), process(4, 2)]) == process(3, 2, "R")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("S", "command 3 (3) waits in channel_3"),
        ("D", "command 3 (3) waits in channel_3"),
        ("R", "command 3 (3) runs"),
        ("T", "command 3 (3) is stopped"),
        ("Z", "command 3 (3) ends"),
    ],
)
def test_a_program_does_what_its_process_does(state, words):
    assert doing([process(2, 1), process(3, 2, state)], 0, "", "/here") == words


def test_python_does_what_its_latest_call_of_the_users_own_does():
    place = "tests/test_a.py:12 in helper"
    assert doing([process(2, 1)], 2, STACK, "/here") == place
    both = f"{place}, command 3 (3) waits in channel_3"
    assert doing([process(2, 1), process(3, 2)], 2, STACK, "/here") == both


def test_where_no_call_is_the_users_own_the_latest_of_all_is_told():
    assert doing([process(2, 1)], 2, STACK, "/else") == "/usr/lib/subprocess.py:9 in wait"


def test_what_pythons_own_fault_handler_writes_is_understood():
    text = 'Current thread 0x1 (most recent call first):\n  File "/a b/c.py", line 3 in d\n'
    assert doing([process(2, 1)], 2, text, "/here") == "/a b/c.py:3 in d"


def test_python_that_does_not_answer_is_not_shown_as_our_way_to_start_it():
    assert doing([process(2, 1, "R")], 2, "", "/here") == "its Python (2) runs"


def test_a_long_command_is_cut(monkeypatch):
    monkeypatch.setattr(procfs, "command_of", lambda pid: "x" * 200)
    assert doing([process(2, 1)], 0, "", "/here") == "x" * 60 + "... (2) waits in channel_2"


def test_nothing_is_said_of_nobody():
    assert doing([], 0, "", "/here") == ""


def test_processes_are_shown_below_those_that_started_them():
    processes = [process(4, 3), process(5, 2), process(2, 1), process(3, 2)]
    lines = evidence.report("why", processes, "", {}).splitlines()
    assert lines[:3] == [
        "why",
        "",
        "PID  PARENT  STATE  AGE    CPU   WAITS IN   COMMAND",
    ]
    assert [line.split("channel_")[1] for line in lines[3:7]] == [
        "2  command 2",
        "3    command 3",
        "4      command 4",
        "5    command 5",
    ]
    assert lines[3].split()[:5] == ["2", "1", "S", "100.0", f"{50 / procfs._TICKS:.2f}"]


def test_a_bomb_of_forks_is_not_shown_in_full():
    everybody = [process(2, 1), *(process(number, 2) for number in range(3, 1003))]
    text = evidence.report("why", everybody, "", {})
    assert text.count("command") == 50
    assert "and 951 more processes\n" in text
    deep = [process(number, number - 1) for number in range(2, 1002)]
    assert len(evidence.report("why", deep, "", {})) < 10_000


def test_output_and_stack_are_shown_without_what_a_terminal_would_obey():
    output = {"stdout": b"".join(b"line %d\n" % number for number in range(100)), "stderr": b""}
    output["stdout"] += b"\x1b[2J\xff\tend"
    text = evidence.report("why", [], 'File "\x1b]0;x\x07"\n', output)
    assert "\x1b" not in text
    assert "\x07" not in text
    assert text.endswith("  line 98\n  line 99\n  ?[2J\N{REPLACEMENT CHARACTER}\tend\n\n")
    assert "line 80\n" not in text
    assert "stderr" not in text
