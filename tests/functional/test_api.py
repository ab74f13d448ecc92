"""Jobs from Python: run in the main thread, in others, beside an event loop, and stopped."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import nrunner
from nrunner.graph import Order
from tests.functional.sandbox import Sandbox, wait_until

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples/api").glob("*.py"))


@pytest.fixture
def here(tmp_path: Path, job_results: Path) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    for name, text in {
        "good.sh": "exit 0",
        "bad.sh": "echo why; exit 3",
        "hangs.sh": "sleep 60",
    }.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    return folder


def job_in(here: Path, *references: str, **settings: object) -> nrunner.Job:
    return nrunner.Job(list(references), settings, base_dir=here)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_run_and_say_what_they_should(sandbox: Sandbox, path: Path) -> None:
    end = subprocess.run(
        [sys.executable, str(path)],
        cwd=path.parent,
        env={**sandbox.env, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (end.returncode, end.stderr) == (0, "")
    last = {
        "simple.py": r"4 tests, 0 of them failed; logs are in .+",
        "suites.py": r"made   FAIL  5-size-100  exited with status 1",
        "several.py": r"slow: (INTERRUPT|CANCEL) - interrupted by its caller",
    }
    assert re.fullmatch(last[path.name], end.stdout.splitlines()[-1])


def test_a_job_tells_what_became_of_its_tests(here: Path, job_results: Path) -> None:
    job = job_in(here, "good.sh", "bad.sh", **{"run.results": ["json"]})
    assert [task.id for task in job.plan().tasks] == ["1-good.sh", "2-bad.sh"]
    result = job.run()
    assert (result.exit_code, result.is_ok) == (nrunner.ExitCode.TESTS_FAILED, False)
    assert [test.result for test in result.tests] == [nrunner.Result.PASS, nrunner.Result.FAIL]
    [failed] = result.failed
    assert (failed.id, failed.detail) == ("2-bad.sh", "exited with status 3")
    assert (result.folder / failed.outputs["stdout"]).read_text() == "why\n"
    assert (result.count(nrunner.Result.PASS), result.interrupted) == (1, "")
    assert (result.folder.parent, {each.name for each in result.folder.glob("results.*")}) == (
        job_results,
        {"results.json"},
    )
    with pytest.raises(nrunner.NrunnerError, match="run a job twice: make another one"):
        job.run()
    assert result.id == (result.folder / "id").read_text().strip()


def test_suites_have_settings_and_tests_of_their_own(here: Path) -> None:
    made = nrunner.Runnable("exec-test", "bad.sh")
    first = nrunner.Suite(["good.sh"], "a", [made], {"runner.exectest.exitcodes.skip": [3]})
    job = nrunner.Job([first, nrunner.Suite(name="b", runnables=[made])], base_dir=here)
    found = [(test.suite, test.id, test.result.value) for test in job.run().tests]
    assert found == [
        ("a", "1-good.sh", "PASS"),
        ("a", "2-bad.sh", "SKIP"),
        ("b", "3-bad.sh", "FAIL"),
    ]


def test_suites_run_one_after_another_whether_they_have_names_or_not(here: Path) -> None:
    nameless = nrunner.Suite(["good.sh"])
    for second in nameless, nrunner.Suite(["good.sh"], "suite-1"), nrunner.Suite(["good.sh"], "b"):
        job = nrunner.Job([nameless, second, nameless], base_dir=here)
        order = Order(job.plan().tasks, in_order=True)
        assert order.first() == [1]
        assert [order.ended(task) for task in job.plan().tasks] == [[2], [3], []]


def test_names_are_given_to_suites_where_more_than_one_has_none(here: Path) -> None:
    named, nameless = nrunner.Suite(["good.sh"], "suite-1"), nrunner.Suite(["good.sh"])

    def names(*suites: nrunner.Suite | str) -> list[str]:
        return [task.suite for task in nrunner.Job(suites, base_dir=here).plan().tasks]

    assert names(nameless) == [""]
    assert names("good.sh", named) == ["", "suite-1"]
    assert names(nameless, named, nameless) == ["suite-2", "suite-1", "suite-3"]


def test_two_suites_with_one_name_are_refused(here: Path) -> None:
    suites = [nrunner.Suite(["good.sh"], "a"), nrunner.Suite(["bad.sh"], "a")]
    with pytest.raises(nrunner.NrunnerError, match="make a job of two suites that are named 'a'"):
        nrunner.Job(suites, base_dir=here)


def test_a_suite_has_variants_as_dictionaries(here: Path) -> None:
    (here / "shows.sh").write_text('#!/bin/sh\necho "$size $name"\n')
    (here / "shows.sh").chmod(0o755)
    variants = [{"size": 1, "name": "x"}, {"size": 2, "name": "y"}]
    result = nrunner.Job(nrunner.Suite(["shows.sh"], variants=variants), base_dir=here).run()
    assert [test.id for test in result.tests] == ["1-shows.sh;1-x", "2-shows.sh;2-y"]
    said = [(result.folder / test.outputs["stdout"]).read_text() for test in result.tests]
    assert said == ["1 x\n", "2 y\n"]


def test_what_cannot_be_run_raises(here: Path) -> None:
    with pytest.raises(nrunner.NrunnerError, match=r"(?s)resolve 1 of 1 reference:.*gone\.sh"):
        job_in(here, "gone.sh").run()
    with pytest.raises(nrunner.NrunnerError, match=r"no setting 'run\.fail_fats'; did you mean"):
        job_in(here, "good.sh", **{"run.fail_fats": True})
    with pytest.raises(nrunner.NrunnerError, match=r"run\.fail_fast: expected true or false"):
        job_in(here, "good.sh", **{"run.fail_fast": 3})
    suite = nrunner.Suite(["good.sh"], settings={"run.fail_fast": True})
    with pytest.raises(nrunner.NrunnerError, match="cannot differ from suite to suite"):
        nrunner.Job(suite, base_dir=here).plan()


@pytest.mark.parametrize("shape", [lambda it: it, lambda it: [it], nrunner.Suite])
def test_references_are_text_or_paths_alone_or_in_lists(here: Path, shape: Any) -> None:
    for reference in "good.sh", Path("good.sh"):
        tasks = nrunner.Job(shape(reference), base_dir=here).plan().tasks
        assert [str(task.id) for task in tasks] == ["1-good.sh"]


def test_what_is_no_reference_is_refused_and_not_left_out(here: Path) -> None:
    for suites in ["good.sh", 3], nrunner.Suite(["good.sh", 3]):  # type: ignore[list-item]
        with pytest.raises(nrunner.NrunnerError, match="use 3 as a reference: expected text"):
            nrunner.Job(suites, base_dir=here).plan()  # type: ignore[arg-type]
    with pytest.raises(nrunner.NrunnerError, match="use None as a reference: expected text"):
        nrunner.Job(None, base_dir=here).plan()  # type: ignore[arg-type]


def test_requirements_and_runnables_can_be_what_recipes_say(here: Path) -> None:
    need = {"type": "file", "uri": "good.sh"}
    recipe = {"kind": "exec-test", "uri": "good.sh", "tags": {"fast": None}}
    suite = nrunner.Suite(runnables=[recipe], requirements=need)
    job = nrunner.Job(suite, base_dir=here, requirements=[{"type": "noop"}])
    [task] = job.plan().tasks
    assert task.runnable.tags == {"fast": None}
    needs = (nrunner.Requirement("noop"), nrunner.Requirement("file", "good.sh"))
    assert task.runnable.requirements == needs


@pytest.mark.parametrize(
    ("suite", "message"),
    [
        ({"requirements": [3]}, "use 3 as a requirement: expected a Requirement or a dictionary"),
        ({"requirements": 3}, "use 3 as a requirement: expected"),
        ({"requirements": {"uri": "x"}}, 'use a requirement: .*key "type" is missing'),
        ({"requirements": [{"type": "file", "from": Path("x")}]}, "requirement: it is not JSON"),
        ({"runnables": ["x"]}, "use 'x' as a runnable: expected a Runnable or a dictionary"),
        ({"runnables": [{"kind": "noop", "args": 1}]}, 'use a runnable: key "args": expected'),
        ({"runnables": [{"kind": "noop", "kwargs": {"x": {1}}}]}, "runnable: it is not JSON"),
        ({"variants": [1]}, "use 1 as a variant: expected a dictionary of parameters"),
        ({"variants": [{"x": {1}}]}, "use a variant: it is not JSON"),
    ],
)
def test_what_suites_cannot_be_made_of_is_refused(
    here: Path, suite: dict[str, Any], message: str
) -> None:
    with pytest.raises(nrunner.NrunnerError, match=message):
        nrunner.Job(nrunner.Suite(["good.sh"], **suite), base_dir=here).plan()


def test_what_is_no_requirement_of_a_job_is_refused(here: Path) -> None:
    for wrong in ["file"], "file", 3, [None]:
        job = nrunner.Job("good.sh", base_dir=here, requirements=wrong)  # type: ignore[arg-type]
        with pytest.raises(nrunner.NrunnerError, match="as a requirement: expected a Requirement"):
            job.plan()


def test_files_count_unless_they_are_not_to(here: Path) -> None:
    (here / "nrunner.toml").write_text("run.max_parallel_tasks = 7\n")
    assert job_in(here, "good.sh").config.max_parallel_tasks == 7
    assert nrunner.Job(["good.sh"], base_dir=here, files=False).config.max_parallel_tasks is None


def test_jobs_run_in_other_threads_and_are_stopped_from_any(here: Path) -> None:
    job = job_in(here, "hangs.sh")
    results: list[nrunner.JobResult] = []
    thread = threading.Thread(target=lambda: results.append(job.run()))
    thread.start()
    job.stop()
    thread.join(30)
    [test] = results[0].tests
    assert test.result in (nrunner.Result.CANCEL, nrunner.Result.INTERRUPT)
    assert results[0].exit_code & nrunner.ExitCode.INTERRUPTED


def test_a_caller_that_is_cancelled_leaves_no_job_running(here: Path, job_results: Path) -> None:
    (here / "says.sh").write_text(f"#!/bin/sh\necho $$ >{here}/pid\nexec sleep 60\n")
    (here / "says.sh").chmod(0o755)

    def started() -> bool:
        return (here / "pid").exists() and bool((here / "pid").read_text())

    async def main() -> None:
        running = asyncio.create_task(job_in(here, "says.sh").run_async())
        with pytest.raises(nrunner.NrunnerError, match="await its run_async"):
            job_in(here, "good.sh").run()
        quick = await job_in(here, "good.sh").run_async()
        assert quick.is_ok
        await asyncio.to_thread(wait_until, started, "the test runs")
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(asyncio.wait_for(main(), 40))
    with pytest.raises(ProcessLookupError):
        os.kill(int((here / "pid").read_text()), 0)
    assert len(list(job_results.glob("job-*/results.json"))) == 2


def test_ctrl_c_stops_the_job_of_the_main_thread_and_run_returns(sandbox: Sandbox) -> None:
    sandbox.write("hangs.sh", "#!/bin/sh\ntouch here\nexec sleep 60\n")
    code = (
        "import nrunner\nresult = nrunner.Job(['hangs.sh']).run()\n"
        "print(int(result.exit_code), result.tests[0].result.value, result.interrupted)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=sandbox.here,
        env={**sandbox.env, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        wait_until(lambda: (sandbox.here / "here").exists(), "the test runs")
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "8 INTERRUPT interrupted by the user\n")
