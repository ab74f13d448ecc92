"""The lease of a machine: one owner, who is known, for as long as a process has its lock."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from nrunner.runners import lease as module
from nrunner.runners.lease import Holder, Lease, forget, look_at, own_identity, read_holder, take


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(module, "_PATIENCE", 0.1)


def holder(folder: Path, job: str = "mine", **changes) -> Holder:
    me = own_identity()
    known = {"who": "me@here", "folder": str(folder), "since": 1.0, "until": 2.0, **me, **changes}
    return Holder(job, **known)


def test_who_is_second_is_told_who_was_first(tmp_path):
    first = take(str(tmp_path), holder(tmp_path))
    assert isinstance(first, Lease)
    second = take(str(tmp_path), holder(tmp_path, "other"))
    assert isinstance(second, Holder)
    assert (second.job, second.who, second.until) == ("mine", "me@here", 2.0)
    first.leave()
    third = take(str(tmp_path), holder(tmp_path, "other"))
    assert isinstance(third, Lease)
    third.leave()
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_a_note_that_its_writer_outlived_names_nobody(tmp_path):
    first = take(str(tmp_path), holder(tmp_path, start=1))
    assert isinstance(first, Lease)
    assert take(str(tmp_path), holder(tmp_path, "other")) is None
    found = look_at(str(tmp_path))
    assert (found["held"], found["answers"]) == (True, False)
    first.leave()


def test_who_has_just_got_it_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_PATIENCE", 10.0)
    first = take(str(tmp_path), holder(tmp_path, start=1))
    assert isinstance(first, Lease)
    me = own_identity()
    timer = threading.Timer(0.1, lambda: first.note(**me))
    timer.start()
    second = take(str(tmp_path), holder(tmp_path, "other"))
    assert isinstance(second, Holder)
    assert second.job == "mine"
    timer.join()
    first.leave()


def test_what_changes_is_noted_and_looking_disturbs_nobody(tmp_path):
    lease = take(str(tmp_path), holder(tmp_path))
    assert isinstance(lease, Lease)
    lease.note(until=77.5, epoch=3)
    found = look_at(str(tmp_path))
    assert found["held"] is True
    assert Holder.from_json(found["holder"]) == holder(tmp_path, until=77.5, epoch=3)
    assert forget(str(tmp_path)) is True
    assert read_holder(str(tmp_path)) is not None
    lease.leave()
    assert forget(str(tmp_path)) is False
    assert look_at(str(tmp_path))["held"] is False


def test_the_note_of_who_takes_it_once_it_was_seen_free_is_left_alone(tmp_path, monkeypatch):
    taken = []

    def is_held(folder: str) -> bool:
        found = is_held_now(folder)
        taken.append(take(folder, holder(tmp_path)))
        return found

    is_held_now = module._is_held
    (tmp_path / "lock").touch()
    monkeypatch.setattr(module, "_is_held", is_held)
    forget(str(tmp_path))
    assert read_holder(str(tmp_path)) == holder(tmp_path)
    taken[0].leave()


def test_a_note_that_is_none_is_nobodys(tmp_path):
    for text in ("", "{}", '{"job": 1}', "[]", "\0"):
        (tmp_path / "holder").write_text(text)
        assert read_holder(str(tmp_path)) is None
