"""What a spawner keeps, as it is noted on a shelf."""

from __future__ import annotations

import os
import time

import pytest

from nrunner.errors import CacheError
from nrunner.spawners.shelf import Shelf


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "shelf"


def put(folder, name, size=1, days=0.0):
    shelf = Shelf(folder)
    shelf.hold(name)
    shelf.note(name, size, [f"what {name} holds"])
    shelf.release()
    os.utime(folder / name, (time.time() - days * 86400,) * 2)


def test_what_is_noted_is_told_in_the_order_of_its_use(folder):
    put(folder, "new", 10)
    put(folder, "old", 20, days=3)
    old, new = Shelf(folder).entries()
    assert (old.name, old.size, old.holds) == ("old", 20, ("what old holds",))
    assert old.used == pytest.approx(time.time() - 3 * 86400, abs=60)
    assert (new.name, new.in_use) == ("new", False)
    assert Shelf(folder / "nothing").entries() == []


def test_to_hold_something_is_to_use_it(folder):
    put(folder, "it", days=3)
    user, other = Shelf(folder), Shelf(folder)
    assert user.hold("it")
    (each,) = other.entries()
    assert each.in_use
    assert each.used == pytest.approx(time.time(), abs=60)
    with other.taken("it") as is_free:
        assert not is_free
    user.release()
    with other.taken("it") as is_free:
        assert is_free
        other.forget("it")
    assert other.entries() == []


def test_many_may_use_the_same(folder):
    users = [Shelf(folder), Shelf(folder)]
    assert [user.hold("it") for user in users] == [False, False]
    users[0].note("it", 5, [])
    users[0].release()
    (each,) = Shelf(folder).entries()
    assert each.in_use
    users[1].release()
    (each,) = Shelf(folder).entries()
    assert not each.in_use


def test_what_came_to_nothing_is_not_noted(folder):
    shelf = Shelf(folder)
    assert not shelf.hold("it")
    assert shelf.entries() == []
    shelf.release()
    assert list(folder.iterdir()) == []


def test_nobody_holds_what_is_removed_while_they_wait(folder, monkeypatch):
    put(folder, "it", 7)
    shelf, remover = Shelf(folder), Shelf(folder)
    locking = remover.taken("it")
    assert locking.__enter__()

    def sleep(_seconds):
        remover.forget("it")
        locking.__exit__(None, None, None)

    monkeypatch.setattr("nrunner.runners.flock.time.sleep", sleep)
    assert not shelf.hold("it"), "what is there now is another one"
    shelf.note("it", 1, [])
    (each,) = shelf.entries()
    assert (each.size, each.in_use) == (1, True)
    shelf.release()


def test_a_note_that_was_cut_off_is_one_all_the_same(folder):
    put(folder, "it", 7)
    (folder / "it").write_text('{"size": 7, "ho')
    (each,) = Shelf(folder).entries()
    assert (each.name, each.size, each.holds) == ("it", 0, ())


def test_a_place_where_nothing_can_be_noted_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheError, match=r"use .*/file/shelf/it: not a directory"):
        Shelf(tmp_path / "file" / "shelf").hold("it")
