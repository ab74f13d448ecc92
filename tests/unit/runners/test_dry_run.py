from nrunner.result import Result
from nrunner.runnable import Runnable
from nrunner.runners.base import Exit, Outcome, Place
from nrunner.runners.dry_run import DryRun

PLACE = Place("/log", "/out", "/work", "/base")


def test_a_dry_run_is_cancelled_without_a_process() -> None:
    cancelled = Outcome(Result.CANCEL, "Test cancelled due to --dry-run")
    assert DryRun().command(Runnable("dry-run", "/bin/rm", ("-rf", "x")), PLACE) == cancelled
    assert DryRun().judge(Runnable("dry-run"), PLACE, Exit(0), None) == cancelled
