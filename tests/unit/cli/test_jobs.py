import json
from datetime import datetime

import pytest

from nrunner.cli.main import main
from nrunner.errors import ExitCode
from nrunner.layout import create_job_folder
from nrunner.result import Cause, Result
from nrunner.results.base import JobReport, TaskReport
from nrunner.results.json_report import JsonReport

DONE, RUNNING = "a" * 40, "b" * 40


@pytest.fixture
def folders(job_results):
    """One job that is done, and a later one that runs."""
    done = create_job_folder(job_results, DONE, datetime(2026, 11, 22, 10, 15))
    task = TaskReport(
        number=1,
        id="1-x.sh",
        reference="x.sh",
        suite="",
        kind="exec-test",
        uri="x.sh",
        variant=None,
        tags={},
        result=Result.FAIL,
        cause=Cause.TEST,
        detail="exited with\x1b status 1",
        attempts=(),
        phases=(),
        time_start=1.0,
        time_end=2.0,
        elapsed=1.0,
    )
    job = JobReport(
        DONE, done.root, (), 1, 1.0, 2.5, {Result.FAIL: 1}, exit_code=ExitCode.TESTS_FAILED
    )
    with done.report("results.json").open("w", encoding="utf-8") as stream:
        JsonReport().write(job, [task], stream)
    create_job_folder(job_results, RUNNING, datetime(2026, 11, 22, 10, 16))
    return job_results


def test_jobs_are_listed_oldest_first_and_incomplete_ones_as_such(folders, capsys):
    assert main(["jobs", "list"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.split()[0] == "aaaaaaa"
    assert first.endswith("job-2026-11-22T10.15-aaaaaaa  failures 1")
    assert second.split() == ["bbbbbbb", "-", "job-2026-11-22T10.16-bbbbbbb", "incomplete"]


def test_jobs_are_listed_for_programs(folders, capsys):
    assert main(["jobs", "list", "--json"]) == 0
    done, running = json.loads(capsys.readouterr().out)
    assert (done["job_id"], done["complete"], done["failures"], done["total"]) == (DONE, True, 1, 1)
    assert running == {
        "job_id": RUNNING,
        "folder": str(folders / "job-2026-11-22T10.16-bbbbbbb"),
        "complete": False,
    }


def test_a_results_folder_that_is_not_there_holds_no_jobs(job_results, capsys):
    assert main(["jobs", "list"]) == 0
    assert capsys.readouterr().out == ""


def test_a_job_is_shown_by_the_beginning_of_its_id(folders, capsys):
    assert main(["jobs", "show", "aaaa"]) == 0
    output = capsys.readouterr().out
    assert f"JOB ID     : {DONE}" in output
    assert "  FAIL  1-x.sh: exited with\\x1b status 1" in output
    assert "FAILURES 1" in output
    assert "JOB TIME   : 2.50 s" in output


def test_an_incomplete_job_is_shown_as_such(folders, capsys):
    assert main(["jobs", "show", "latest"]) == ExitCode.JOB_FAILED
    output = capsys.readouterr()
    assert f"JOB ID     : {RUNNING}" in output.out
    assert "is incomplete: it has no results.json" in output.err


def test_a_job_is_shown_for_programs(folders, capsys):
    assert main(["jobs", "show", DONE, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tests"][0]["status"] == "FAIL"


def test_a_job_that_is_not_there_is_told(folders, capsys):
    assert main(["jobs", "show", "zzz"]) == ExitCode.USAGE
    assert "could not find a job 'zzz'" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["", "[]", "{", "\udcff"])
def test_a_damaged_report_is_told(folders, capsys, content):
    report = folders / "job-2026-11-22T10.15-aaaaaaa" / "results.json"
    report.write_bytes(content.encode("utf-8", "surrogateescape"))
    assert main(["jobs", "show", "aaaa"]) == ExitCode.JOB_FAILED
    assert "could not read" in capsys.readouterr().err
    assert main(["jobs", "list"]) == 0
    assert "incomplete" in capsys.readouterr().out.splitlines()[0]
