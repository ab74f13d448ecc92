"""What every runner class must do: suites to run against your own.

Derive a class from `RunnerContract`, say how to make your runner and what it can run, and let
pytest find it::

    class TestMyRunner(RunnerContract):
        def make_runner(self):
            return MyRunner()

        def passing(self, folder):
            return Runnable("my-kind", "good")

`folder` is where the runner will be told that the user is: write there what the Runnable needs.
For a kind of requirements there is `RequirementContract`; for a runner that is an executable,
``nrunner.testing.executable_contract``. Not responsible for what a kind means.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from nrunner.errors import RequirementError, RunnerError
from nrunner.result import Result
from nrunner.runnable import Requirement, Runnable
from nrunner.runners.base import Command, Exit, Outcome, Place, RequirementRunner, Runner

__all__ = ["RequirementContract", "RunnerContract", "make_place", "run_once"]


def make_place(folder: Path) -> Place:
    """Make the folders of an attempt below `folder`, which is also where the user is."""
    for name in ("log", "output", "work"):
        (folder / name).mkdir(exist_ok=True)
    return Place(
        f"{folder}/log",
        f"{folder}/output",
        f"{folder}/work",
        str(folder),
        task_id="1-contract",
        job_id="job",
        report=f"{folder}/report",
    )


def run_once(runner: Runner, runnable: Runnable, place: Place) -> Outcome:
    """Do with a runner what the agent does: ask, execute, have it judged."""
    command = runner.command(runnable, place)
    if isinstance(command, Outcome):
        return command
    env = dict(command.env) if command.clear_env else {**os.environ, **command.env}
    with Path(place.stdout).open("wb") as stdout, Path(place.stderr).open("wb") as stderr:
        done = subprocess.run(
            command.argv,
            cwd=command.cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            timeout=50,
            check=False,
        )
    code = done.returncode
    end = Exit(code) if code >= 0 else Exit(None, -code)
    return runner.judge(runnable, place, end, _report(command))


def _report(command: Command) -> Outcome | None:
    if command.report is None or not Path(command.report).exists():
        return None
    return Outcome.from_json(json.loads(Path(command.report).read_bytes()))


class RunnerContract:
    """Tests that hold for each runner class."""

    def make_runner(self) -> Runner:
        """Return a new runner."""
        raise NotImplementedError

    def passing(self, folder: Path) -> Runnable:
        """Return a Runnable that ends well."""
        raise NotImplementedError

    def failing(self, folder: Path) -> Runnable | None:
        """Return a Runnable that ends badly; None for a kind that cannot fail."""
        return None

    def impossible(self, folder: Path) -> Runnable | None:
        """Return a Runnable that can never work; None if there is no such thing."""
        return None

    def test_it_says_what_it_is(self) -> None:
        """Kind and description are there, and fit for where they are shown."""
        runner = self.make_runner()
        assert runner.kind == "-".join(runner.kind.lower().split())
        assert "/" not in runner.kind
        assert runner.description.isprintable()
        assert runner.description
        assert all(isinstance(key, str) and key for key in runner.configuration_used)

    def test_a_good_runnable_passes(self, tmp_path: Path) -> None:
        """The whole way from command to outcome."""
        outcome = run_once(self.make_runner(), self.passing(tmp_path), make_place(tmp_path))
        assert outcome.result is Result.PASS, outcome

    def test_a_bad_runnable_does_not_pass_and_has_a_reason(self, tmp_path: Path) -> None:
        """A failure is told with words."""
        runnable = self.failing(tmp_path)
        if runnable is not None:
            outcome = run_once(self.make_runner(), runnable, make_place(tmp_path))
            assert outcome.result in (Result.FAIL, Result.ERROR, None), outcome
            assert outcome.fail_reason

    def test_what_can_never_work_is_refused_by_name(self, tmp_path: Path) -> None:
        """RunnerError, or an outcome that says malformed: nothing else is raised."""
        runnable = self.impossible(tmp_path)
        if runnable is not None:
            runner, place = self.make_runner(), make_place(tmp_path)
            outcomes: list[Outcome] = []
            words = _refusal(lambda: outcomes.append(run_once(runner, runnable, place)))
            assert words or (outcomes and outcomes[0].malformed), outcomes

    def test_it_keeps_nothing_from_one_task_to_the_next(self, tmp_path: Path) -> None:
        """One instance serves all tasks, in any order."""
        runner, place = self.make_runner(), make_place(tmp_path)
        runnable = self.passing(tmp_path)
        first = runner.command(runnable, place)
        other = self.failing(tmp_path)
        if other is not None:
            runner.command(other, place)
        assert runner.command(runnable, place) == first

    def test_a_command_can_be_executed_as_it_stands(self, tmp_path: Path) -> None:
        """Strings without NUL, an absolute folder, a report at an absolute path."""
        command = self.make_runner().command(self.passing(tmp_path), make_place(tmp_path))
        if isinstance(command, Command):
            assert command.argv
            words = [*command.argv, *command.env, *command.env.values()]
            assert all(isinstance(word, str) and "\0" not in word for word in words)
            assert Path(command.cwd).is_absolute()
            assert command.report is None or Path(command.report).is_absolute()

    def test_a_payload_that_was_killed_has_not_passed(self, tmp_path: Path) -> None:
        """A signal is never a good end, even when nothing was written."""
        runner, place = self.make_runner(), make_place(tmp_path)
        runnable = self.passing(tmp_path)
        if isinstance(runner.command(runnable, place), Command):
            outcome = runner.judge(runnable, place, Exit(None, 11, core=True), None)
            assert outcome.result is None or not outcome.result.is_ok, outcome

    def test_its_outcomes_survive_the_wire(self, tmp_path: Path) -> None:
        """What it says can be written as JSON and read back."""
        outcome = run_once(self.make_runner(), self.passing(tmp_path), make_place(tmp_path))
        assert Outcome.from_json(json.loads(json.dumps(outcome.to_json()))) == outcome


class RequirementContract:
    """Tests that hold for each runner of a requirement kind."""

    def make_runner(self) -> RequirementRunner:
        """Return a new runner."""
        raise NotImplementedError

    def met(self, folder: Path) -> Requirement:
        """Return a requirement that holds in `folder`."""
        raise NotImplementedError

    def unmet(self, folder: Path) -> Requirement | None:
        """Return one that does not hold and cannot be made to; None if there is no such thing."""
        return None

    def fulfillable(self, folder: Path) -> Requirement | None:
        """Return one that does not hold yet and can be made to; None if there is no such thing."""
        return None

    def impossible(self, folder: Path) -> Requirement | None:
        """Return one that can never hold as described; None if there is no such thing."""
        return None

    def test_a_requirement_that_holds_is_met_again_and_again(self, tmp_path: Path) -> None:
        """To check changes nothing; to fulfil what holds does no harm."""
        runner, requirement = self.make_runner(), self.met(tmp_path)
        before = _content(tmp_path)
        assert runner.check(requirement, str(tmp_path)) is None
        assert _content(tmp_path) == before
        runner.fulfil(requirement, str(tmp_path))
        assert runner.check(requirement, str(tmp_path)) is None

    def test_one_that_does_not_hold_has_a_reason(self, tmp_path: Path) -> None:
        """To check returns it, to fulfil raises RequirementError with it: one line each."""
        runner, requirement = self.make_runner(), self.unmet(tmp_path)
        if requirement is not None:
            reason = runner.check(requirement, str(tmp_path))
            assert reason
            refusal = _refusal(lambda: runner.fulfil(requirement, str(tmp_path)))
            assert refusal
            assert all(len(each.splitlines()) == 1 for each in (reason, refusal))

    def test_one_that_can_be_made_to_hold_holds_once_that_was_done(self, tmp_path: Path) -> None:
        """To check says no before, and changes nothing; then yes."""
        runner, requirement = self.make_runner(), self.fulfillable(tmp_path)
        if requirement is not None:
            before = _content(tmp_path)
            assert runner.check(requirement, str(tmp_path))
            assert _content(tmp_path) == before
            runner.fulfil(requirement, str(tmp_path))
            assert runner.check(requirement, str(tmp_path)) is None

    def test_one_that_can_never_hold_is_refused_by_name(self, tmp_path: Path) -> None:
        """RunnerError with words, from either."""
        runner, requirement = self.make_runner(), self.impossible(tmp_path)
        if requirement is not None:
            assert _refusal(lambda: runner.check(requirement, str(tmp_path)), RunnerError)
            assert _refusal(lambda: runner.fulfil(requirement, str(tmp_path)), RunnerError)

    def test_what_is_used_alone_has_a_name(self, tmp_path: Path) -> None:
        """People read it when they have to wait."""
        runner, requirement = self.make_runner(), self.met(tmp_path)
        assert runner.resource(requirement).isprintable()
        assert runner.is_instant(requirement) in (True, False)


def _content(folder: Path) -> list[tuple[str, int]]:
    """Return what is below a folder, and when it was changed."""
    return sorted((str(each), each.lstat().st_mtime_ns) for each in folder.rglob("*"))


def _refusal(
    action: Callable[[], object],
    errors: type[Exception] | tuple[type[Exception], ...] = (RunnerError, RequirementError),
) -> str:
    """Return the words with which an action is refused; "" if it is not, or without any."""
    try:
        action()
    except errors as error:
        return str(error)
    return ""
