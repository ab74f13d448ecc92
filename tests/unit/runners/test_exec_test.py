from pathlib import Path
from typing import Any

import pytest

from nrunner.errors import RunnerError
from nrunner.result import Result
from nrunner.runnable import Runnable
from nrunner.runners.base import Command, Exit, Outcome, Place
from nrunner.runners.exec_test import ExecTest

PLACE = Place("/log", "/out", "/work", "/base")


def command(uri: str | None, place: Place = PLACE, **rest: Any) -> Command:
    answer = ExecTest().command(Runnable("exec-test", uri, **rest), place)
    assert isinstance(answer, Command)
    return answer


def judge(end: Exit, config: dict[str, Any] | None = None) -> Outcome:
    return ExecTest().judge(Runnable("exec-test", "/bin/x", config=config or {}), PLACE, end, None)


@pytest.mark.parametrize(
    ("uri", "program"),
    [
        ("/bin/true", "/bin/true"),
        ("./check.sh", "/base/check.sh"),
        ("tests/check.sh", "/base/tests/check.sh"),
        ("true", "true"),
    ],
)
def test_a_uri_with_a_slash_is_relative_to_the_base_folder(uri: str, program: str) -> None:
    assert command(uri, args=("-x",)).argv == (program, "-x")


def test_a_bare_name_means_the_file_in_the_base_folder_if_there_is_one(tmp_path: Path) -> None:
    (tmp_path / "true").write_text("")
    place = Place("/log", "/out", "/work", str(tmp_path))
    assert command("true", place).argv == (f"{tmp_path}/true",)


def test_the_program_runs_where_the_user_is() -> None:
    assert command("./check.sh").cwd == "/base"


def test_the_payload_is_told_its_folders_under_both_names() -> None:
    env = command("sub/check.sh").env
    for prefix in ("AVOCADO", "NRUNNER"):
        assert env[f"{prefix}_TEST_WORKDIR"] == "/work"
        assert env[f"{prefix}_TEST_BASEDIR"] == "/base/sub"
        assert env[f"{prefix}_TEST_LOGDIR"] == "/log"
        assert env[f"{prefix}_TEST_OUTPUTDIR"] == "/out"
        assert env[f"{prefix}_TEST_LOGFILE"] == "/log/debug.log"
        assert f"{prefix}_VERSION" in env
    assert env["TMPDIR"] == "/work"


def test_kwargs_become_environment_variables() -> None:
    env = command("/bin/x", kwargs={"A": "1", "N": 5, "L": [1], "TMPDIR": "/mine"}).env
    assert (env["A"], env["N"], env["L"], env["TMPDIR"]) == ("1", "5", "[1]", "/mine")


def test_the_parameters_of_a_variant_become_environment_variables() -> None:
    variant = {"variant_id": "v", "variant": [["/", [["/", "colour", "red"]]]]}
    assert command("/bin/x", variant=variant).env["colour"] == "red"


def test_a_cleared_environment_keeps_a_path() -> None:
    cleared = command("/bin/x", config={"runner.exectest.clear_env": True})
    assert cleared.clear_env
    assert cleared.env["PATH"]
    assert not command("/bin/x").clear_env


@pytest.mark.parametrize(
    ("uri", "rest", "reason"),
    [
        (None, {}, "needs a uri"),
        ("", {}, "needs a uri"),
        ("/bin/a\0b", {}, "NUL"),
        ("/bin/a", {"args": ("\0",)}, "NUL"),
        ("/bin/a", {"kwargs": {"a=b": "c"}}, "'a=b'"),
        ("/bin/a", {"kwargs": {"a": "c\0"}}, "'a'"),
        ("/bin/a", {"variant": {"variant": [1]}}, 'key "variant"'),
        ("/bin/a", {"config": {"runner.exectest.exitcodes.skip": "77"}}, "list of exit statuses"),
        ("/bin/a", {"config": {"runner.exectest.exitcodes.warn": [True]}}, "exitcodes.warn"),
    ],
)
def test_what_can_never_work_is_refused(uri: str | None, rest: dict[str, Any], reason: str) -> None:
    with pytest.raises(RunnerError, match=reason):
        command(uri, **rest)


@pytest.mark.parametrize(
    ("end", "outcome"),
    [
        (Exit(0), Outcome(Result.PASS, None, 0)),
        (Exit(1), Outcome(Result.FAIL, "exited with status 1", 1)),
        (Exit(None, 9), Outcome(Result.FAIL, "killed by signal 9 (SIGKILL)", -9)),
        (
            Exit(None, 11, core=True),
            Outcome(Result.FAIL, "killed by signal 11 (SIGSEGV), core dumped", -11),
        ),
        (Exit(None, 40), Outcome(Result.FAIL, "killed by signal 40", -40)),
    ],
)
def test_the_exit_status_is_the_result(end: Exit, outcome: Outcome) -> None:
    assert judge(end) == outcome


def test_configured_statuses_mean_skip_and_warn() -> None:
    config = {
        "runner.exectest.exitcodes.skip": [77],
        "runner.exectest.exitcodes.warn": [3],
    }
    assert judge(Exit(77), config).result is Result.SKIP
    assert judge(Exit(3), config).result is Result.WARN
    assert judge(Exit(4), config).result is Result.FAIL
    assert judge(Exit(0), config).result is Result.PASS
    assert judge(Exit(77), {"runner.exectest.exitcodes.skip": None}).result is Result.FAIL
