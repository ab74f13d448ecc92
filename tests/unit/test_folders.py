"""Folders of environments, and how what is in them gets to where it belongs."""

from __future__ import annotations

import asyncio

import pytest

from nrunner.errors import SpawnError
from nrunner.folders import Folders


@pytest.fixture
def folders(tmp_path):
    made = Folders()
    made.make(str(tmp_path / "slots" / "a-1"))
    return made


def order(tmp_path, task=1, attempt=1):
    return {"task": task, "attempt": attempt, "log_dir": str(tmp_path / "logs" / f"{task}")}


def over(task=1, attempt=1):
    return [{"event": "ended", "task": task, "attempt": attempt}]


def test_a_folder_is_for_its_user_only(tmp_path, folders):
    assert (tmp_path / "slots" / "a-1").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_cannot_be_made_is_trouble_of_an_environment(tmp_path):
    (tmp_path / "slots").touch()
    with pytest.raises(SpawnError, match="slots/a-1: File exists"):
        Folders().make(str(tmp_path / "slots" / "a-1"))


def test_logs_are_written_below_and_brought_home(tmp_path, folders):
    changed = folders.redirected(order(tmp_path), str(tmp_path / "slots" / "a-1"))
    logs = tmp_path / "slots" / "a-1" / "logs-1-1"
    assert changed["log_dir"] == str(logs)
    logs.mkdir()
    (logs / "stdout").write_text("said")
    folders.bring_home(over())
    assert (tmp_path / "logs" / "1" / "stdout").read_text() == "said"
    folders.bring_home(over())  # told twice


def test_who_wrote_nothing_has_no_folder(tmp_path, folders):
    folders.redirected(order(tmp_path), str(tmp_path / "slots" / "a-1"))
    folders.bring_home(over())
    assert not (tmp_path / "logs").exists()


@pytest.mark.parametrize("what", ["link", "file"])
def test_what_stands_in_the_place_of_logs_is_left_behind(tmp_path, folders, what):
    folders.redirected(order(tmp_path), str(tmp_path / "slots" / "a-1"))
    logs = tmp_path / "slots" / "a-1" / "logs-1-1"
    if what == "link":
        logs.symlink_to("/etc")
    else:
        logs.write_text("no folder")
    folders.bring_home(over())
    assert not (tmp_path / "logs" / "1").exists()


def test_what_there_is_of_an_attempt_that_was_lost_is_brought_home(tmp_path, folders):
    folders.redirected(order(tmp_path), str(tmp_path / "slots" / "a-1"))
    (tmp_path / "slots" / "a-1" / "logs-1-1").mkdir()
    folders.leave([(1, 1)])
    assert (tmp_path / "logs" / "1").is_dir()


def test_what_is_left_is_removed_and_what_a_link_leads_to_is_not(tmp_path, folders):
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    (tmp_path / "slots" / "a-1" / "link").symlink_to(kept)
    folders.leave([])
    asyncio.run(folders.remove())
    assert not (tmp_path / "slots" / "a-1").exists()
    assert (kept / "file").exists()
