"""What attempts have printed so far, for who asks."""

from __future__ import annotations

import os
from typing import Any

import pytest

from nrunner.runnable import Runnable
from nrunner.runners.attempt import Attempt, Order
from nrunner.runners.slot import Slot
from nrunner.runners.tails import Tails


class Scene:
    """An attempt with a slot, and what whoever asks is told."""

    def __init__(self, tmp_path) -> None:
        self.attempt = Attempt(Order(1, 1, "1-x", Runnable("noop"), str(tmp_path / "logs")))
        self.attempt.slot = self.slot = Slot(str(tmp_path / "slot"))
        self.out, _ = self.slot.open()
        self.told: list[tuple[Any, Any, bytes]] = []
        found = {self.attempt.key: self.attempt}
        self.tails = Tails(found.get, lambda *said: self.told.append(said))

    def ask(self, start: int = 0, **more: Any) -> dict[str, Any]:
        head = {"task": 1, "attempt": 1, "stream": "stdout", "from": start, **more}
        self.tails.take(head)
        return head

    def write(self, data: bytes) -> None:
        os.write(self.out, data)
        self.slot.catch_up()


@pytest.fixture
def scene(tmp_path):
    scene = Scene(tmp_path)
    yield scene
    scene.slot.remove()


def test_what_is_there_is_told_at_once_and_the_rest_as_it_comes(scene):
    scene.write(b"one")
    first = scene.ask()
    assert scene.told == [(first, {}, b"one")]
    second = scene.ask(3)
    assert len(scene.told) == 1
    scene.write(b"two")
    assert scene.told[1:] == [(second, {}, b"two")]
    scene.write(b"three")
    assert len(scene.told) == 2
    third = scene.ask(5)
    assert scene.told[2:] == [(third, {}, b"othree")]


def test_who_waits_is_told_that_it_is_over(scene):
    head = scene.ask()
    scene.tails.end(scene.attempt)
    scene.tails.end(scene.attempt)
    assert scene.told == [(head, {"over": True}, b"")]


def test_who_asks_again_since_its_link_was_lost_is_told_once(scene):
    scene.ask()
    again = scene.ask()
    scene.write(b"one")
    assert scene.told == [(again, {}, b"one")]


def test_of_what_does_not_run_there_is_nothing_to_wait_for(scene):
    head = scene.ask(task=2)
    assert scene.told == [(head, {"over": True}, b"")]


def test_nobody_hears_of_the_next_attempt_in_the_same_slot(scene):
    scene.ask()
    scene.tails.end(scene.attempt)
    scene.slot.collect(scene.attempt.order.log_dir)
    scene.write(b"another's")
    assert len(scene.told) == 1
    scene.ask(0)
    scene.tails.forget()
    scene.write(b"more")
    assert len(scene.told) == 2


@pytest.mark.parametrize("field", [{"stream": "passwd"}, {"task": "1"}, {"attempt": None}])
def test_what_makes_no_sense_is_refused(scene, field):
    with pytest.raises((ValueError, TypeError)):
        scene.ask(**field)
