import io
import os
import sys

import pytest

from nrunner.cli.main import main
from nrunner.errors import ExitCode, UsageError
from nrunner.plan import ReportTarget


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch, job_results):
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in ("a.sh", "b.sh", "c.sh"):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    return folder


class FakeLaunch:
    """Begins nothing."""

    def __init__(self, plan):
        self.plan = plan
        self.abandoned = False

    def abandon(self):
        self.abandoned = True


@pytest.fixture
def job(monkeypatch):
    """Catch plans instead of running them."""

    class Caught:
        plan = None
        listeners = ()
        exit_code = 0

        def __call__(self, plan, listeners, launch, serving):
            assert serving is None
            assert launch.plan is plan
            self.plan, self.listeners = plan, listeners
            return self.exit_code

    caught = Caught()
    monkeypatch.setattr("nrunner.cli.run.Launch", FakeLaunch)
    monkeypatch.setattr("nrunner.job.run_job", caught)
    return caught


def ids(job):
    return [task.id for task in job.plan.tasks]


def test_the_exit_code_is_that_of_the_job(job):
    job.exit_code = 9
    assert main(["run", "a.sh"]) == 9


def test_flags_reach_the_plan(job, here, tmp_path):
    argv = [
        *("run", "./a.sh", "b.sh", "--max-parallel-tasks", "3", "--job-timeout", "1h"),
        *("--task-timeout", "90", "--failfast", "--dry-run", "-p", "A=1", "-p", "B=2=3"),
        *("--job-results-dir", str(tmp_path / "out"), "--json", "-", "--tap", "x.tap"),
    ]
    assert main(argv) == 0
    plan = job.plan
    assert ids(job) == ["1-./a.sh", "2-b.sh"]
    assert (plan.max_parallel, plan.job_timeout, plan.fail_fast, plan.dry_run) == (
        3,
        3600,
        True,
        True,
    )
    assert plan.tasks[0].limits.timeout == 90
    assert plan.payload_env == {"A": "1", "B": "2=3"}
    assert plan.results_dir == tmp_path / "out"
    assert plan.base_dir == here
    assert plan.reports == (ReportTarget("json", "-"), ReportTarget("tap", "x.tap"))
    assert plan.command == ("nrunner", *argv)


def test_parameters_and_loggers_reach_tests_of_avocado(job, here):
    (here / "t.py").write_text(
        "from avocado import Test\nclass T(Test):\n    def test(self): pass\n"
    )
    assert main(["run", "t.py", "a.sh", "-p", "A=1", "--store-logging-stream", "x:INFO,y"]) == 0
    theirs, other = (task.runnable for task in job.plan.tasks)
    assert theirs.kind == "avocado-instrumented"
    assert theirs.variant["variant"] == [["/", [["/", "A", "1"]]]]
    assert theirs.config["job.run.store_logging_stream"] == {"__encoded_set__": ["x:INFO", "y"]}
    assert (other.variant, other.config) == (None, {})
    assert [task.id for task in job.plan.tasks] == ["1-t.py:T.test", "2-a.sh"]


def test_configuration_and_environment_reach_the_plan(job, here, monkeypatch):
    (here / "nrunner.toml").write_text("run.fail_fast = true\nrun.max_parallel_tasks = 7\n")
    monkeypatch.setenv("NRUNNER_RUN_MAX_PARALLEL_TASKS", "8")
    assert main(["run", "a.sh"]) == 0
    assert (job.plan.fail_fast, job.plan.max_parallel) == (True, 8)
    assert main(["run", "a.sh", "--no-fail-fast"]) == 0
    assert not job.plan.fail_fast


def test_the_console_writes_to_stdout_unless_a_report_goes_there(job, monkeypatch):
    streams = []

    def console(stream, *, show, quiet):
        streams.append(stream)
        return object()

    monkeypatch.setattr("nrunner.results.registry.make_console", console)
    main(["run", "a.sh"])
    main(["run", "a.sh", "--tap", "-"])
    main(["run", "a.sh", "--json", "x.json"])
    assert streams == [sys.stdout, sys.stderr, sys.stdout]


def test_what_was_begun_is_undone_if_there_is_no_console(job, monkeypatch):
    launches = []

    def launch(plan):
        launches.append(FakeLaunch(plan))
        return launches[0]

    def console(stream, *, show, quiet):
        raise UsageError("show it")

    monkeypatch.setattr("nrunner.cli.run.Launch", launch)
    monkeypatch.setattr("nrunner.results.registry.make_console", console)
    assert main(["run", "a.sh"]) == ExitCode.USAGE
    assert launches[0].abandoned
    assert job.plan is None


def test_a_job_runs_even_if_stdout_was_closed_before(job, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["run", "a.sh"]) == 0
    assert ids(job) == ["1-a.sh"]
    job.listeners[0].flush()


def test_references_are_read_from_standard_input_and_files(job, here, monkeypatch):
    (here / "list").write_text("a.sh\n# comment\n\nb.sh\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"c.sh\n")))
    assert main(["run", "@list", "-", "a.sh"]) == 0
    assert ids(job) == ["1-a.sh", "2-b.sh", "3-c.sh", "4-a.sh"]


def test_shuffling_prints_a_seed_that_gives_the_same_order(job, capsys):
    assert main(["run", "a.sh", "b.sh", "c.sh", "--shuffle"]) == 0
    order = ids(job)
    seed = str(job.plan.facts["shuffle_seed"])
    assert f"--seed {seed} gives this order again" in capsys.readouterr().err
    assert main(["run", "a.sh", "b.sh", "c.sh", "--seed", seed]) == 0
    assert ids(job) == order


def test_a_job_file_gives_suites_and_flags_beat_it(job, here):
    (here / "job.toml").write_text(
        "[job]\nrun.fail_fast = true\nrun.max_parallel_tasks = 5\nrun.env = { A = 'job' }\n"
        "[[suite]]\nname = 'one'\nreferences = ['a.sh']\nrun.task_timeout = 9\n"
        "[[suite]]\nname = 'two'\nreferences = ['b.sh', 'c.sh']\nrun.env = { B = 'two' }\n"
    )
    assert main(["run", "--job", "job.toml", "--max-parallel-tasks", "6", "-p", "C=flag"]) == 0
    plan = job.plan
    assert (plan.fail_fast, plan.max_parallel) == (True, 6)
    assert [(task.id, task.suite) for task in plan.tasks] == [
        ("1-a.sh", "one"),
        ("2-b.sh", "two"),
        ("3-c.sh", "two"),
    ]
    assert [task.limits.timeout for task in plan.tasks] == [9, None, None]
    assert plan.payload_env == {"A": "job", "C": "flag"}
    env = plan.tasks[1].runnable.config["runner.env"]
    assert env == {"A": "job", "B": "two", "C": "flag"}
    assert "runner.env" not in plan.tasks[0].runnable.config
    assert main(["run", "--job", "job.toml", "--task-timeout", "1"]) == 0
    assert [task.limits.timeout for task in job.plan.tasks] == [1, 1, 1]


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        ([], ExitCode.USAGE, "tell what to run: give references, or --job FILE"),
        (["a.sh", "--job", "x"], ExitCode.USAGE, "use references beside --job FILE"),
        (["a.sh", "--json", "-", "--tap", "-"], ExitCode.USAGE, "more than one report"),
        (["a.sh", "--tap", "-", "--detach"], ExitCode.USAGE, "with --detach: name a file"),
        (["a.sh", "--max-parallel-tasks", "0"], ExitCode.USAGE, "must be 1 or more, got 0"),
        (["a.sh", "--spawner", "proces"], ExitCode.USAGE, "did you mean 'process'"),
        (["a.sh", "--show", "ap"], ExitCode.USAGE, "'ap'"),
        (["a.sh", "-p", "A"], ExitCode.USAGE, "use -p: expected NAME=VALUE, got 'A'"),
        (["a.sh", "-p", "BAD NAME=1"], ExitCode.USAGE, "use -p: 'BAD NAME' cannot be a name"),
        (["a.sh", "--filter-by-tags", "a,,b"], ExitCode.USAGE, "use --filter-by-tags: tag filter"),
        (["@nothing"], ExitCode.USAGE, "read reference @nothing"),
        (["a.sh", "gone.sh"], ExitCode.JOB_FAILED, "gone.sh: does not exist"),
        (["a.sh", "--filter-by-tags", "x"], ExitCode.JOB_FAILED, "does not fit the tags"),
    ],
)
def test_what_cannot_be_run_is_told_and_nothing_runs(job, capsys, argv, code, message):
    assert main(["run", *argv]) == code
    assert message in capsys.readouterr().err
    assert job.plan is None


def test_an_empty_list_of_references_is_no_job(job, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\n")))
    assert main(["run", "-"]) == ExitCode.JOB_FAILED
    assert "the list of references is empty" in capsys.readouterr().err


def test_an_unknown_report_in_the_configuration_is_told(job, here, capsys):
    (here / "nrunner.toml").write_text("run.results = ['jsn']\n")
    assert main(["run", "a.sh"]) == ExitCode.USAGE
    assert "find result 'jsn': did you mean 'json'?" in capsys.readouterr().err


def test_a_current_folder_that_is_gone_is_told(job, here, capsys, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    assert main(["run", "/bin/true"]) == ExitCode.USAGE
    assert "the current folder: it does not exist" in capsys.readouterr().err
