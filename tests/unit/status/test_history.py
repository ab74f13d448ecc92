from __future__ import annotations

from nrunner.status.history import History


def ids(history: History, after: int, limit: int = 100) -> list[int]:
    events = history.after(after, limit)
    assert events is not None
    return [event.id for event in events]


def test_events_are_numbered_from_one_and_given_after_an_id() -> None:
    history = History()
    for number in range(5):
        history.append("notice", {"number": number})

    assert history.newest == 5
    assert ids(history, 0) == [1, 2, 3, 4, 5]
    assert ids(history, 3) == [4, 5]
    assert ids(history, 1, limit=2) == [2, 3]
    assert ids(history, 5) == []


def test_an_id_that_never_was_is_told_from_one_without_followers() -> None:
    history = History()

    assert history.after(0, 10) == []
    assert history.after(1, 10) is None
    assert history.after(-1, 10) is None


def test_of_old_events_only_the_terminal_ones_are_kept() -> None:
    history = History(latest=3)
    for number in range(1, 11):
        history.append("event", {}, terminal=number % 3 == 0)

    assert ids(history, 0) == [3, 6, 8, 9, 10]
    assert ids(history, 4) == [6, 8, 9, 10]
    assert ids(history, 8) == [9, 10]


def test_pages_through_old_and_new_events_leave_none_out() -> None:
    history = History(latest=4)
    for number in range(1, 21):
        history.append("event", {}, terminal=number % 2 == 0)
    whole, found, last = ids(history, 0), [], 0
    while page := ids(history, last, limit=3):
        found += page
        last = page[-1]

    assert found == whole == [2, 4, 6, 8, 10, 12, 14, 16, 17, 18, 19, 20]


def test_those_who_wait_are_woken_until_they_go() -> None:
    history = History()
    woken: list[str] = []

    def wake_first() -> None:
        woken.append("first")
        leave_first()

    leave_first = history.subscribe(wake_first)
    leave_second = history.subscribe(lambda: woken.append("second"))
    history.append("event", {})
    history.append("event", {})
    leave_second()
    leave_second()
    history.append("event", {})

    assert woken == ["first", "second", "second"]
