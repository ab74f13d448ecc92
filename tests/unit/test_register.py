import os
from datetime import datetime
from pathlib import Path

import pytest

from nrunner.layout import JobFolder, create_job_folder
from nrunner.register import enter, registered, strike
from nrunner.userfolder import results_folder

ONE, TWO = "1" * 40, "2" * 40


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data/nrunner"


def made(base: Path, job_id: str, age: int = 0) -> JobFolder:
    folder = create_job_folder(base, job_id, datetime(2026, 11, 22, 10, 15))
    os.utime(folder.id_file, (1_800_000_000 - age,) * 2)
    enter(folder, job_id)
    return folder


def test_jobs_of_any_results_folder_are_found_oldest_first(tmp_path, monkeypatch):
    young = made(tmp_path / "a", ONE)
    monkeypatch.chdir(tmp_path)
    made(Path("b"), TWO, age=9)
    assert registered() == [JobFolder(tmp_path / "b" / "job-2026-11-22T10.15-2222222"), young]


def test_a_job_that_is_over_is_struck_off(tmp_path):
    folder = made(tmp_path, ONE)
    other = made(tmp_path, TWO)
    strike(folder, ONE)
    assert registered() == [other]
    strike(folder, ONE)


def test_jobs_in_the_usual_folder_are_not_entered(data):
    made(results_folder(), ONE)
    assert results_folder() == data / "job-results"
    assert registered() == []
    assert not (data / "jobs").exists()


def test_a_folder_that_was_removed_is_forgotten_but_not_one_that_is_away(tmp_path, data):
    removed, away = made(tmp_path / "a", ONE), made(tmp_path / "disk", TWO)
    (tmp_path / "disk").rename(tmp_path / "unmounted")
    removed.id_file.unlink()
    removed.test_results.rmdir()
    removed.root.rmdir()
    assert registered() == []
    assert [link.name for link in (data / "jobs").iterdir()] == [TWO]
    (tmp_path / "unmounted").rename(tmp_path / "disk")
    assert registered() == [away]


def test_a_register_that_cannot_be_written_hinders_no_job(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    folder = made(tmp_path, ONE)
    strike(folder, ONE)
    assert registered() == []


def test_nobody_else_sees_which_jobs_there_are(tmp_path, data):
    made(tmp_path, ONE)
    assert (data / "jobs").stat().st_mode & 0o777 == 0o700
