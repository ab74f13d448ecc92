from nrunner.result import Result
from nrunner.runnable import Requirement, Runnable
from nrunner.runners.base import Exit, Outcome, Place
from nrunner.runners.noop import Noop

PLACE = Place("/log", "/out", "/work", "/base")


def test_a_noop_passes_without_a_process() -> None:
    assert Noop().command(Runnable("noop", "n"), PLACE) == Outcome(Result.PASS)
    assert Noop().judge(Runnable("noop"), PLACE, Exit(0), None) == Outcome(Result.PASS)


def test_a_noop_requirement_always_holds() -> None:
    assert Noop().check(Requirement("noop"), "/base") is None
    Noop().fulfil(Requirement("noop"), "/base")
