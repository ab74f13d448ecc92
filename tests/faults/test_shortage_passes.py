"""Means that are short for a moment: what cannot be started then is started later."""

from __future__ import annotations

import resource
import time
from pathlib import Path

import pytest

from nrunner.runners.procfs import children_of
from tests.functional.sandbox import Sandbox

LIMIT = resource.RLIMIT_NOFILE


def agent_of(sandbox: Sandbox) -> int:
    (opened,) = [each for each in sandbox.records() if each["type"] == "environment"]
    (agent,) = children_of(opened["address"]["pid"])
    return agent


def take_descriptors(pid: int) -> tuple[int, int]:
    """Let a process open no more files than it has; return what it might before."""
    usual = resource.prlimit(pid, LIMIT)
    resource.prlimit(pid, LIMIT, (len([*Path(f"/proc/{pid}/fd").iterdir()]), usual[1]))
    return usual


@pytest.mark.parametrize("kind", ["exec-test", "python-unittest"])
def test_an_agent_that_has_no_descriptors_for_a_while_starts_its_tests_later(
    sandbox: Sandbox, kind: str
) -> None:
    sandbox.write("t.sh", "#!/bin/sh\nsleep 0.3\n")
    sandbox.write(
        "test_it.py", "import unittest\nclass T(unittest.TestCase):\n def test_it(self): pass\n"
    )
    rest = ["t.sh"] * 3 if kind == "exec-test" else ["test_it.py"]
    run = sandbox.start("run", "t.sh", *rest, "--max-parallel-tasks", "1")
    run.wait_started(1)
    agent = agent_of(sandbox)
    usual = take_descriptors(agent)
    time.sleep(0.8)
    resource.prlimit(agent, LIMIT, usual)
    assert run.wait().code == 0
    assert [len(each["attempts"]) for each in sandbox.results()["tests"]] == [1] * (len(rest) + 1)
