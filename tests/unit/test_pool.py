"""Which place of a pool a task gets, and which places are opened for those who wait."""

from __future__ import annotations

from nrunner.pool import Choice, Pool, Readiness

ANY = Choice(("a", "b", "c"))
ONLY_C = Choice(("c",))


def pool_of(**slots):
    return Pool(slots or {"a": 1, "b": 1, "c": 1})


def test_whoever_has_waited_longest_of_those_that_fit_is_next():
    pool = pool_of()
    pool.add(1, ONLY_C)
    pool.add(2, ANY)
    pool.add(3, ANY)
    assert pool.take("a", may_prepare=True) == 2
    assert pool.take("c", may_prepare=True) == 1
    assert pool.take("c", may_prepare=True) == 3
    assert pool.take("c", may_prepare=True) is None
    assert len(pool) == 0


def test_who_was_bound_already_comes_before_all_others():
    pool = pool_of()
    pool.add(1, ANY)
    pool.add(2, ONLY_C, first=True)
    pool.add(3, ANY, first=True)
    assert [pool.take("c", may_prepare=True) for _ in range(3)] == [3, 2, 1]


def test_where_enough_is_prepared_only_those_who_need_nothing_are_next():
    pool = pool_of()
    pool.add(1, Choice(("a",), prepares=True))
    pool.add(2, Choice(("a",)))
    assert pool.take("a", may_prepare=False) == 2
    assert pool.take("a", may_prepare=False) is None
    assert pool.take("a", may_prepare=True) == 1


def test_as_many_places_are_opened_as_those_who_wait_can_fill():
    pool = pool_of(a=2, b=1, c=1)
    for number in (1, 2, 3):
        pool.add(number, ANY)
    assert pool.open_more(9) == ["a", "b"]
    assert pool.open_more(9) == []
    pool.note("a", Readiness.OPEN)
    # It has no room, or they would not wait any more: who waits needs others.
    assert pool.open_more(9) == ["c"]


def test_no_more_is_opened_than_may_run_unless_somebody_would_have_no_place():
    pool = pool_of()
    pool.add(1, ANY)
    pool.add(2, ANY)
    assert pool.open_more(1) == ["a"]
    pool.add(3, ONLY_C)
    assert pool.open_more(1) == ["c"]


def test_a_place_in_trouble_is_not_opened_until_it_may_be():
    pool = pool_of(a=1, b=1)
    pool.add(1, Choice(("a", "b")))
    pool.note("a", Readiness.BARRED, "no answer")
    assert pool.open_more(9) == ["b"]
    pool.note("b", Readiness.BARRED, "no answer")
    assert pool.open_more(9) == []
    pool.note("a", Readiness.CLOSED)
    assert pool.open_more(9) == ["a"]


def test_who_has_no_place_left_is_told_why_not():
    pool = pool_of(a=1, c=1)
    pool.add(1, Choice(("a", "c")))
    pool.add(2, ONLY_C)
    pool.note("c", Readiness.GIVEN_UP, "another host key")
    pool.note("c", Readiness.CLOSED)
    assert pool.stranded() == [2]
    pool.remove(2)
    assert pool.stranded() == []
    pool.note("a", Readiness.GIVEN_UP, "no answer")
    assert pool.stranded() == [1]
    assert pool.reasons(("a", "c")) == "a: no answer; c: another host key"
