"""Which attempts were ended by the kernel for want of memory."""

from __future__ import annotations

import pytest

from nrunner.result import Result
from nrunner.runners import memory
from nrunner.runners.base import Outcome
from nrunner.runners.memory import MemoryWatch, counters

FAILED = Outcome(Result.FAIL, "killed")


@pytest.fixture
def counted(monkeypatch):
    """Say what the kernel counts: a list of the file and its count."""
    told = ["/group", 5]
    monkeypatch.setattr(memory, "_counted", lambda: tuple(told))
    return told


def test_what_was_killed_before_is_no_attempts_fault(counted):
    watch = MemoryWatch()
    assert watch.blamed(FAILED) == FAILED
    counted[1] = 6
    assert watch.blamed(FAILED).fail_reason == (
        "killed (out of memory: the kernel killed a process here)"
    )
    assert watch.blamed(FAILED) == FAILED
    counted[1] = 9
    assert "killed 3 processes here" in str(watch.blamed(FAILED).fail_reason)


def test_an_attempt_that_passed_is_not_looked_at(counted):
    watch = MemoryWatch()
    counted[1] = 6
    assert watch.blamed(Outcome(Result.PASS)) == Outcome(Result.PASS)
    assert watch.blamed(FAILED) != FAILED


def test_a_group_that_is_new_began_with_none(counted):
    watch = MemoryWatch()
    counted[:] = ["/group/below", 1]
    assert "killed a process" in str(watch.blamed(FAILED).fail_reason)


def test_both_versions_of_control_groups_are_looked_at():
    assert list(counters("4:memory:/a\n0::/b\n")) == [
        "/sys/fs/cgroup/memory/a/memory.oom_control",
        "/sys/fs/cgroup/memory/memory.oom_control",
        "/sys/fs/cgroup/b/memory.events",
        "/sys/fs/cgroup/memory.events",
    ]
    assert list(counters("2:cpu:/a\n")) == []
