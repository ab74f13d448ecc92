"""What every runner executable must do: a suite to run against your own, in any language.

Derive a class from `RunnerExecutableContract`, say how your executable is called and what it can
run, and let pytest find it::

    class TestMyExecutable(RunnerExecutableContract):
        kind = "my-kind"

        def executable(self):
            return ["nrunner-runner-my-kind"]

        def passing(self, folder):
            return Runnable("my-kind", "good")

For an executable whose kind is a requirement there is `RequirementExecutableContract`, too. The
same tests run without pytest by ``nrunner runner check`` (``nrunner.testing.executable_check``).
Not responsible for runners that are classes (``nrunner.testing.runner_contract``).
"""

from __future__ import annotations

import json
import signal
import subprocess
import time
import unittest
from pathlib import Path
from typing import Any

from nrunner.errors import MessageError
from nrunner.messages import Finished, Message, Started, parse_object
from nrunner.result import Result
from nrunner.runnable import Runnable
from nrunner.runners.executable_runner import runnable_words, task_run_words
from nrunner.testing.receiver import Receiver, receiving

__all__ = ["RequirementExecutableContract", "RunnerExecutableContract"]

_COMMANDS = frozenset(
    {"capabilities", "runnable-run", "runnable-run-recipe", "task-run", "task-run-recipe"}
)
_PATIENCE = 50
_ENDS_WITHIN = 15
_ID = "1-x y;v"


class RunnerExecutableContract:
    """Tests that hold for each runner executable."""

    kind = ""
    commands: frozenset[str] = _COMMANDS
    """Those that it must have; tests of others are skipped where it does not say it has them."""
    connections: int | None = 1
    """How many connections a task may take; None if that does not matter."""
    heartbeats: bool = True
    """Whether it says twice a second that a task runs."""

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
            words = task_run_words(runnable, _ID, "job", _fresh(folder), receiver.uri)
            done = self.call(folder, *words)
            assert done.returncode == 0, f"exited with {done.returncode}: {_shown(done.stderr)}"
            try:
                found = receiver.messages()
            except ValueError as error:
                raise AssertionError(f"it sent what is no JSON: {error}") from error
            count = len(receiver.streams)
            assert count, "it sent nothing"
            assert self.connections in (None, count), f"it made {count} connections"
            last = receiver.streams[-1]
            assert last.endswith(b"\n"), f"its last line has no newline: {_shown(last.decode())}"
        return found

    def capabilities(self, folder: Path) -> dict[str, Any]:
        """Return what it says that it can do."""
        done = self.call(folder, "capabilities")
        try:
            facts = json.loads(done.stdout)
        except ValueError:
            facts = None
        assert isinstance(facts, dict), f"capabilities printed no object: {_shown(done.stdout)}"
        return facts

    def need(self, folder: Path, command: str) -> None:
        """Skip a test of a command that it need not have, and has not."""
        if command in self.commands or command in self.capabilities(folder).get("commands", ()):
            return
        raise unittest.SkipTest(f"it does not say that it has {command}")

    def test_it_says_what_it_can_do(self, tmp_path: Path) -> None:
        """Capabilities is an object with kinds, commands and configuration keys."""
        facts = self.capabilities(tmp_path)
        for key in ("runnables", "commands", "configuration_used"):
            found = facts.get(key)
            is_list = isinstance(found, list) and all(isinstance(each, str) for each in found)
            assert is_list, f'"{key}" is no list of strings: {found!r}'
        assert self.kind in facts["runnables"], f'"runnables" does not have {self.kind}'
        missing = ", ".join(sorted(self.commands - set(facts["commands"])))
        assert not missing, f'"commands" does not have {missing}'

    def test_a_good_task_passes(self, tmp_path: Path) -> None:
        """It starts first and finishes last, once each, and every message is well-formed."""
        found = _checked(self.messages(tmp_path, self.passing(tmp_path)))
        assert found[-1].result is Result.PASS, _ended(found[-1])

    def test_a_bad_task_fails_and_the_exit_status_is_0_all_the_same(self, tmp_path: Path) -> None:
        """The exit status is the executable's own, not the test's."""
        runnable = self.failing(tmp_path)
        if runnable is not None:
            found = _checked(self.messages(tmp_path, runnable))
            assert found[-1].result in (Result.FAIL, Result.ERROR, None), _ended(found[-1])

    def test_a_recipe_says_the_same_as_words(self, tmp_path: Path) -> None:
        """The fields of ``finished`` do not depend on how the task was described."""
        self.need(tmp_path, "task-run-recipe")
        runnable = self.passing(tmp_path)
        words = self.messages(tmp_path, runnable)[-1]
        folder = tmp_path / "again"
        folder.mkdir()
        with receiving(folder / "status.sock") as receiver:
            recipe = {
                "id": _ID,
                "runnable": runnable.to_json(),
                "status_uris": [receiver.uri],
                "category": "test",
            }
            (folder / "task.json").write_text(json.dumps(recipe))
            done = self.call(tmp_path, "task-run-recipe", f"{folder}/task.json")
            assert done.returncode == 0, f"exited with {done.returncode}: {_shown(done.stderr)}"
            said = receiver.messages()
        assert said, "it sent nothing"
        found = {**said[-1], "time": 0, "job_id": "job"}
        assert {**words, "time": 0} == found, f"words led to {words}, a recipe to {found}"

    def test_wrong_usage_exits_with_2_and_says_why(self, tmp_path: Path) -> None:
        """Unknown commands and options, and a task without a name, are refused."""
        for words in (["no-such-command"], ["task-run", "--no-such-option"], ["task-run"]):
            done = self.call(tmp_path, *words)
            what = " ".join(words)
            assert done.returncode == 2, f"{what} exited with {done.returncode}"
            assert done.stdout == "", f"{what} wrote to standard output: {_shown(done.stdout)}"
            assert done.stderr.strip(), f"{what} said nothing on standard error"
            assert "Traceback" not in done.stderr, f"{what} showed a traceback"

    def test_one_that_is_asked_to_end_ends_its_payload_and_says_so(self, tmp_path: Path) -> None:
        """SIGTERM leads to ``finished`` with ``interrupted`` within seconds; heartbeats before."""
        runnable = self.endless(tmp_path)
        if runnable is None:
            return
        with receiving(tmp_path / "status.sock") as receiver:
            words = task_run_words(runnable, _ID, "job", _fresh(tmp_path), receiver.uri)
            process = subprocess.Popen(
                [*self.executable(), *words],
                cwd=tmp_path,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
            with process:
                word, count = (b'"running"', 2) if self.heartbeats else (b'"started"', 1)
                _wait_for(word, count, process, receiver)
                process.send_signal(signal.SIGTERM)
                status = _wait(process)
                assert status == 0, f"it was ended by SIGTERM with status {status}"
            found = _checked(receiver.messages())
        assert found[-1].result is Result.INTERRUPT, _ended(found[-1])


class RequirementExecutableContract(RunnerExecutableContract):
    """Tests that hold for each runner executable of a requirement kind that knows ``check``.

    `passing` is what holds already, or can be made to hold; `failing` what cannot.
    """

    def ask(self, folder: Path, runnable: Runnable) -> tuple[int, dict[str, Any]]:
        """Ask whether it holds; return the exit status and the last line of the answer."""
        done = self.call(folder, "check", *runnable_words(runnable))
        try:
            answer = json.loads(done.stdout.splitlines()[-1])
        except (ValueError, IndexError):
            answer = None
        assert isinstance(answer, dict), f"check printed no object: {_shown(done.stdout)}"
        return done.returncode, answer

    def test_it_says_that_it_can_check(self, tmp_path: Path) -> None:
        """Capabilities name the command."""
        assert "check" in self.capabilities(tmp_path)["commands"], '"commands" has no check'

    def test_what_was_fulfilled_is_met(self, tmp_path: Path) -> None:
        """Exit status 0, and ``{"met": true}``."""
        runnable = self.passing(tmp_path)
        self.messages(tmp_path, runnable)
        status, answer = self.ask(tmp_path, runnable)
        assert (status, answer) == (0, {"met": True}), f"exited with {status}, and said {answer}"

    def test_what_is_not_met_has_a_reason(self, tmp_path: Path) -> None:
        """Exit status 1, and a reason of one line."""
        runnable = self.failing(tmp_path)
        if runnable is not None:
            status, answer = self.ask(tmp_path, runnable)
            said = f"exited with {status}, and said {answer}"
            assert (status, answer.get("met")) == (1, False), said
            assert len(str(answer.get("reason") or "").splitlines()) == 1, said


def _wait(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait(_ENDS_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        raise AssertionError(f"it did not end within {_ENDS_WITHIN:g} s of SIGTERM") from None


def _wait_for(
    word: bytes, count: int, process: subprocess.Popen[bytes], receiver: Receiver
) -> None:
    """Wait until so many messages of a sort came."""
    until = time.monotonic() + 20
    while b"".join(receiver.streams).count(word) < count:
        shown = f"{count} messages that have {word.decode()}"
        if process.poll() is not None:
            raise AssertionError(f"it ended before it sent {shown}")
        if time.monotonic() > until:
            process.kill()
            raise AssertionError(f"it did not send {shown}")
        time.sleep(0.02)


def _fresh(folder: Path) -> str:
    """Make the folder for what a task leaves, as agents do."""
    made = folder / "out"
    made.mkdir()
    return str(made)


def _checked(found: list[dict[str, Any]]) -> tuple[*tuple[Message, ...], Finished]:
    """Return the messages as types, after checking what holds for every task."""
    try:
        messages = [parse_object(each) for each in found]
    except MessageError as error:
        raise AssertionError(f"it sent a message that is none: {error}") from error
    assert messages, "it sent nothing"
    assert isinstance(messages[0], Started), f"it began with {found[0]}"
    assert messages[0].output_dir, "started has no output_dir"
    last = messages[-1]
    assert isinstance(last, Finished), f"it ended with {found[-1]}"
    ends = [each for each in messages if isinstance(each, (Started, Finished))]
    assert len(ends) == 2, "started and finished come once each"
    whose = {(each.task_id, each.job_id) for each in messages}
    assert whose == {(_ID, "job")}, f"messages are about {whose}, not {_ID!r} of job 'job'"
    times = [each.time for each in messages]
    assert times == sorted(times), "times do not rise"
    return (*messages[:-1], last)


def _ended(last: Finished) -> str:
    reason = f": {last.fail_reason}" if last.fail_reason else ""
    return f"it ended with {last.result.wire if last.result else ''!r}{reason}"


def _shown(text: str) -> str:
    line = text.strip().rpartition("\n")[2]
    return (line if len(line) < 200 else line[:200] + "...") or "nothing"
