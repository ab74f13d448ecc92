"""What is written for those who look into jobdata."""

from __future__ import annotations

import ast
import json
import os
from pathlib import Path

from nrunner.jobdata import write_jobdata
from nrunner.layout import JobFolder
from nrunner.plan import JobPlan
from nrunner.runnable import Runnable
from nrunner.task import TaskLimits, make_tasks

BIRD = {"variant_id": "bird", "variant": [["/", [["/", "n", 3]]]], "paths": ["/"]}


def plan() -> JobPlan:
    plain = make_tasks([("a\udcff.sh", Runnable("noop", "x"), "")], TaskLimits(), suite="../x y")
    varied = [("b.sh", Runnable("noop", "y", variant=BIRD), "")] * 2
    tasks = (*plain, *make_tasks(varied, TaskLimits(), first=2))
    command = ("nrunner", "run", "it's")
    return JobPlan(tasks, Path("/here"), Path("/results"), command, config={"run.leak": "warn"})


def test_each_suite_has_a_file_of_its_variants(tmp_path: Path) -> None:
    write_jobdata(JobFolder(tmp_path), plan())
    found = {path.name: path.read_text() for path in (tmp_path / "jobdata").glob("variants*")}
    assert sorted(found) == ["variants-1-.._x_y.json", "variants-2.json"]
    assert json.loads(found["variants-2.json"]) == [BIRD]
    [none] = json.loads(found["variants-1-.._x_y.json"])
    assert (none["variant_id"], none["variant"]) == (None, [["/", []]])


def test_lists_are_written_as_python_has_them(tmp_path: Path) -> None:
    write_jobdata(JobFolder(tmp_path), plan())
    folder = tmp_path / "jobdata"
    assert ast.literal_eval((folder / "cmdline").read_text()) == ["nrunner", "run", "it's"]
    assert ast.literal_eval((folder / "test_references").read_text()) == ["a\udcff.sh", "b.sh"]
    assert (folder / "pwd").read_text() == "/here"
    settings = json.loads((folder / "args.json").read_text())
    assert (settings["run.leak"], settings["resolver.references"][1]) == ("warn", "b.sh")


def test_what_is_there_already_stays(tmp_path: Path) -> None:
    (tmp_path / "jobdata").mkdir()
    write_jobdata(JobFolder(tmp_path), plan())
    assert list((tmp_path / "jobdata").iterdir()) == []


def test_it_is_the_users_own_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_jobdata(JobFolder(tmp_path), plan())
    finally:
        os.umask(before)
    made = [tmp_path / "jobdata", *(tmp_path / "jobdata").iterdir()]
    assert {path.stat().st_mode & 0o077 for path in made} == {0}
