"""What `nrunner run` prints, returns and leaves behind, and what its options do to a job."""

from __future__ import annotations

import json
import os
import re
import stat
import zipfile

import pytest

from nrunner.runners.removal import remove_tree
from tests.functional.sandbox import End, Sandbox, check_moves

SECONDS = r"\d+\.\d\d s"
RESULTS = "RESULTS    : PASS {} | ERROR {} | FAIL {} | SKIP {} | WARN {} | INTERRUPT {} | CANCEL {}"


def results_line(**counts: int) -> str:
    names = ("PASS", "ERROR", "FAIL", "SKIP", "WARN", "INTERRUPT", "CANCEL")
    return RESULTS.format(*(counts.get(name.lower(), 0) for name in names))


def names(sandbox: Sandbox) -> list[str]:
    return [each["name"] for each in sandbox.results()["tests"]]


def statuses(sandbox: Sandbox) -> list[str]:
    return [each["status"] for each in sandbox.results()["tests"]]


def test_true_and_false_are_told_and_kept_as_documented(sandbox: Sandbox) -> None:
    end = sandbox.run("run", "/bin/true", "/bin/false", "--max-parallel-tasks", "1")
    assert (end.code, end.err) == (1, "")

    job_id = (sandbox.job / "id").read_text().strip()
    assert re.fullmatch("[0-9a-f]{40}", job_id)
    lines = [
        f"JOB ID     : {job_id}",
        f"JOB LOG    : {re.escape(str(sandbox.job / 'job.log'))}",
        rf" \(1/2\) /bin/true: PASS \({SECONDS}\)",
        rf" \(2/2\) /bin/false: FAIL: exited with status 1 \({SECONDS}\)",
        re.escape(results_line(**{"pass": 1, "fail": 1})),
        rf"JOB TIME   : {SECONDS}",
    ]
    assert re.fullmatch("\n".join(lines) + "\n", end.out)

    assert re.fullmatch(rf"job-\d{{4}}-\d\d-\d\dT\d\d\.\d\d-{job_id[:7]}", sandbox.job.name)
    assert (sandbox.base / "latest").readlink().name == sandbox.job.name
    assert stat.S_IMODE(sandbox.job.stat().st_mode) == 0o700
    kept = {path.name for path in sandbox.job.iterdir() if not path.is_symlink()}
    reports = {"results.html", "results.json", "results.tap", "results.xml"}
    files = {"id", "jobdata", "lock", "job.log", "journal.jsonl", "test-results"}
    assert kept == {*files, *reports}
    found = {path.name for path in (sandbox.job / "test-results").rglob("*")}
    assert found == {"2-_bin_false", "by-status", "FAIL"}
    assert (sandbox.job / "job.log").read_text().count(" /bin/true: PASS") == 1
    assert not (sandbox.job / "control").exists()

    data = sandbox.results()
    assert data["job_id"] == job_id
    assert data["command"][-4:] == ["/bin/true", "/bin/false", "--max-parallel-tasks", "1"]
    assert (data["exit_code"], data["total"], data["pass"], data["failures"]) == (1, 2, 1, 1)
    assert [each["id"] for each in data["tests"]] == ["1-/bin/true", "2-/bin/false"]
    assert [each["returncode"] for each in data["tests"]] == [0, 1]
    tap = (sandbox.job / "results.tap").read_text()
    assert re.search(r"^ok 1 .*\nnot ok 2 ", tap, re.M)

    records = sandbox.records()
    ways = check_moves(records)
    assert [each["type"] for each in records[:3]] == ["job", "planned", "planned"]
    assert records[-1]["type"] == "closed"
    way = ["REQUESTED", "TRIAGING", "READY", "STARTING", "STARTED", "FINISHED"]
    assert [[phase for phase, _ in ways[number]] for number in (1, 2)] == [way, way]


def test_a_job_leaves_nothing_running_and_no_sockets(sandbox: Sandbox) -> None:
    assert sandbox.run("run", "/bin/true").code == 0
    assert sandbox.running() == {}
    folder = (sandbox.job / "control").readlink().parent
    assert not folder.exists()


def test_ids_are_padded_to_the_width_of_the_count(sandbox: Sandbox) -> None:
    assert sandbox.run("run", *["/bin/true"] * 10).code == 0
    ids = [each["id"] for each in sandbox.results()["tests"]]
    assert ids == [f"{number:02}-/bin/true" for number in range(1, 11)]


def test_the_latest_link_follows_the_latest_job(sandbox: Sandbox) -> None:
    sandbox.run("run", "/bin/true")
    first = sandbox.job
    sandbox.run("run", "/bin/false")
    assert sandbox.job != first
    assert json.loads((first / "results.json").read_text())["pass"] == 1


def test_what_a_payload_says_and_leaves_is_in_its_folder(sandbox: Sandbox) -> None:
    sandbox.write(
        "talks.sh",
        "#!/bin/sh\nprintf 'to out'; printf 'to err' >&2\n"
        'printf "$GREETING" > "$NRUNNER_TEST_OUTPUTDIR/note"; touch "$TMPDIR/gone"\n',
    )
    assert sandbox.run("run", "./talks.sh", "-p", "GREETING=hello=there").code == 0
    (test,) = sandbox.results()["tests"]
    folder = sandbox.job / "test-results" / "1-._talks.sh"
    assert test["logdir"] == str(folder)
    assert set(test["outputs"]) == {"stdout", "stderr", "output"}
    assert sorted(path.name for path in folder.rglob("*")) == ["note", "output", "stderr", "stdout"]
    assert (folder / "stdout").read_text() == "to out"
    assert (folder / "stderr").read_text() == "to err"
    assert (folder / "output" / "note").read_text() == "hello=there"


def test_variables_reach_payloads_and_beat_the_environment(sandbox: Sandbox) -> None:
    sandbox.write("shows.sh", '#!/bin/sh\necho "$ONE|$TWO|$THREE"\n')
    sandbox.env["ONE"] = "from outside"
    sandbox.env["TWO"] = "from outside"
    sandbox.write("nrunner.toml", 'run.env = {THREE = "from file"}\n', executable=False)
    assert sandbox.run("run", "./shows.sh", "-p", "TWO=given").code == 0
    out = sandbox.job / "test-results" / "1-._shows.sh" / "stdout"
    assert out.read_text() == "from outside|given|from file\n"


def test_reports_can_be_sent_to_standard_output_and_to_files(sandbox: Sandbox) -> None:
    end = sandbox.run("run", "/bin/true", "/bin/false", "--json", "-", "--tap", "out/my.tap")
    # The folder out/ does not exist: told, and counted as a failed job; the rest is written.
    assert end.code == 3
    assert json.loads(end.out) == sandbox.results()
    assert "out/my.tap" in end.err
    end = sandbox.run("run", "/bin/true", "/bin/false", "--tap", "my.tap", "--json", "my.json")
    assert end.code == 1
    assert (sandbox.here / "my.tap").read_text() == (sandbox.job / "results.tap").read_text()
    assert (sandbox.here / "my.json").read_text() == (sandbox.job / "results.json").read_text()


def test_an_archive_that_cannot_be_made_fails_the_job_whoever_asks(sandbox: Sandbox) -> None:
    sandbox.write("blocks.sh", '#!/bin/sh\nmkdir "${AVOCADO_TEST_OUTPUTDIR%/test-results/*}.zip"\n')
    end = sandbox.run("run", "--archive", "./blocks.sh")
    assert (end.code, end.out.count("could not pack")) == (2, 1)
    assert [sandbox.run("jobs", verb).code for verb in ("wait", "attach", "resume")] == [2, 2, 2]


def test_what_a_test_leaves_does_not_keep_the_job_from_its_archive(sandbox: Sandbox) -> None:
    """Even root cannot read what has a path too long to be opened."""
    sandbox.write("ages.sh", '#!/bin/sh\ntouch -d 2200-01-01 "$AVOCADO_TEST_OUTPUTDIR/late"\n')
    sandbox.write("digs.py", DIGS)
    end = sandbox.run("run", "--archive", "./ages.sh", "./digs.py")
    notices = [each["text"] for each in sandbox.records() if each["type"] == "notice"]
    folder = sandbox.job
    remove_tree(str(folder / "test-results/2-._digs.py"))  # pytest could not
    assert end.code == 0, end
    assert f"left out of {folder.name}.zip: test-results/2-._digs.py/" in end.out
    assert [each[-20:] for each in notices] == [": file name too long"]
    with zipfile.ZipFile(f"{folder}.zip") as packed:
        assert "test-results/1-._ages.sh/output/late" in packed.namelist()
        assert b"JOB TIME" in packed.read("job.log")


DIGS = """#!/usr/bin/env python3
import os
os.chdir(os.environ["AVOCADO_TEST_OUTPUTDIR"])
for _ in range(25):
    os.mkdir("d" * 200)
    os.chdir("d" * 200)
"""


@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/dev/fd/1"])
def test_the_console_goes_to_standard_error_where_a_report_has_standard_output(
    sandbox: Sandbox, name: str
) -> None:
    end = sandbox.run("run", "/bin/true", "--tap", name)
    assert end.out == (sandbox.job / "results.tap").read_text()
    assert "(1/1) /bin/true: PASS" in end.err


def test_fail_fast_starts_nothing_after_the_first_failure(sandbox: Sandbox) -> None:
    sandbox.write("notes.sh", '#!/bin/sh\necho "$1" >> notes\n')
    argv = ["/bin/true", "/bin/false", *["./notes.sh"] * 30]
    end = sandbox.run("run", *argv, "--fail-fast", "--max-parallel-tasks", "1")
    assert end.code == 1
    assert statuses(sandbox) == ["PASS", "FAIL", *["CANCEL"] * 30]
    details = {each["detail"] for each in sandbox.results()["tests"][2:]}
    assert details == {"not started: 02-/bin/false ended FAIL (fail-fast)"}
    assert not (sandbox.here / "notes").exists()


def test_a_dry_run_starts_nothing(sandbox: Sandbox) -> None:
    sandbox.write("notes.sh", "#!/bin/sh\necho ran > notes\n")
    end = sandbox.run("run", "./notes.sh", "/bin/false", "--dry-run")
    assert end.code == 0
    assert statuses(sandbox) == ["CANCEL", "CANCEL"]
    assert {each["detail"] for each in sandbox.results()["tests"]} == {"dry run"}
    assert not (sandbox.here / "notes").exists()
    check_moves(sandbox.records())


def test_a_recipe_of_kind_dry_run_is_cancelled_alone(sandbox: Sandbox) -> None:
    sandbox.write("notes.sh", "#!/bin/sh\necho ran > notes\n")
    recipes = [{"kind": "dry-run", "uri": "./notes.sh"}, {"kind": "exec-test", "uri": "/bin/true"}]
    sandbox.write("seen.json", json.dumps(recipes), executable=False)
    assert sandbox.run("run", "seen.json").code == 0
    assert statuses(sandbox) == ["CANCEL", "PASS"]
    seen = sandbox.tests()["./notes.sh"]
    assert seen["fail_reason"] == "Test cancelled due to --dry-run"
    assert (seen["cause"], seen["outputs"]) == ("test", {})
    assert not (sandbox.here / "notes").exists()


def shuffled(sandbox: Sandbox, *flags: str) -> tuple[list[str], str]:
    """Run ten tests with `flags`; return their order and the seed that was printed."""
    for number in range(10):
        sandbox.write(f"t{number}.sh", "#!/bin/sh\n")
    argv = [f"t{number}.sh" for number in range(10)]
    end = sandbox.run("run", *argv, "--dry-run", *flags)
    assert end.code == 0
    found = re.search(r"shuffled with seed (\d+)", end.err)
    assert found is not None
    assert sandbox.results()["facts"]["shuffle_seed"] == int(found[1])
    order = names(sandbox)
    assert sorted(order) == sorted(argv)
    return order, found[1]


def test_a_shuffled_job_can_be_had_again_by_its_seed(sandbox: Sandbox) -> None:
    order, seed = shuffled(sandbox, "--shuffle")
    assert shuffled(sandbox, "--seed", seed) == (order, seed)
    assert shuffled(sandbox, "--seed", "1")[0] != shuffled(sandbox, "--seed", "2")[0]


def test_a_job_file_runs_its_suites_in_order_each_with_its_settings(sandbox: Sandbox) -> None:
    sandbox.write("shows.sh", '#!/bin/sh\necho "$MODE" >> order\nexit ${STATUS:-0}\n')
    sandbox.write(
        "job.toml",
        """
        [job]
        run.max_parallel_tasks = 4

        [[suite]]
        name = "slow"
        references = ["/bin/sleep-a-bit", "./shows.sh"]
        run.env = { MODE = "slow", STATUS = "77" }
        runner.exectest.exitcodes.skip = [77]

        [[suite]]
        name = "limited"
        references = ["endless.json", "./shows.sh"]
        run.task_timeout = "0.5s"
        run.grace = 0.2
        run.env = { MODE = "limited" }
        """.replace("/bin/sleep-a-bit", "naps.json"),
        executable=False,
    )
    sandbox.write(
        "naps.json", '{"kind": "exec-test", "uri": "/bin/sleep", "args": ["0.4"]}', executable=False
    )
    sandbox.write(
        "endless.json",
        '{"kind": "exec-test", "uri": "/bin/sleep", "args": ["300"]}',
        executable=False,
    )
    end = sandbox.run("run", "--job", "job.toml")
    assert end.code == 8
    tests = sandbox.results()["tests"]
    assert [(each["suite"], each["status"]) for each in tests] == [
        ("slow", "PASS"),
        ("slow", "SKIP"),
        ("limited", "INTERRUPT"),
        ("limited", "PASS"),
    ]
    assert tests[2]["detail"] == "past its 0.5 s limit"
    assert (sandbox.here / "order").read_text() == "slow\nlimited\n"
    ends = [each["time_end"] for each in tests]
    starts = [each["time_start"] for each in tests]
    assert max(ends[:2]) <= min(starts[2:])


def test_a_task_past_its_limit_is_interrupted_and_others_go_on(sandbox: Sandbox) -> None:
    sandbox.write("endless.sh", "#!/bin/sh\necho begun; sleep 300\n")
    argv = ("./endless.sh", "/bin/true", "--task-timeout", "0.4", "--max-parallel-tasks", "1")
    end = sandbox.run("run", *argv)
    assert end.code == 8
    first, second = sandbox.results()["tests"]
    assert (first["status"], first["cause"]) == ("INTERRUPT", "timeout")
    assert first["detail"] == "past its 0.4 s limit"
    assert 0.4 <= first["time_elapsed"] < 5
    assert second["status"] == "PASS"
    assert (sandbox.job / first["outputs"]["stdout"]).read_text() == "begun\n"
    sandbox.wait_nothing_runs()


def test_a_task_that_says_nothing_for_too_long_is_interrupted(sandbox: Sandbox) -> None:
    sandbox.write("chatty.sh", "#!/bin/sh\nfor i in $(seq 15); do echo $i; sleep 0.15; done\n")
    sandbox.write("mute.sh", "#!/bin/sh\necho last word; sleep 300\n")
    flags = ("--task-silence", "1.5", "--grace", "0.2")
    assert sandbox.run("run", "./chatty.sh", "./mute.sh", *flags).code == 8
    chatty, mute = sandbox.results()["tests"]
    assert chatty["status"] == "PASS"
    assert (mute["status"], mute["cause"]) == ("INTERRUPT", "timeout")
    assert mute["detail"] == "no output for 1.5 s"


def test_a_slow_task_is_told_and_goes_on(sandbox: Sandbox) -> None:
    until = 'until [ -e "$NRUNNER_TEST_LOGDIR/evidence.txt" ]; do sleep 0.02; done'
    sandbox.write("slow.sh", f"#!/bin/sh\n{until}\n")
    end = sandbox.run("run", "./slow.sh", "--task-slow", "0.2")
    assert end.code == 0
    assert re.search(r"^NOTICE     : 1-\./slow\.sh is slow", end.out, re.M)
    notices = [each for each in sandbox.records() if each["type"] == "notice"]
    assert [each["task"] for each in notices] == [1]


@pytest.mark.parametrize("show", ["none", "test"])
def test_what_is_shown_can_be_chosen(sandbox: Sandbox, show: str) -> None:
    sandbox.write("fails.sh", "#!/bin/sh\necho the reason\nexit 3\n")
    end: End = sandbox.run("run", "./fails.sh", "--show", show)
    assert end.code == 1
    assert ("the reason" in end.out) == (show == "test")
    assert bool(end.out) == (show == "test")


def test_a_reader_of_one_line_does_not_end_the_job(sandbox: Sandbox) -> None:
    """As `| head -1`: the pipe is closed while tests run."""
    sandbox.write("waits.sh", "#!/bin/sh\nwhile [ ! -e go ]; do sleep 0.02; done\n")
    ours, theirs = os.pipe()
    run = sandbox.start(
        "run", "./waits.sh", "/bin/false", "--max-parallel-tasks", "1", stdout=theirs
    )
    os.close(theirs)
    assert os.read(ours, 4096).startswith(b"JOB ID")
    os.close(ours)
    (sandbox.here / "go").touch()
    end = run.wait()
    assert (end.code, end.err) == (1, "")
    assert statuses(sandbox) == ["PASS", "FAIL"]
    assert "RESULTS" in (sandbox.job / "job.log").read_text()


def test_the_journal_says_which_tests_may_run_twice(sandbox: Sandbox) -> None:
    recipe = '{"kind": "noop", "config": {"runner.idempotent": true}}'
    sandbox.write("twice.json", recipe, executable=False)
    assert sandbox.run("run", "twice.json", "/bin/true").code == 0
    planned = [each for each in sandbox.records() if each["type"] == "planned"]
    assert [each.get("idempotent") for each in planned] == [True, None]


def test_tests_of_every_kind_run_in_one_job(sandbox: Sandbox) -> None:
    sandbox.write(
        "test_it.py",
        "import unittest\nclass T(unittest.TestCase):\n    def test_a(self): pass\n",
        executable=False,
    )
    sandbox.write("it.t", "#!/bin/sh\nprintf '1..1\\nok 1\\n'\n")
    sandbox.write("it.json", '{"kind": "noop"}', executable=False)
    sandbox.write("it.sh", "#!/bin/sh\n")
    assert sandbox.run("run", "test_it.py", "it.t", "it.json", "it.sh").code == 0
    kinds = [each["kind"] for each in sandbox.results()["tests"]]
    assert kinds == ["python-unittest", "tap", "noop", "exec-test"]
    assert statuses(sandbox) == ["PASS"] * 4


def test_status_messages_over_tcp_need_the_token_that_is_kept_in_the_folder(
    sandbox: Sandbox,
) -> None:
    sandbox.write("talks.py", TALKS)
    end = sandbox.run("run", "--status-tcp", "127.0.0.1:0", "./talks.py")
    assert end.code == 0, end.out
    told = [each for each in sandbox.records() if each["type"] == "message"]
    assert [each["kind"] for each in told] == ["whiteboard"]
    board = sandbox.job / "test-results" / "1-._talks.py" / "whiteboard"
    assert board.read_text() == "with token"


TALKS = """#!/usr/bin/env python3
import base64, json, os, re, socket, time
job = os.path.dirname(os.path.dirname(os.environ["NRUNNER_TEST_LOGDIR"]))
log = open(job + "/job.log").read()
host, port = re.search(r"status messages are taken at (\\S+):(\\d+)", log).groups()
token = open(job + "/status-token").read().strip()
for word in ("wrong", token):
    text = "with token" if word == token else "without"
    board = {"__base64_encoded__": base64.b64encode(text.encode()).decode()}
    message = {"status": "running", "type": "whiteboard", "log": board, "time": 1.0}
    message["id"] = "1-./talks.py"
    with socket.create_connection((host, int(port))) as peer:
        peer.sendall(json.dumps({"token": word}).encode() + b"\\n")
        try:
            peer.sendall(json.dumps(message).encode() + b"\\n")
            peer.shutdown(socket.SHUT_WR)
            while peer.recv(100):
                pass
        except OSError:
            pass
time.sleep(0.2)
"""
