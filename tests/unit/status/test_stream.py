import asyncio

import pytest

from nrunner.status.history import History
from nrunner.status.stream import EventStreams


class View(History):
    """As much of a job as a stream of events needs."""

    asked = 0

    def events_after(self, event_id, limit):
        self.asked += 1
        return self.after(event_id, limit)

    @property
    def newest(self):
        count = super().newest
        return lambda: count


def told(batch):
    return batch[1][0].count(b"event: ") if batch[1] else 0


@pytest.fixture
def view():
    return View()


@pytest.fixture
def streams(view):
    return EventStreams(view)


def say(view, count=1):
    for _ in range(count):
        view.append("notice", {"text": "x"})


def joined(streams, count):
    wakers = [asyncio.Event() for _ in range(count)]
    for each in wakers:
        streams._add(each)
    for each in wakers:
        each.clear()
    return wakers


def test_few_readers_are_woken_at_once(view, streams):
    wakers = joined(streams, 3)
    say(view)
    assert all(each.is_set() for each in wakers)
    assert told(streams._after(0)) == 1


def test_readers_of_a_round_are_told_the_same_whatever_happens_while_it_goes_on(view, streams):
    joined(streams, 3)
    say(view, 5)
    view.asked = 0
    first = streams._after(0)
    streams._view._wakers.clear()  # the next round is yet to come
    say(view, 5)
    assert streams._after(0) is first
    assert told(first) == 5
    assert view.asked == 1
    assert streams._after(5) == (5, ())


def test_many_readers_are_woken_together_a_little_later(view, streams):
    async def main():
        wakers = joined(streams, 30)
        say(view, 3)
        assert not any(each.is_set() for each in wakers)
        async with asyncio.timeout(5):
            await asyncio.gather(*(each.wait() for each in wakers))
        assert told(streams._after(0)) == 3

    asyncio.run(main())


def test_an_event_that_never_was_is_told_apart_from_one_that_is_yet_to_be_shown(view, streams):
    joined(streams, 1)
    streams._view._wakers.clear()
    say(view, 2)
    assert streams._after(1) == (1, ())
    assert streams._after(7) is None


def test_what_is_kept_for_others_is_bounded(view, streams):
    joined(streams, 1)
    view.append("notice", {"text": "x" * 5_000_000})
    say(view, 100)
    for last in range(101):
        assert streams._after(last) is not None
    assert len(streams._batches) <= 32
    assert streams._kept < 9_000_000


def test_nothing_is_kept_when_nobody_reads(view, streams):
    [waker] = joined(streams, 1)
    say(view)
    assert streams._after(0)
    streams._remove(waker)
    assert streams._batches == {}
    assert view._wakers == {}
