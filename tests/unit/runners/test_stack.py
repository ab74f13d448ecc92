"""What a process says of where it is, asked by calling the handler as the interpreter would."""

from __future__ import annotations

import os
import signal
import sys
import threading

import pytest

from nrunner.runners import stack


@pytest.fixture
def pipe(tmp_path):
    """Return the reading end of a pipe that waits for an answer."""
    report = tmp_path / "report"
    os.mkfifo(tmp_path / "report.stack")
    stack.answer_at(str(report))
    number = os.open(tmp_path / "report.stack", os.O_RDONLY | os.O_NONBLOCK)
    yield number
    os.close(number)


def inner():
    return stack.stacks(sys._getframe())


def test_the_latest_call_comes_first():
    lines = inner().splitlines()
    assert lines[0] == "thread MainThread:"
    assert lines[1].startswith(f'  File "{__file__}", line ')
    assert lines[1].endswith(", in inner")
    assert lines[2].endswith(", in test_the_latest_call_comes_first")


def test_every_thread_is_told_with_its_name():
    go = threading.Event()
    thread = threading.Thread(target=go.wait, name="the-worker")
    thread.start()
    text = inner()
    go.set()
    thread.join()
    assert text.index("thread MainThread") < text.index("thread the-worker:\n")
    assert 'threading.py", line' in text.partition("the-worker")[2]


def test_what_called_the_test_is_not_told(monkeypatch):
    monkeypatch.setattr(stack, "_OURS", __file__)
    # Whoever runs the tests may have threads of its own.
    assert inner().partition("\nthread ")[0].strip() == "thread MainThread:"


def test_a_deep_stack_is_cut():
    def deep(count):
        return deep(count - 1) if count else inner()

    text = deep(500)
    assert text.count(" in deep\n") == 63
    assert "  ...\n" in text


def test_the_answer_is_written_to_who_asks(pipe):
    stack._tell(0, sys._getframe())
    assert b"in test_the_answer_is_written_to_who_asks" in os.read(pipe, 1 << 20)


def test_the_answer_is_bounded(pipe, monkeypatch):
    monkeypatch.setattr(stack, "stacks", lambda frame: "\udcff" * stack.LONGEST_STACK)
    stack._tell(0, sys._getframe())
    assert len(os.read(pipe, 1 << 20)) == stack.LONGEST_STACK


def test_nothing_happens_where_nobody_asks(tmp_path):
    stack.answer_at(str(tmp_path / "report"))
    stack._tell(0, sys._getframe())
    assert list(tmp_path.iterdir()) == []
    os.mkfifo(tmp_path / "report.stack")
    stack._tell(0, sys._getframe())  # a pipe that nobody reads


def test_a_test_that_puts_something_else_in_the_place_of_what_we_use_notices_nothing(
    pipe, monkeypatch
):
    for name in ("open", "write", "close"):
        monkeypatch.setattr(os, name, None)
    stack._tell(0, sys._getframe())
    monkeypatch.undo()
    assert b"thread MainThread" in os.read(pipe, 1 << 20)


def test_the_signals_are_none_that_have_a_meaning():
    for number in (stack.TELL, stack.TELL_STDERR):
        assert signal.SIGRTMIN + 15 < number < signal.SIGRTMAX
