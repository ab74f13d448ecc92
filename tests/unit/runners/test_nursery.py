"""What zygotes say, in whatever order it is heard beside the ends of processes."""

from __future__ import annotations

import errno
import os

import pytest

from nrunner.record import replace
from nrunner.runnable import Requirement, Runnable
from nrunner.runners import child, nursery
from nrunner.runners.attempt import Attempt, Order
from nrunner.runners.base import Command, Warm
from nrunner.runners.nursery import Nursery
from nrunner.runners.warm import Kind, Module, Sharing, Waiting, Zygote, socket_pair
from nrunner.runners.zygote_wire import LONGEST_REQUEST, decode_request

GONE = 1 << 22
"""No process has such a pid: it is above all that kernels give."""


class Watching:
    """A loop that hears nothing by itself."""

    def __init__(self):
        self.watched = set()

    def watch(self, number, callback):
        self.watched.add(number)

    def unwatch(self, number):
        self.watched.remove(number)


class Told:
    """Whoever a nursery tells what it heard."""

    def __init__(self):
        self.words = []

    def __getattr__(self, name):
        return lambda *words: self.words.append((name, *words))


class House:
    """A nursery, and two zygotes of a module as they speak."""

    def __init__(self):
        self.told = Told()
        self.nursery = Nursery(Watching(), self.told, lambda _: {})
        self.kind = Kind(("python",), "/")
        self.module = Module("m", Sharing.SHARED)
        self.ends = []

    def zygote(self, pid):
        ours, theirs = socket_pair()
        self.ends.append(theirs)
        zygote = self.nursery._watch(Zygote(self.kind, self.module, ours))
        self.module.zygotes.append(zygote)
        self.nursery._zygotes[pid] = zygote
        return zygote, theirs

    def close(self):
        self.nursery.close()
        for each in self.ends:
            each.close()


@pytest.fixture
def house():
    house = House()
    yield house
    house.close()


def attempt(task: int) -> Attempt:
    return Attempt(Order(task, 1, f"{task}-x", Runnable("python-unittest", "x"), "/log"))


def test_who_was_forked_is_known_though_the_zygote_is_known_to_be_gone(house):
    first, says = house.zygote(GONE)
    house.zygote(GONE + 1)
    runs = first.asked[3] = attempt(3)
    # Its sibling has ended, too: that both are gone is found out at once.
    says.send(b"forked 3 99")
    says.close()
    assert house.nursery.reaped(GONE + 1, 9)
    house.nursery.catch_up()
    assert ("forked", runs, 99) in house.told.words
    assert first.is_closed


def test_what_a_fork_says_after_its_zygote_was_buried_is_heard(house):
    first, says = house.zygote(GONE)
    runs = first.asked[3] = attempt(3)
    assert house.nursery.reaped(GONE, 9)
    says.send(b"forked 3 99")
    house.nursery.catch_up()
    assert ("forked", runs, 99) in house.told.words


def test_the_end_of_one_test_tells_that_the_next_follows(house):
    zygote, says = house.zygote(os.getpid())
    before, after = attempt(1), attempt(2)
    zygote.running[98] = before
    zygote.standing[7] = after
    says.send(b"ended 98 0 7")
    house.nursery.catch_up()
    assert house.told.words == [("follows", after), ("ended", 98, 0)]
    assert zygote.asked == {7: after}
    assert not zygote.running


def test_who_was_told_to_go_as_its_turn_came_is_told_of_once(house):
    zygote, says = house.zygote(os.getpid())
    zygote.running[98], zygote.standing[7] = attempt(1), attempt(2)
    house.nursery.start(zygote.standing[7])
    says.send(b"ended 98 0 7")
    house.nursery.catch_up()
    assert house.told.words == [("ended", 98, 0)]
    assert list(zygote.asked) == [7]


def test_what_stood_by_with_a_zygote_that_is_gone_is_given_back(house):
    zygote, says = house.zygote(os.getpid())
    waits = zygote.standing[7] = attempt(2)
    zygote.running[98] = attempt(1)
    says.close()
    house.nursery.catch_up()
    assert ("stood_down", waits) in house.told.words


def test_there_is_no_room_beside_a_test_that_is_told_more(house):
    zygote, _ = house.zygote(os.getpid())
    zygote.running[98] = attempt(1)
    assert house.nursery.has_room_for(attempt(2).order)
    needs = (Requirement("asset", "disk"),)
    zygote.running[98] = Attempt(replace(attempt(1).order, needs=needs))
    assert not house.nursery.has_room_for(attempt(2).order)


def test_what_is_taken_back_is_given_back_unless_its_turn_has_come(house):
    zygote, says = house.zygote(os.getpid())
    waits = zygote.standing[7] = attempt(2)
    house.nursery.stand_down(waits)
    says.send(b"dropped 7")
    says.send(b"dropped 7")
    house.nursery.catch_up()
    assert house.told.words == [("stood_down", waits)]


def test_another_zygote_is_asked_where_one_is_found_to_be_gone(house):
    _, says = house.zygote(GONE)
    other, hears = house.zygote(GONE + 1)
    house.kind.modules["m"] = house.module
    says.close()
    other.asked[1] = attempt(1)  # the one that is gone has less to do
    waits = attempt(2)
    waiting = Waiting(waits, {"number": 5, "env": {}}, (0, 1))
    assert house.nursery._assign(house.kind, "m", waiting)
    assert decode_request(hears.recv(LONGEST_REQUEST))["number"] == 5
    assert other.asked[5] is waits


def test_what_a_series_says_of_its_trouble_is_heard_though_it_is_cut_within_a_character(house):
    ours, says = socket_pair()
    resident = house.nursery._watch(Zygote(house.kind, None, ours))
    resident.tenant = attempt(1)
    says.send(b"trouble x" + "é".encode() * 3000)
    says.close()
    house.nursery.hear(resident)
    ((name, text),) = house.told.words
    assert name == "notice"
    assert text.startswith("after 1-x: xéé")


@pytest.mark.parametrize(
    "words",
    [
        *(b"junk", b" ", b"\xff\0", b"forked", b"forked 3", b"forked 4 99", b"forked x 99"),
        *(b"forked 3 -1", b"ended", b"ended 98", b"ended 98 0", b"ended 98 0 x", b"ended x 0 0"),
        *(b"imported", b"imported 98", b"alone", b"alone x y", b"alone nan why", b"dropped x"),
        *(b"done", b"done " + b"9" * 4000, b"twin", b"twin x"),
    ],
)
def test_who_says_what_makes_no_sense_is_listened_to_no_more(house, words):
    """A test may write to whatever files it finds open."""
    zygote, says = house.zygote(os.getpid())
    asked = zygote.asked[3] = attempt(1)
    says.send(words)
    says.send(b"forked 3 99")
    house.nursery.catch_up()
    assert house.told.words == [("refused", asked)]
    assert zygote.is_closed


@pytest.mark.parametrize(
    ("number", "tries"), [(errno.EAGAIN, 2), (errno.ENOMEM, 2), (errno.ENOENT, 1)]
)
def test_a_zygote_is_tried_again_if_what_it_lacked_may_be_there_by_then(
    house, monkeypatch, number, tries
):
    tried = []

    def spawn(argv, *_):
        tried.append(argv)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(child, "spawn", spawn)
    for task in (1, 2):
        command = Command(("x",), "/", warm=Warm(("python", "zygote"), {}))
        assert not house.nursery.take(attempt(task), command, (0, 1))
    assert len(tried) == tries


def test_who_waits_for_a_module_is_given_back_if_there_is_no_socket_for_its_zygote(
    house, monkeypatch
):
    def socket_pair_in_vain():
        raise OSError(errno.ENFILE, os.strerror(errno.ENFILE))

    waits = attempt(2)
    module = Module("m", Sharing.LEARNING, waiting=[Waiting(waits, {"number": 5}, (0, 1))])
    ours, says = socket_pair()
    house.nursery._watch(Zygote(house.kind, module, ours))
    monkeypatch.setattr(nursery, "socket_pair", socket_pair_in_vain)
    says.close()  # the one that learns whether it can be shared has ended
    house.nursery.catch_up()
    assert house.told.words == [("refused", waits)]
