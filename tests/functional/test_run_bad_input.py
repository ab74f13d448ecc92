"""Bad input that reaches a job: it ends as a verdict or a message, never as a traceback."""

import json
import subprocess
import sys

import pytest


@pytest.fixture
def here(tmp_path, job_results):
    """Return a folder to work in, with one good test in it."""
    folder = tmp_path / "here"
    folder.mkdir()
    script(folder / "good.sh")
    return folder


def script(path, text="#!/bin/sh\n"):
    path.write_text(text)
    path.chmod(0o755)


def nrunner(here, *argv, **more):
    more = {"capture_output": True, "timeout": 50, **more}
    end = subprocess.run([sys.executable, "-m", "nrunner", *argv], cwd=here, **more)
    end.stdout = (end.stdout or b"").decode("utf-8", "replace")
    end.stderr = (end.stderr or b"").decode("utf-8", "replace")
    assert "Traceback" not in end.stdout + end.stderr
    return end


def verdicts(job_results):
    data = json.loads((job_results / "latest" / "results.json").read_text())
    return [(each["id"], each["status"], each["cause"]) for each in data["tests"]]


def test_an_unknown_kind_is_an_error_of_its_task_alone(here, job_results):
    (here / "odd.json").write_text('{"kind": "exec-tset", "uri": "x"}')
    end = nrunner(here, "run", "good.sh", "odd.json")
    assert end.returncode == 1
    assert "exec-tset" in end.stdout
    assert verdicts(job_results) == [
        ("1-good.sh", "PASS", "test"),
        ("2-x", "ERROR", "malformed"),
    ]


def test_corrupt_references_end_in_error_where_missing_ones_are_ignored(here, job_results):
    (here / "bad.json").write_text('{"kind": 5}')
    end = nrunner(here, "run", "bad.json", "gone.sh", "good.sh", "--ignore-missing-references")
    assert end.returncode == 1
    assert end.stderr.startswith("nrunner: ignored: gone.sh: does not exist")
    assert 'bad.json: ERROR: bad.json:1: key "kind": expected a string' in end.stdout
    assert verdicts(job_results) == [
        ("1-bad.json", "ERROR", "malformed"),
        ("2-good.sh", "PASS", "test"),
    ]


def test_odd_names_of_real_files_are_run_and_shown_on_one_line(here, job_results):
    names = ["new\nline.sh", "..strange..sh", "x" * 250, "\x1b[31mred.sh", "-.sh"]
    for name in names:
        script(here / name)
    end = nrunner(here, "run", *(f"./{name}" for name in names))
    assert end.returncode == 0
    lines = [line for line in end.stdout.splitlines() if "PASS (" in line]
    assert len(lines) == len(names)
    assert "\x1b" not in end.stdout
    assert [status for _, status, _ in verdicts(job_results)] == ["PASS"] * len(names)


def test_a_reader_that_leaves_early_does_not_stop_the_job(here, job_results):
    script(here / "bad.sh", "#!/bin/sh\nexit 1\n")
    command = '"$0" -m nrunner run good.sh bad.sh good.sh | head -1; exit ${PIPESTATUS[0]}'
    end = subprocess.run(
        ["bash", "-c", command, sys.executable], cwd=here, capture_output=True, timeout=50
    )
    assert end.returncode == 1
    assert end.stdout.startswith(b"JOB ID")
    assert end.stderr == b""
    assert [status for _, status, _ in verdicts(job_results)] == ["PASS", "FAIL", "PASS"]


def test_a_report_on_standard_output_has_it_for_itself(here):
    end = nrunner(here, "run", "good.sh", "--json", "-")
    assert end.returncode == 0
    assert json.loads(end.stdout)["pass"] == 1
    assert "(1/1) good.sh: PASS" in end.stderr
    tap = nrunner(here, "run", "good.sh", "--tap", "-")
    assert tap.stdout.startswith(("TAP version", "1..1"))


def test_a_dry_run_starts_nothing(here, job_results):
    script(here / "trace.sh", "#!/bin/sh\ntouch ran\n")
    end = nrunner(here, "run", "./trace.sh", "--dry-run")
    assert end.returncode == 0
    assert "CANCEL: dry run" in end.stdout
    assert verdicts(job_results) == [("1-./trace.sh", "CANCEL", "cancelled")]
    assert not (here / "ran").exists()


def test_an_unwritable_report_is_told_and_counts_for_the_job(here, job_results):
    end = nrunner(here, "run", "good.sh", "--json", "no/such/folder/x.json")
    assert end.returncode == 2
    assert "no/such/folder/x.json" in end.stdout + end.stderr
    assert verdicts(job_results) == [("1-good.sh", "PASS", "test")]


def test_settings_reach_the_payload(here, job_results):
    script(here / "skip.sh", '#!/bin/sh\n[ "$MODE" = thorough ] && exit 77\nexit 3\n')
    (here / "nrunner.toml").write_text("runner.exectest.exitcodes.skip = [77]\n")
    end = nrunner(here, "run", "skip.sh", "-p", "MODE=thorough")
    assert end.returncode == 0
    assert [status for _, status, _ in verdicts(job_results)] == ["SKIP"]


def test_variables_that_are_no_text_are_an_error_of_their_task_alone(here, job_results):
    recipe = '{"kind": "exec-test", "uri": "good.sh", "config": {"runner.env": %s}}'
    odd = ["5", '{"A": 1}', '["A"]', '{"A=": "x"}', '{"A": "\\u0000"}']
    for number, env in enumerate(odd):
        (here / f"odd{number}.json").write_text(recipe % env)
    names = [f"odd{number}.json" for number in range(len(odd))]
    end = nrunner(here, "run", *names, "good.sh")
    assert end.returncode == 1
    assert [cause for _, _, cause in verdicts(job_results)] == ["malformed"] * len(odd) + ["test"]
    assert 'key "runner.env"' in end.stdout


def test_a_limit_of_years_is_a_limit(here, job_results):
    end = nrunner(here, "run", "good.sh", "--task-timeout", "3000000")
    assert (end.returncode, verdicts(job_results)) == (0, [("1-good.sh", "PASS", "test")])
