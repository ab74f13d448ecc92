"""What an agent tells its zygotes."""

from __future__ import annotations

from typing import Any

import pytest

from nrunner.runnable import Runnable
from nrunner.runners.attempt import Attempt, Order
from nrunner.runners.warm import Kind, Module, Zygote, socket_pair
from nrunner.runners.zygote_wire import LONGEST_REQUEST, decode_request

ATTEMPT = Attempt(Order(1, 1, "1-x", Runnable("python-unittest", "x"), "/log"))


class Ends:
    """A zygote that the agent knows, and what arrives there."""

    def __init__(self) -> None:
        ours, self._theirs = socket_pair()
        self.zygote = Zygote(Kind(("python",), "/"), Module("m"), ours)
        self._number = 0

    def ask(self, **env: str) -> bool:
        self._number += 1
        return self.zygote.ask(ATTEMPT, {"number": self._number, "spec": {}, "env": env}, ())

    def request(self) -> dict[str, Any]:
        return decode_request(self._theirs.recv(LONGEST_REQUEST))

    def told(self) -> dict[str, str]:
        env: dict[str, str] = self.request()["env"]
        return env

    def receive_into(self, room: bytearray) -> None:
        self._theirs.recv_into(room)

    def close(self) -> None:
        self.zygote.socket.close()
        self._theirs.close()


@pytest.fixture
def ends():
    ends = Ends()
    yield ends
    ends.close()


def test_a_zygote_that_has_run_nothing_is_told_all_variables_each_time(ends):
    for _ in range(2):
        assert ends.ask(A="1", B="2")
        assert ends.told() == {"A": "1", "B": "2"}


def test_a_zygote_of_a_module_is_told_the_variables_that_changed(ends):
    ends.zygote.env = {"A": "1", "B": "2"}
    assert ends.ask(A="1", B="3")
    assert ends.told() == {"B": "3"}
    assert ends.ask(A="1", B="2", C="ä")
    assert ends.told() == {"B": "2", "C": "ä"}
    assert ends.ask(A="1", B="2", C="ä")
    assert ends.told() == {}


def test_variables_that_could_not_be_told_are_told_with_the_next_request(ends):
    ends.zygote.env = {"A": "1"}
    assert not ends.ask(A="x" * LONGEST_REQUEST, B="2")
    assert ends.ask(A="1", B="2")
    assert ends.told() == {"B": "2"}


def test_a_request_is_read_whatever_an_earlier_longer_one_left_behind_it(ends):
    room = bytearray(LONGEST_REQUEST)
    for env in ({"A": "1" * 1000}, {"A": "\udcff", "B": ""}):
        ends.ask(**env)
        ends.receive_into(room)
        assert decode_request(room)["env"] == env


def test_what_stands_by_is_told_to_wait_and_nobody_is_asked_before_it(ends):
    ends.zygote.running[4] = ATTEMPT
    assert ends.zygote.has_room
    assert ends.zygote.ask_later(ATTEMPT, {"number": 1, "env": {}}, ())
    assert ends.request() == {"number": 1, "env": {}, "waits": True}
    assert not ends.zygote.has_room
    assert not ends.ask(A="1")  # its variables would be told beside those of the other
    assert ends.zygote.go(1)
    assert ends.request() == {"go": True}
    assert ends.zygote.asked == {1: ATTEMPT}
    assert ends.ask(A="1")


def test_after_a_request_that_is_taken_back_all_variables_are_told(ends):
    ends.zygote.env = {"A": "1", "B": "2"}
    assert ends.zygote.ask_later(ATTEMPT, {"number": 1, "env": {"A": "1", "B": "3"}}, ())
    assert ends.request()["env"] == {"B": "3"}
    assert ends.zygote.drop()
    assert ends.request() == {"drop": True}
    ends.zygote.standing.clear()
    assert ends.ask(A="1", B="2")
    assert ends.told() == {"A": "1", "B": "2"}


def test_nobody_stands_by_while_a_zygote_of_the_module_has_nothing_to_do(ends):
    module = ends.zygote.module
    module.zygotes.append(ends.zygote)
    assert module.next_room() is None
    ends.zygote.running[4] = ATTEMPT
    assert module.next_room() is ends.zygote
    other = Zygote(ends.zygote.kind, module, ends.zygote.socket)
    module.zygotes.append(other)
    assert module.next_room() is None
    other.running[5] = ATTEMPT
    assert module.next_room() is ends.zygote
