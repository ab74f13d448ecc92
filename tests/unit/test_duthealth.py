import itertools

import pytest

from nrunner.duthealth import (
    Failed,
    Health,
    Restored,
    Retired,
    Returned,
    Served,
    Sound,
    State,
    Stuck,
    Taken,
    after,
    at,
)

HAPPENINGS = (
    Taken("job 1", 500.0),
    Returned(),
    Served(),
    Failed("link"),
    Sound(),
    Stuck("no answer"),
    Retired("old"),
    Restored(),
)
STATES = (
    Health(),
    Health(State.OWNED, "job 1", 5.0, 500.0, 1),
    Health(State.QUARANTINED, "link", 5.0, 15.0, 1),
    Health(State.BORKED, "no answer", 5.0),
    Health(State.RETIRED, "old", 5.0),
)

F, W, Q, B, R = State.FREE, State.OWNED, State.QUARANTINED, State.BORKED, State.RETIRED
MOVES = {
    # Taken, Returned, Served, Failed, Sound, Stuck, Retired, Restored
    F: (W, F, F, Q, F, B, R, F),
    W: (W, F, W, Q, W, B, R, F),
    Q: (W, Q, Q, Q, F, B, R, F),
    B: (W, B, B, B, F, B, R, F),
    R: (R, R, R, R, R, R, R, F),
}


@pytest.mark.parametrize("health", STATES, ids=lambda each: each.state.value)
def test_every_happening_leads_from_every_state_where_the_table_says(health):
    states = [after(health, happening, 100.0).state for happening in HAPPENINGS]
    assert tuple(states) == MOVES[health.state]


def test_every_way_out_of_service_has_its_reason_and_its_time():
    assert after(Health(), Taken("job 7", 900.0), 3.0) == Health(W, "job 7", 3.0, 900.0)
    assert after(Health(), Stuck("no answer"), 3.0) == Health(B, "no answer", 3.0)
    assert after(Health(), Retired("fan"), 3.0) == Health(R, "fan", 3.0)
    assert after(Health(), Failed("link"), 3.0) == Health(Q, "link", 3.0, 13.0, 1)


def failing(times, between):
    """Fail again and again, each time once quarantine is over; return the lengths of all."""
    health, now = Health(), 0.0
    for _ in range(times):
        health = after(health, Failed("link"), now)
        yield health.until - now
        now = health.until
        for happening in between:
            health = after(health, happening, now)


def test_quarantine_doubles_from_ten_seconds_to_an_hour():
    lengths = list(failing(12, [Sound()]))
    assert lengths[:4] == [10, 20, 40, 80]
    assert lengths[-5:] == [1280, 2560, 3600, 3600, 3600]


def test_a_device_that_fails_as_soon_as_it_is_back_is_left_alone_for_longer():
    between = (Sound(), Taken("job", 0.0))
    assert list(failing(3, between)) == [10, 20, 40]


def test_a_device_that_was_of_use_begins_anew():
    between = (Sound(), Taken("job", 0.0), Served(), Returned())
    assert list(failing(3, between)) == [10, 10, 10]


def test_what_fails_there_all_at_once_is_one_failure():
    health = Health(W, "job")
    for _ in range(8):
        health = after(health, Failed("power"), 50.0)
    assert health == Health(Q, "power", 50.0, 60.0, 1)
    assert after(health, Failed("power"), 60.0).failures == 2


def test_a_lease_that_ran_out_is_none():
    owned = Health(W, "job", 1.0, 20.0, 3)
    assert at(owned, 19.0) == owned
    assert at(owned, 20.0) == Health(F, "", 20.0, failures=3)
    assert at(Health(W, "job"), 1e9).state is W


def test_a_device_may_serve_when_it_is_free_or_has_been_left_alone_for_long_enough():
    quarantined = Health(Q, "link", 0.0, 10.0, 1)
    assert [quarantined.may_serve(now) for now in (9.0, 10.0)] == [False, True]
    assert [quarantined.is_due(now) for now in (9.0, 10.0)] == [False, True]
    assert Health().may_serve(0.0)
    assert Health(W, "job", 0.0, 5.0).may_serve(5.0)
    assert not Health(W, "job", 0.0, 5.0).may_serve(4.0)
    assert not any(Health(state).may_serve(1.0) for state in (B, R))


def test_only_a_person_brings_a_device_back_into_service():
    for happenings in itertools.permutations(HAPPENINGS[:6], 3):
        health = Health(R, "old", 5.0)
        for happening in happenings:
            health = after(health, happening, 9.0)
        assert (health.state, health.reason, health.since) == (R, "old", 5.0)
    assert after(Health(R, "old", 5.0, failures=9), Restored(), 9.0) == Health(since=9.0)
