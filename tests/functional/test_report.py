"""`nrunner report`: reports made again from the journal alone."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from nrunner.schema import problems
from tests.functional.sandbox import Sandbox, wait_until

FIXTURES = Path(__file__).parents[1] / "fixtures" / "journals"


def test_reports_come_back_as_they_were(sandbox: Sandbox) -> None:
    sandbox.write("two.t", "#!/bin/sh\necho 1..1\necho not ok 1 - first\n")
    assert sandbox.run("run", "/bin/true", "two.t", "/bin/false", "--shuffle").code == 1
    names = ("results.json", "results.tap", "results.xml", "results.html")
    before = {name: (sandbox.job / name).read_bytes() for name in names}
    for name in names:
        (sandbox.job / name).unlink()
    assert sandbox.run("report").code == 0
    assert {name: (sandbox.job / name).read_bytes() for name in names} == before


def test_a_report_goes_where_it_is_wanted_and_nothing_else_is_touched(sandbox: Sandbox) -> None:
    sandbox.run("run", "/bin/true")
    (sandbox.job / "results.json").unlink()
    done = sandbox.run("report", "latest", "--json", "-", "--tap", "out.tap")
    assert done.code == 0
    assert json.loads(done.out)["total"] == 1
    assert (sandbox.here / "out.tap").read_text().startswith("TAP version")
    assert not (sandbox.job / "results.json").exists()


def test_reports_are_the_same_where_the_results_folder_is_relative(sandbox: Sandbox) -> None:
    sandbox.env["NRUNNER_RUN_RESULTS_DIR"] = "../results"
    sandbox.run("run", "/bin/true")
    job_id = (sandbox.job / "id").read_text()[:12]
    before = sandbox.results()
    assert sandbox.run("report", job_id).code == 0
    assert sandbox.results() == before
    both = sandbox.run("report", "latest", job_id, "--json", "-")
    assert (both.code, both.err) == (0, "")
    assert json.loads(both.out)["total"] == 2


def test_a_job_that_was_cut_off_is_reported_as_far_as_it_got(sandbox: Sandbox) -> None:
    sandbox.write("t.sh", "#!/bin/sh\nsleep 30\n")
    run = sandbox.start("run", "/bin/true", "t.sh", "--max-parallel-tasks", "1")
    run.wait_started(2)
    running = sandbox.run("report")
    assert running.code == 4
    assert "its own reports are written at its end" in running.err
    run.signal(signal.SIGKILL)
    run.wait()
    done = sandbox.run("report", "--json", "out.json")
    assert done.code == 0
    assert "is interrupted: 1 of 2 tasks have a verdict" in done.err
    data = json.loads((sandbox.here / "out.json").read_text())
    assert (data["pass"], data["total"], data["exit_code"]) == (1, 2, 2)
    wait_until(lambda: not sandbox.running(), "the orphan has left")


def test_why_a_job_was_cut_short_is_told_again(sandbox: Sandbox) -> None:
    sandbox.write("t.sh", "#!/bin/sh\nsleep 30\n")
    run = sandbox.start("run", "t.sh")
    run.wait_started(1)
    run.signal(signal.SIGINT)
    assert run.wait().code == 8
    before = json.loads((sandbox.job / "results.json").read_text())
    assert sandbox.run("report").code == 0
    assert json.loads((sandbox.job / "results.json").read_text()) == before
    assert before["interrupted"]


def test_a_journal_of_an_older_format_is_reported(sandbox: Sandbox) -> None:
    sandbox.run("run", "/bin/true")
    old = (FIXTURES / "format-1.jsonl").read_bytes()
    (sandbox.job / "journal.jsonl").write_bytes(old)
    assert sandbox.run("report").code == 0
    data = json.loads((sandbox.job / "results.json").read_text())
    assert (data["total"], data["pass"], data["failures"]) == (5, 3, 2)


def test_no_journal_is_an_error_in_words(sandbox: Sandbox) -> None:
    sandbox.run("run", "/bin/true")
    (sandbox.job / "journal.jsonl").unlink()
    done = sandbox.run("report")
    assert done.code == 2
    assert "No such file or directory" in done.err


def test_several_jobs_are_reported_as_one(sandbox: Sandbox) -> None:
    sandbox.write("say.sh", "#!/bin/sh\necho from the second; exit 1\n")
    sandbox.run("run", "/bin/true", "/bin/false")
    sandbox.run("run", "say.sh")
    first, second = sorted(each.name for each in sandbox.base.glob("job-*"))
    if (sandbox.base / first / "journal.jsonl").read_text().count('"planned"') == 1:
        first, second = second, first
    asked = ("--json", "one.json", "--html", "one.html", "--xunit", "one.xml", "--tap", "-")
    done = sandbox.run("report", first, second, *asked)
    assert done.code == 0, done.err
    assert "1..3" in done.out
    assert "not ok 3 - say.sh" in done.out
    data = json.loads((sandbox.here / "one.json").read_text())
    assert problems(data, "results") == []
    counts = [data[each] for each in ("total", "pass", "failures", "exit_code")]
    assert counts == [3, 1, 2, 1]
    assert [each["number"] for each in data["tests"]] == [1, 2, 3]
    last = data["tests"][2]
    assert last["environment"].endswith("/process")
    assert (sandbox.base / last["outputs"]["stdout"]).read_text() == "from the second\n"
    assert "from the second" in (sandbox.here / "one.html").read_text()
    assert "from the second" in (sandbox.here / "one.xml").read_text()


def test_several_jobs_have_no_folder_to_write_their_report_to(sandbox: Sandbox) -> None:
    sandbox.run("run", "/bin/true")
    done = sandbox.run("report", "latest", "latest")
    assert done.code == 4
    assert "tell which report, such as --html FILE" in done.err


def test_diff_says_what_became_of_tests_and_its_exit_code_whether_it_is_worse(
    sandbox: Sandbox,
) -> None:
    sandbox.write("t.sh", "#!/bin/sh\ntest -e good\n")
    sandbox.run("run", "t.sh", "/bin/true")
    old = sandbox.job.name
    sandbox.write("good", "")
    sandbox.run("run", "t.sh", "/bin/false")
    better = sandbox.run("diff", old)
    assert better.code == 1
    assert better.lines[2:] == [
        *("FIXED (1)", "  t.sh: FAIL -> PASS", "GONE (1)", "  /bin/true: PASS"),
        *("NEW (1)", "  /bin/false: FAIL", "AS BEFORE  : 0, of which 0 fail"),
    ]
    worse = sandbox.run("diff", "latest", old, "--json")
    assert worse.code == 1
    data = json.loads(worse.out)
    [change] = data["newly_failing"]
    assert (change["name"], change["after"]["detail"]) == ("t.sh", "exited with status 1")
    same = sandbox.run("diff", "latest", "latest")
    assert (same.code, same.lines[-1]) == (0, "AS BEFORE  : 2, of which 1 fail")
