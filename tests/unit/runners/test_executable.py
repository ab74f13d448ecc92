import json
from pathlib import Path
from typing import Any

import pytest

from nrunner.runners import registry
from nrunner.runners.base import Outcome
from nrunner.runners.executable import main


def call(*words: str) -> int:
    return main(list(words))


def spoken(capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capfd.readouterr().out.splitlines()]


@pytest.mark.parametrize("kind", sorted(registry.KINDS))
def test_the_kind_is_in_the_executables_own_name(
    capfd: pytest.CaptureFixture[str], kind: str
) -> None:
    assert call(f"/usr/bin/nrunner-runner-{kind}", "capabilities") == 0
    (facts,) = spoken(capfd)
    assert facts["runnables"] == [kind]
    assert facts["configuration_used"] == sorted(registry.runner(kind).configuration_used)


def test_without_a_telling_name_all_kinds_can_be_run(capfd: pytest.CaptureFixture[str]) -> None:
    assert call("executable.py", "capabilities") == 0
    assert spoken(capfd)[0]["runnables"] == sorted(registry.KINDS)


def test_without_status_uris_the_messages_go_to_standard_output(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "a/b"
    assert call("nrunner-runner-noop", "runnable-run", f"output_dir={folder}") == 0
    started, finished = spoken(capfd)
    assert (started["status"], started["output_dir"]) == ("started", str(folder))
    assert (finished["status"], finished["result"]) == ("finished", "pass")
    assert "id" not in started
    assert folder.is_dir()


def test_a_temporary_output_folder_is_gone_afterwards(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert call("nrunner-runner-noop", "task-run", "-i", "1", "-j", "J") == 0
    started, _ = spoken(capfd)
    assert (started["id"], started["job_id"]) == ("1", "J")
    assert started["output_dir"].startswith(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_what_can_never_work_ends_with_a_message_and_exit_status_0(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert call("nrunner-runner-tap", "runnable-run", f"output_dir={tmp_path}") == 0
    _, finished = spoken(capfd)
    assert finished["result"] == "error"
    assert "needs a uri" in finished["fail_reason"]


def test_an_output_folder_that_has_output_already_is_not_overwritten(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "stdout").write_text("precious")
    words = ["runnable-run", "-u", "/bin/true", f"output_dir={tmp_path}"]
    assert call("nrunner-runner-exec-test", *words) == 0
    assert spoken(capfd)[-1]["result"] == "error"
    assert (tmp_path / "stdout").read_text() == "precious"


def test_an_output_folder_that_cannot_be_made_is_an_error(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    assert call("nrunner-runner-noop", "runnable-run", f"output_dir={tmp_path}/file/x") == 0
    assert "Not a directory" in spoken(capfd)[-1]["fail_reason"]


def test_even_a_bug_in_a_runner_ends_with_a_message(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Outcome:
        raise KeyError("oops")

    monkeypatch.setattr(registry.runner("noop"), "command", broken)
    with pytest.raises(KeyError):
        call("nrunner-runner-noop", "runnable-run")
    assert spoken(capfd)[-1]["fail_reason"] == "KeyError: 'oops'"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], "unknown command ''"),
        (["run"], "unknown command 'run'"),
        (["task-run"], "needs -i ID"),
        (["runnable-run", "-k", "exec-tset"], 'did you mean "exec-test"'),
        (["task-run-recipe"], "takes the path of one recipe"),
        (["task-run-recipe", "/none.json"], "/none.json: cannot be read"),
    ],
)
def test_wrong_usage_exits_with_2_and_a_reason(
    capfd: pytest.CaptureFixture[str], words: list[str], reason: str
) -> None:
    assert call("nrunner-runner-noop", *words) == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("nrunner-runner-noop: ")
    assert reason in captured.err


def test_help_is_no_error(capfd: pytest.CaptureFixture[str]) -> None:
    assert call("nrunner-runner-noop", "--help") == 0
    assert "task-run -i ID" in capfd.readouterr().out


def test_a_status_server_that_is_not_there_is_named_and_the_test_runs(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ["task-run", "-i", "1", f"output_dir={tmp_path}/out", "-s", f"{tmp_path}/none"]
    assert call("nrunner-runner-noop", *words, "-s", "localhost:none") == 0
    captured = capfd.readouterr()
    assert captured.out == ""
    assert f"'{tmp_path}/none': [Errno 2]" in captured.err
    assert "'localhost:none': invalid" in captured.err
