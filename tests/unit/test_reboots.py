import asyncio

import pytest

from nrunner.reboots import MOST, Reboots, Wish

ORDER = {"task": 1, "attempt": 2, "id": "1-x", "runnable": {"kind": "noop"}, "log_dir": "/none"}
KEY = (1, 2)


class Machine:
    """What an attempt runs on, which restarts when it is told so."""

    patience = 0.2
    folder = "/far"

    def __init__(self, *, works=True):
        self.has_restarted = False
        self.commands = []
        self._works = works
        self._gone = asyncio.Event()

    async def restart(self, command):
        self.commands.append(command)
        if self._works:
            self.has_restarted = True
            self._gone.set()

    async def wait_gone(self):
        await self._gone.wait()
        return "it rebooted"


class Place:
    """What is told of attempts at a place."""

    def __init__(self):
        self.heads = []
        self.failed = {}
        self.reboots = Reboots(self.tell, self.failed.__setitem__)
        self.reboots.ordered(ORDER)

    def tell(self, heads):
        self.heads.extend(heads)
        return True


@pytest.fixture
def place():
    return Place()


@pytest.fixture
def reboots(place):
    return place.reboots


def ended(**reboot):
    wish = {"mark": "half", "command": "", "count": 0, **reboot}
    return {"event": "ended", "task": 1, "attempt": 2, "reboot": wish}


def test_an_attempt_that_asks_goes_on_with_its_count_and_mark(place, reboots):
    async def main():
        machine = Machine()
        head = ended(count=3, command="reboot -f")
        assert reboots.take(head)
        assert reboots.is_waiting(KEY)
        assert reboots.tell([head], machine) is False
        await machine.wait_gone()
        assert machine.commands == ["reboot -f"]
        again = reboots.resume(machine)
        assert again == {KEY: {**ORDER, "reboot": {"count": 4, "mark": "half"}}}

    asyncio.run(main())
    assert [head["event"] for head in place.heads] == ["notice"]
    assert not reboots.is_waiting(KEY)
    assert reboots.is_resumed(KEY)
    assert [reboots.started(KEY), reboots.started(KEY)] == [True, False]
    assert place.failed == {}


def test_what_is_told_beside_is_told_on_and_may_be_forgotten_without_a_wish(place, reboots):
    other = {"event": "ended", "task": 2, "attempt": 1}
    assert reboots.tell([other], None) is True
    reboots.take(ended())
    assert reboots.tell([other], None) is True
    assert reboots.tell([other, ended()], None) is False
    assert [head["event"] for head in place.heads] == ["ended", "ended", "ended", "notice"]


def test_an_environment_that_is_gone_for_another_reason_takes_them_with_it(reboots):
    async def main():
        reboots.take(ended())
        assert reboots.resume(Machine()) == {}
        assert reboots.resume(object()) == {}

    asyncio.run(main())
    assert reboots.is_waiting(KEY)


def test_a_reboot_that_does_not_come_fails_its_attempt_in_time(place, reboots):
    async def main():
        reboots.take(ended())
        reboots.tell([ended()], Machine(works=False))
        async with asyncio.timeout(10):
            while not place.failed:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)

    asyncio.run(main())
    assert place.failed == {KEY: "it asked for a reboot, and there was none within 0.2 s"}


def test_who_is_cancelled_while_the_machine_goes_down_holds_up_nobody_else(place, reboots):
    async def main():
        machine = Machine(works=False)
        reboots.take(ended())
        reboots.tell([ended()], machine)
        await asyncio.sleep(0.05)
        assert machine.commands == [""]
        reboots.over(KEY)
        reboots.ordered({**ORDER, "task": 2})
        other = {**ended(command="again"), "task": 2}
        reboots.take(other)
        reboots.tell([other], machine)
        await asyncio.sleep(0.05)
        assert machine.commands == ["", "again"]

    asyncio.run(main())
    assert place.failed == {}


def test_an_attempt_that_is_over_waits_for_nothing(reboots):
    reboots.take(ended())
    reboots.over(KEY)
    assert not reboots.is_waiting(KEY)
    assert reboots.wish_of(ended()) is None


@pytest.mark.parametrize(
    "head",
    [
        {"event": "ended", "task": 1, "attempt": 2},
        {**ended(), "event": "not_started"},
        {**ended(), "stop": "timeout"},
        {**ended(), "attempt": 1},
        {**ended(), "task": [1]},
        {**ended(), "reboot": True},
        ended(mark=1),
        ended(command=None),
        ended(count=True),
        ended(count=-1),
        ended(count=MOST),
    ],
    ids=str,
)
def test_what_is_no_wish_of_an_attempt_that_runs_is_none(reboots, head):
    assert reboots.wish_of(head) is None


def test_an_attempt_that_asks_for_ever_is_told_to_have(reboots):
    said = reboots.last_word(ended(count=MOST))
    assert (said["result"], said["fail_reason"]) == (
        "error",
        "it asked for a reboot more than 100 times",
    )


def test_people_are_told_of_the_mark_where_there_is_one():
    assert Wish((1, 1), "half", "", 3).text == (
        "asked for a reboot with mark 'half': it is run again after that (reboot 4)"
    )
    assert "mark" not in Wish((1, 1), "", "", 0).text
