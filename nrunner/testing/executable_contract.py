"""What every runner executable must do: a suite to run against your own, in any language.

Derive a class from `RunnerExecutableContract`, say how your executable is called and what it can
run, and let pytest find it::

    class TestMyExecutable(RunnerExecutableContract):
        kind = "my-kind"

        def executable(self):
            return ["nrunner-runner-my-kind"]

        def passing(self, folder):
            return Runnable("my-kind", "good")

For an executable whose kind is a requirement there is `RequirementExecutableContract`, too.
Not responsible for runners that are classes (``nrunner.testing.runner_contract``).
"""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from nrunner.messages import Finished, Message, Started, parse_object
from nrunner.result import Result
from nrunner.runnable import Runnable
from nrunner.runners.executable_runner import runnable_words, task_run_words
from nrunner.testing.receiver import receiving

__all__ = ["RequirementExecutableContract", "RunnerExecutableContract"]

_COMMANDS = {"capabilities", "runnable-run", "runnable-run-recipe", "task-run", "task-run-recipe"}
_PATIENCE = 50


class RunnerExecutableContract:
    """Tests that hold for each runner executable."""

    kind = ""

    def executable(self) -> list[str]:
        """Return the words that start it; further ones are added."""
        raise NotImplementedError

    def passing(self, folder: Path) -> Runnable:
        """Return a Runnable that ends well; `folder` is where the executable will be started."""
        raise NotImplementedError

    def failing(self, folder: Path) -> Runnable | None:
        """Return a Runnable that ends badly; None for a kind that cannot fail."""
        return None

    def endless(self, folder: Path) -> Runnable | None:
        """Return a Runnable that runs for a minute if nobody ends it; None if there is none."""
        return None

    def call(self, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
        """Start the executable in `folder` and wait for its end."""
        return subprocess.run(
            [*self.executable(), *words],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )

    def messages(self, folder: Path, runnable: Runnable) -> list[dict[str, Any]]:
        """Run it as a task and return the messages that came, over one connection."""
        with receiving(folder / "status.sock") as receiver:
            words = task_run_words(runnable, "1-x y;v", "job", f"{folder}/out", receiver.uri)
            done = self.call(folder, *words)
            assert done.returncode == 0, done.stderr
            found = receiver.messages()
            assert len(receiver.streams) == 1, "more or less than one connection"
            assert receiver.streams[0].endswith(b"\n")
        return found

    def test_it_says_what_it_can_do(self, tmp_path: Path) -> None:
        """Capabilities is an object with kinds, commands and configuration keys."""
        facts = json.loads(self.call(tmp_path, "capabilities").stdout)
        assert self.kind in facts["runnables"]
        assert set(facts["commands"]) >= _COMMANDS
        assert all(isinstance(key, str) for key in facts["configuration_used"])

    def test_a_good_task_passes(self, tmp_path: Path) -> None:
        """It starts first and finishes last, once each, and every message is well-formed."""
        found = _checked(self.messages(tmp_path, self.passing(tmp_path)))
        assert found[-1].result is Result.PASS, found[-1]

    def test_a_bad_task_fails_and_the_exit_status_is_0_all_the_same(self, tmp_path: Path) -> None:
        """The exit status is the executable's own, not the test's."""
        runnable = self.failing(tmp_path)
        if runnable is not None:
            found = _checked(self.messages(tmp_path, runnable))
            assert found[-1].result in (Result.FAIL, Result.ERROR, None), found[-1]

    def test_a_recipe_says_the_same_as_words(self, tmp_path: Path) -> None:
        """The fields of ``finished`` do not depend on how the task was described."""
        runnable = self.passing(tmp_path)
        words = self.messages(tmp_path, runnable)[-1]
        folder = tmp_path / "again"
        folder.mkdir()
        with receiving(folder / "status.sock") as receiver:
            recipe = {
                "id": "1-x y;v",
                "runnable": runnable.to_json(),
                "status_uris": [receiver.uri],
                "category": "test",
            }
            (folder / "task.json").write_text(json.dumps(recipe))
            assert self.call(tmp_path, "task-run-recipe", f"{folder}/task.json").returncode == 0
            found = receiver.messages()[-1]
        assert {**words, "time": 0} == {**found, "time": 0, "job_id": "job"}

    def test_wrong_usage_exits_with_2_and_says_why(self, tmp_path: Path) -> None:
        """Unknown commands and options, and a task without a name, are refused."""
        for words in (["no-such-command"], ["task-run", "--no-such-option"], ["task-run"]):
            done = self.call(tmp_path, *words)
            assert (done.returncode, done.stdout) == (2, ""), words
            assert done.stderr.strip()
            assert "Traceback" not in done.stderr

    def test_one_that_is_asked_to_end_ends_its_payload_and_says_so(self, tmp_path: Path) -> None:
        """SIGTERM leads to ``finished`` with ``interrupted`` within seconds; heartbeats before."""
        runnable = self.endless(tmp_path)
        if runnable is None:
            return
        with receiving(tmp_path / "status.sock") as receiver:
            words = task_run_words(runnable, "1-x y;v", "job", f"{tmp_path}/out", receiver.uri)
            process = subprocess.Popen(
                [*self.executable(), *words], cwd=tmp_path, stdin=subprocess.DEVNULL
            )
            with process:
                _wait_for_heartbeats(receiver.uri, lambda: b"".join(receiver.streams))
                process.send_signal(signal.SIGTERM)
                assert process.wait(_PATIENCE) == 0
            found = _checked(receiver.messages())
        assert found[-1].result is Result.INTERRUPT, found[-1]


class RequirementExecutableContract(RunnerExecutableContract):
    """Tests that hold for each runner executable of a requirement kind that knows ``check``.

    `passing` is what holds already, or can be made to hold; `failing` what cannot.
    """

    def ask(self, folder: Path, runnable: Runnable) -> tuple[int, dict[str, Any]]:
        """Ask whether it holds; return the exit status and the last line of the answer."""
        done = self.call(folder, "check", *runnable_words(runnable))
        answer = json.loads(done.stdout.splitlines()[-1])
        assert isinstance(answer, dict), done
        return done.returncode, answer

    def test_it_says_that_it_can_check(self, tmp_path: Path) -> None:
        """Capabilities name the command."""
        assert "check" in json.loads(self.call(tmp_path, "capabilities").stdout)["commands"]

    def test_what_was_fulfilled_is_met(self, tmp_path: Path) -> None:
        """Exit status 0, and ``{"met": true}``."""
        runnable = self.passing(tmp_path)
        self.messages(tmp_path, runnable)
        assert self.ask(tmp_path, runnable) == (0, {"met": True})

    def test_what_is_not_met_has_a_reason(self, tmp_path: Path) -> None:
        """Exit status 1, and a reason of one line."""
        runnable = self.failing(tmp_path)
        if runnable is not None:
            status, answer = self.ask(tmp_path, runnable)
            assert (status, answer["met"]) == (1, False)
            assert answer["reason"]
            assert len(answer["reason"].splitlines()) == 1


def _wait_for_heartbeats(uri: str, received: Any) -> None:
    until = time.monotonic() + 20
    while received().count(b'"running"') < 2:
        assert time.monotonic() < until, f"fewer than two heartbeats on {uri}: {received()!r}"
        time.sleep(0.02)


def _checked(found: list[dict[str, Any]]) -> tuple[*tuple[Message, ...], Finished]:
    """Return the messages as types, after checking what holds for every task."""
    messages = [parse_object(each) for each in found]
    assert isinstance(messages[0], Started), found[0]
    assert messages[0].output_dir
    last = messages[-1]
    assert isinstance(last, Finished), found[-1]
    ends = [each for each in messages if isinstance(each, (Started, Finished))]
    assert len(ends) == 2, "started and finished come once each"
    assert {(each.task_id, each.job_id) for each in messages} == {("1-x y;v", "job")}
    times = [each.time for each in messages]
    assert times == sorted(times)
    return (*messages[:-1], last)
