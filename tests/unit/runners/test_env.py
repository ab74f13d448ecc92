import pytest

from nrunner.errors import RunnerError
from nrunner.runnable import Requirement
from nrunner.runners.env import Env


def check(**kwargs: object) -> str:
    runner = Env()
    runner.config = {"runner.env": {"FROM_CONFIG": "yes"}}
    return runner.check(Requirement("env", kwargs=kwargs), "/") or ""


def test_a_variable_is_looked_for_where_tests_would_find_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EMPTY", "")
    assert check(name="EMPTY") == ""
    assert check(name="FROM_CONFIG", value="yes") == ""
    monkeypatch.delenv("ABSENT", raising=False)
    assert check(name="ABSENT") == "the environment variable ABSENT is not set"


def test_what_it_holds_is_compared_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "hunter2")
    assert check(name="SECRET", pattern="^hunter") == ""
    for wrong in ({"value": "hunter"}, {"pattern": "^unter"}):
        reason = check(name="SECRET", **wrong)
        assert "SECRET" in reason
        assert "hunter2" not in reason


def test_a_wrong_description_is_refused() -> None:
    with pytest.raises(RunnerError, match='key "values": nobody knows it; did you mean "value"'):
        check(name="X", values="x")
