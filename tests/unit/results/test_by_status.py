"""Links by status are for what has a folder, or should have one."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from nrunner.result import Result
from nrunner.results.by_status import ByStatus
from nrunner.testing.sample import sample_attempt, sample_job, sample_report


@pytest.fixture
def links(tmp_path: Path) -> ByStatus:
    (tmp_path / "test-results").mkdir()
    links = ByStatus()
    links.job_opened(sample_job(folder=tmp_path))
    return links


def found(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder / "test-results/by-status")): str(path.readlink())
        for path in (folder / "test-results").glob("by-status/*/*")
    }


def test_a_pass_without_a_folder_has_no_link(tmp_path, links):
    links.task_settled(replace(sample_report(), log_dir=None))
    links.flush()
    assert list((tmp_path / "test-results").iterdir()) == []


def test_a_silent_failure_gets_a_folder_and_a_link(tmp_path, links):
    links.task_settled(replace(sample_report(3, "x"), result=Result.FAIL, log_dir=None))
    assert found(tmp_path) == {}
    links.flush()
    assert found(tmp_path) == {"FAIL/3-x": "../../3-x"}
    assert (tmp_path / "test-results/3-x").is_dir()


def test_attempts_share_the_link_of_their_task(tmp_path, links):
    again = "test-results/1-x/attempt-2"
    report = replace(sample_report(1, "x"), log_dir=again, attempts=(sample_attempt(1),) * 2)
    links.task_settled(report)
    links.job_closed(sample_job(folder=tmp_path))
    assert found(tmp_path) == {"PASS/1-x": "../../1-x"}


def test_a_link_that_is_there_or_cannot_be_made_harms_nobody(tmp_path, links):
    for _ in range(2):
        links.task_settled(replace(sample_report(1, "x"), log_dir="test-results/1-x"))
    links.flush()
    (tmp_path / "test-results/by-status/FAIL").write_text("in the way")
    links.task_settled(replace(sample_report(2, "y"), result=Result.FAIL, log_dir=None))
    links.flush()
    assert found(tmp_path) == {"PASS/1-x": "../../1-x"}


def test_folders_are_the_users_own_whatever_the_umask(tmp_path, links):
    before = os.umask(0)
    try:
        links.task_settled(replace(sample_report(2, "y"), result=Result.FAIL, log_dir=None))
        links.flush()
    finally:
        os.umask(before)
    made = [path for path in (tmp_path / "test-results").rglob("*") if not path.is_symlink()]
    assert len(made) == 3
    assert {path.stat().st_mode & 0o077 for path in made} == {0}
