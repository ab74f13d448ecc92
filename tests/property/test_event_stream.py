"""Events are read alike, however the bytes of their stream are cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nrunner.control import Event, EventParser
from nrunner.status.document import event_text
from nrunner.status.view import ApiEvent

DATA = st.dictionaries(
    st.text(max_size=8), st.text(max_size=30) | st.integers(-9, 9) | st.none(), max_size=3
)
KINDS = st.sampled_from(["task_settled", "task_moved", "notice", "job"])
BETWEEN = st.sampled_from(["", ": alive\n\n", "retry: 1000\n\n"])


@given(
    events=st.lists(st.tuples(KINDS, DATA, BETWEEN), max_size=6),
    cuts=st.lists(st.integers(1, 40), min_size=1),
)
def test_events_are_read_as_they_were_written(events, cuts):
    stream = "".join(
        before + event_text(ApiEvent(number, kind, data))
        for number, (kind, data, before) in enumerate(events, 1)
    ).encode("ascii")
    parser, found = EventParser(), []
    place = 0
    while stream[place:]:
        size = cuts[place % len(cuts)]
        found += parser.feed(stream[place : place + size])
        place += size
    assert found == [Event(number, kind, data) for number, (kind, data, _) in enumerate(events, 1)]


@given(noise=st.binary(max_size=200))
def test_what_is_no_event_is_passed_over(noise):
    parser = EventParser()
    parser.feed(noise + b"\n\n")
    assert parser.feed(b'id: 7\nevent: notice\ndata: {"text": "x"}\n\n')[-1] == Event(
        7, "notice", {"text": "x"}
    )
