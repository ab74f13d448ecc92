import json
import os
from datetime import datetime
from pathlib import Path

import pytest

from nrunner.cli.main import main
from nrunner.errors import ExitCode
from nrunner.journal import Journal
from nrunner.layout import create_job_folder
from nrunner.lock import JobLock, Stage
from nrunner.register import enter
from nrunner.result import Cause, Result
from nrunner.results.base import JobReport, TaskReport
from nrunner.results.json_report import JsonReport

DONE, CUT, RUNNING = "a" * 40, "b" * 40, "c" * 40
CUT_AT = 1_795_342_500.25


def a_report(number: int, result: Result, detail: str) -> TaskReport:
    return TaskReport(
        number=number,
        id=f"{number}-x.sh",
        reference="x.sh",
        suite="",
        kind="exec-test",
        uri="x.sh",
        variant=None,
        tags={},
        result=result,
        cause=Cause.TEST,
        detail=detail,
        attempts=(),
        phases=(),
        time_start=1.0,
        time_end=2.0,
        elapsed=1.0,
    )


def make_done(base: Path) -> None:
    done = create_job_folder(base, DONE, datetime(2026, 11, 22, 10, 15))
    task = a_report(1, Result.FAIL, "exited with\x1b status 1")
    job = JobReport(
        DONE, done.root, (), 1, 1.0, 2.5, {Result.FAIL: 1}, exit_code=ExitCode.TESTS_FAILED
    )
    with done.report("results.json").open("w", encoding="utf-8") as stream:
        JsonReport().write(job, [task], stream)


def make_cut(base: Path) -> None:
    """Make a job that was cut off after one of its three tasks."""
    cut = create_job_folder(base, CUT, datetime(2026, 11, 22, 10, 16))
    journal = Journal(cut.journal)
    report = a_report(2, Result.PASS, "")
    journal.append(
        [
            {"type": "job", "format": 1, "id": CUT, "wall": CUT_AT, "total": 3},
            {"type": "settled", "task": 2, "report": report},
        ]
    )
    journal.close()


@pytest.fixture
def folders(job_results):
    """One job that is done, and a later one that was cut off."""
    make_done(job_results)
    make_cut(job_results)
    return job_results


def test_jobs_are_listed_oldest_first_with_what_became_of_them(folders, capsys):
    assert main(["jobs", "list"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.split()[0] == "aaaaaaa"
    assert first.endswith("job-2026-11-22T10.15-aaaaaaa  complete     failures 1")
    when = f"{datetime.fromtimestamp(CUT_AT):%Y-%m-%d %H:%M:%S}"
    assert second == (
        f"bbbbbbb  {when}  job-2026-11-22T10.16-bbbbbbb  interrupted  "
        "1 of 3: pass 1; nrunner jobs resume bbbbbbbbbbbb"
    )


def test_jobs_are_listed_for_programs(folders, capsys):
    assert main(["jobs", "list", "--json"]) == 0
    done, cut = json.loads(capsys.readouterr().out)
    assert (done["job_id"], done["complete"], done["failures"], done["total"]) == (DONE, True, 1, 1)
    assert (done["state"], done["settled"], done["hint"]) == ("complete", 1, None)
    assert cut == {
        "job_id": CUT,
        "folder": str(folders / "job-2026-11-22T10.16-bbbbbbb"),
        "state": "interrupted",
        "complete": False,
        "reason": "its controller is gone before the job's end",
        "hint": "nrunner jobs resume bbbbbbbbbbbb",
        "start": CUT_AT,
        "total": 3,
        "settled": 1,
        **dict.fromkeys(("errors", "failures", "skip", "warn", "interrupt", "cancel"), 0),
        "pass": 1,
    }


def test_a_job_whose_controller_is_beyond_reach_is_listed_with_what_helps(folders, capsys):
    folder = create_job_folder(folders, RUNNING, datetime(2026, 11, 22, 10, 17))
    lock = JobLock.take(folder)
    assert main(["jobs", "list"]) == 0
    assert capsys.readouterr().out.splitlines()[2].split()[-1] == "running"
    lock.tell(Stage.SERVING)
    assert main(["jobs", "list"]) == 0
    row = capsys.readouterr().out.splitlines()[2]
    assert "  borked       its control socket is dead, but its lock is held by process " in row
    assert row.endswith(f"; kill -KILL {os.getpid()}")
    assert main(["jobs", "show", "ccc"]) == ExitCode.JOB_FAILED
    assert f"(what helps: kill -KILL {os.getpid()})" in capsys.readouterr().err
    lock.release()


def test_jobs_elsewhere_that_are_not_over_are_listed_by_their_path(folders, tmp_path, capsys):
    folder = create_job_folder(tmp_path / "other", RUNNING, datetime(2026, 11, 22, 10, 17))
    enter(folder, RUNNING)
    assert main(["jobs", "list"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 3
    assert rows[0].split()[:4] == ["ccccccc", "-", str(folder.root), "interrupted"]
    assert main(["jobs", "list", "--job-results-dir", str(folders)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert main(["jobs", "show", "ccc"]) == ExitCode.JOB_FAILED
    assert f"JOB FOLDER : {folder.root}" in capsys.readouterr().out


def test_a_results_folder_that_is_not_there_holds_no_jobs(job_results, capsys):
    assert main(["jobs", "list"]) == 0
    assert capsys.readouterr().out == ""


def test_a_job_is_shown_by_the_beginning_of_its_id(folders, capsys):
    assert main(["jobs", "show", "aaaa"]) == 0
    output = capsys.readouterr().out
    assert f"JOB ID     : {DONE}" in output
    assert "JOB STATE  : complete" in output
    assert "  FAIL  1-x.sh: exited with\\x1b status 1" in output
    assert "FAILURES 1" in output
    assert "JOB TIME   : 2.50 s" in output


def test_an_interrupted_job_is_shown_as_far_as_it_came(folders, capsys):
    assert main(["jobs", "show", "latest"]) == ExitCode.JOB_FAILED
    output = capsys.readouterr()
    assert f"JOB ID     : {CUT}" in output.out
    assert "JOB STATE  : interrupted" in output.out
    assert "  PASS  2-x.sh" in output.out
    assert "SETTLED    : 1 of 3" in output.out
    assert "PASS 1 | ERRORS 0" in output.out
    assert "is interrupted: its controller is gone before the job's end" in output.err
    assert "(what helps: nrunner jobs resume bbbbbbbbbbbb)" in output.err


def test_a_job_that_runs_is_shown_and_nothing_is_wrong(folders, capsys):
    folder = create_job_folder(folders, RUNNING, datetime(2026, 11, 22, 10, 17))
    lock = JobLock.take(folder)
    assert main(["jobs", "show"]) == 0
    output = capsys.readouterr()
    assert ("JOB STATE  : running" in output.out, output.err) == (True, "")
    lock.release()


def test_a_job_is_shown_for_programs(folders, capsys):
    assert main(["jobs", "show", DONE, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tests"][0]["status"] == "FAIL"
    assert main(["jobs", "show", CUT, "--json"]) == ExitCode.JOB_FAILED
    data = json.loads(capsys.readouterr().out)
    assert (data["state"], data["settled"], data["total"]) == ("interrupted", 1, 3)
    assert data["tests"] == [{"number": 2, "id": "2-x.sh", "status": "PASS", "fail_reason": None}]


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
    assert capsys.readouterr().out.splitlines()[0].endswith("complete     no figures")


@pytest.mark.parametrize(
    ("word", "expected"), [("", ["latest", "b" * 12, "a" * 12]), ("b", ["b" * 12]), ("z", [])]
)
def test_a_shell_completes_the_name_of_a_job(folders, monkeypatch, capsys, word, expected):
    monkeypatch.setenv("_NRUNNER_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", f"nrunner jobs show {word}")
    monkeypatch.setenv("COMP_CWORD", "3")
    main([])
    assert capsys.readouterr().out.split() == [f"plain,{each}" for each in expected]
