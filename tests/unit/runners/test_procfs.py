"""What is read of processes, by the example of our own."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from nrunner.record import replace
from nrunner.runners import procfs
from nrunner.runners.procfs import Process

NOBODY = 1 << 30


def test_our_own_process_is_read():
    me = procfs.read_process(os.getpid())
    assert (me.pid, me.parent, me.session) == (os.getpid(), os.getppid(), os.getsid(0))
    assert me.is_alive
    assert me.start > 0
    again = procfs.read_process(os.getpid())
    assert me == replace(again, state=me.state, cpu=me.cpu)
    assert 0 < me.cpu <= again.cpu
    assert 0 < me.cpu_seconds < me.age(procfs.uptime()) + 1


def test_nobody_is_none():
    assert procfs.read_process(NOBODY) is None
    assert procfs.mark_of(NOBODY, "PATH") is None
    assert procfs.command_of(NOBODY) == ""
    assert procfs.wait_channel_of(NOBODY) == ""
    assert procfs.children_of(NOBODY) == []
    assert not procfs.catches(NOBODY, signal.SIGUSR1)


def test_a_signal_is_caught_while_there_is_a_handler_and_it_is_not_held_back():
    number, me = signal.SIGRTMAX - 9, os.getpid()
    caught = [procfs.catches(me, number)]
    before = signal.signal(number, lambda *_: None)
    caught.append(procfs.catches(me, number))
    signal.pthread_sigmask(signal.SIG_BLOCK, [number])
    caught.append(procfs.catches(me, number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
    signal.signal(number, before)
    assert caught == [False, True, False]


@pytest.mark.parametrize("name", ["sh", "a b", ") R 1 (", "x) Z 9 9 9", "((("])
def test_a_name_may_hold_what_stands_around_it(monkeypatch, tmp_path, name):
    numbers = " ".join(str(number) for number in range(3, 53))
    stat = tmp_path / "stat"
    stat.write_text(f"17 ({name}) S 3 4 5 {' '.join(numbers.split()[4:])}\n")

    def opened(path, *args, **kwargs):
        assert path == "/proc/17/stat"
        return stat.open(*args, **kwargs)

    monkeypatch.setitem(procfs.__dict__, "open", opened)
    found = procfs.read_process(17)
    assert (found.pid, found.parent, found.session, found.state) == (17, 3, 5, "S")


@pytest.mark.parametrize(
    ("state", "alive"),
    [("R", True), ("S", True), ("D", True), ("T", True), ("t", True), ("Z", False), ("X", False)],
)
def test_only_zombies_and_the_dead_are_not_alive(state, alive):
    assert Process(1, 0, 1, state, 1).is_alive is alive


def test_everybody_is_found_once():
    found = procfs.snapshot()
    assert found[os.getpid()].parent == os.getppid()
    assert all(pid == process.pid for pid, process in found.items())


def test_a_mark_is_a_variable_that_the_process_was_started_with(monkeypatch):
    name, _, value = Path("/proc/self/environ").read_bytes().split(b"\0")[0].partition(b"=")
    assert procfs.mark_of(os.getpid(), name.decode()) == value.decode("utf-8", "replace")
    monkeypatch.setenv("NRUNNER_SET_LATER", "1")
    assert procfs.mark_of(os.getpid(), "NRUNNER_SET_LATER") is None


def test_a_command_is_printable_and_short(monkeypatch, tmp_path):
    cmdline = tmp_path / "cmdline"
    cmdline.write_bytes(b"sh\0-c\0echo \x1b[31m\n\xff" + b"x" * 5000 + b"\0")
    monkeypatch.setitem(procfs.__dict__, "open", lambda path, mode: cmdline.open(mode))
    command = procfs.command_of(17)
    assert command.startswith("sh -c echo ?[31m?\\xff")
    assert command.isprintable()
    assert len(command) == 200


def test_who_traces_a_process_is_told():
    status = Path("/proc/self/status").read_text()
    assert f"TracerPid:\t{procfs.tracer_of(os.getpid())}\n" in status
    assert procfs.tracer_of(NOBODY) == 0
