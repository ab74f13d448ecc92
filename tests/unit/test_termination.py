"""SIGTERM and SIGHUP that count as Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from nrunner.termination import terminations_interrupt

BOTH = (signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def usual() -> Iterator[None]:
    """Handlers are as a new process has them, and afterwards as they were."""
    before = {each: signal.getsignal(each) for each in (*BOTH, signal.SIGINT)}
    for each in BOTH:
        signal.signal(each, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


@pytest.mark.parametrize("number", BOTH)
def test_a_signal_counts_as_ctrl_c_and_only_as_long_as_it_is_to(number):
    with pytest.raises(KeyboardInterrupt), terminations_interrupt():
        signal.raise_signal(number)
    assert signal.getsignal(number) is signal.SIG_DFL


def test_who_has_a_way_to_take_ctrl_c_takes_it():
    taken: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: taken.append(number))
    with terminations_interrupt():
        signal.raise_signal(signal.SIGTERM)
    assert taken == [signal.SIGINT]


def test_where_ctrl_c_is_ignored_the_others_are_not():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with pytest.raises(KeyboardInterrupt), terminations_interrupt():
        signal.raise_signal(signal.SIGTERM)


def test_what_nohup_had_ignored_stays_ignored():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with terminations_interrupt():
        signal.raise_signal(signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_in_a_thread_nothing_is_changed():
    found: list[object] = []

    def look() -> None:
        with terminations_interrupt():
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [signal.SIG_DFL]
