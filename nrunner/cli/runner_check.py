"""``nrunner runner check``: whether a runner executable does what all of them have to do.

Not responsible for what that is (``nrunner.testing.executable_contract``).
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import click

from nrunner.cli.output import say
from nrunner.errors import ExitCode, RecipeError, UsageError
from nrunner.runnable import Runnable
from nrunner.testing.executable_check import EXAMPLES, Check, Found, Subject, checks

__all__ = ["check"]

_WORDS = {
    Found.HOLDS: "ok",
    Found.FAILS: "FAILED",
    Found.ADVICE: "advice",
    Found.SKIPPED: "skipped",
}


@click.command()
@click.argument("program", metavar="PATH")
@click.option("--kind", metavar="KIND", help="What it runs, if its name does not say it.")
@click.option("--passing", metavar="RECIPE", help="A Runnable that ends well.")
@click.option("--failing", metavar="RECIPE", help="A Runnable that ends badly.")
@click.option("--endless", metavar="RECIPE", help="A Runnable that runs for a minute.")
def check(program: str, kind: str | None, **given: str | None) -> int:
    """Check that the runner executable at PATH, or of that name, behaves as it has to.

    A RECIPE is a file, or JSON itself: '{"uri": "good"}'. Of kinds that everybody knows (exec-test,
    tap, noop) there are recipes already. What needs a recipe that is not given is skipped. The exit
    code is 1 if a check failed; what nrunner can live with is advice, and counts as good.
    """
    found = shutil.which(program)
    if found is None:
        raise UsageError(f"check {program}: no such program")
    path = str(Path(found).absolute())
    kind = kind or Path(path).name.partition("-runner-")[2]
    if not kind:
        raise UsageError(f"tell of which kind {program} is: say --kind KIND")
    runnables = dict(EXAMPLES.get(kind, {}))
    runnables.update({sort: _runnable(text, kind, sort) for sort, text in given.items() if text})
    failed = 0
    for each in checks(Subject(path, kind, runnables)):
        _show(each)
        failed += each.found is Found.FAILS
    return ExitCode.TESTS_FAILED if failed else ExitCode.OK


def _show(each: Check) -> None:
    reason = f": {' '.join(each.reason.split())}" if each.reason else ""
    say(f"{_WORDS[each.found]:8}{each.text}{reason}")


def _runnable(text: str, kind: str, sort: str) -> Runnable:
    """Read a recipe; raise UsageError or RecipeError."""
    if not text.lstrip().startswith("{"):
        try:
            text = Path(text).read_text("utf-8")
        except (OSError, ValueError) as error:
            raise UsageError(f"read the recipe for --{sort}: {error}") from error
    try:
        return Runnable.from_json({"kind": kind, **json.loads(text)})
    except (ValueError, TypeError, RecursionError) as error:
        raise UsageError(f"read the recipe for --{sort}: not a JSON object: {error}") from error
    except RecipeError as error:
        raise UsageError(f"read the recipe for --{sort}: {error}") from error
