"""``nrunner diff``: what became of tests from one job to another.

Not responsible for what counts as a change (``nrunner.difference``).
"""

from __future__ import annotations

from typing import Any

import click

from nrunner.cli.chosen import chosen_job, complete_job
from nrunner.cli.flags import setting_flags
from nrunner.cli.output import say, say_json
from nrunner.difference import KINDS, Change, Difference, difference
from nrunner.errors import ExitCode, UsageError
from nrunner.option import Amount
from nrunner.pastjob import PastJob
from nrunner.results.text import first_line, shortened, visible

__all__ = ["diff"]


@click.command()
@click.argument("before", metavar="BEFORE", shell_complete=complete_job)
@click.argument("after", metavar="AFTER", default="latest", shell_complete=complete_job)
@click.option("as_json", "--json", is_flag=True, help="Write JSON.")
@click.option(
    "--slower",
    metavar="NUMBER",
    default="1.5",
    help="How many times longer a test takes that is called slower (1.5).",
)
@click.option("--diff-strip-id", is_flag=True, expose_value=False, hidden=True)  # always so
@setting_flags("run.results_dir")
def diff(before: str, after: str, as_json: bool, slower: str, **flags: Any) -> int:
    """Say what became of tests from job BEFORE to job AFTER (the latest, if it is not named).

    Tests are newly failing, fixed, slower, not run any more (skipped now), gone, or new. The exit
    code is 1 if a test fails that did not fail before, else 0.
    """
    factor = _factor(slower)
    jobs = [PastJob(chosen_job(name, flags)) for name in (before, after)]
    old, new = (job.journal.settled() for job in jobs)
    found = difference(old, new, slower=factor)
    names = [job.folder.root.name for job in jobs]
    if as_json:
        changes = {kind: [each.to_json() for each in found.changes[kind]] for kind in KINDS}
        counts = {"same": found.same, "still_failing": found.still_failing}
        say_json({"before": names[0], "after": names[1], **changes, **counts})
    else:
        _tell(found, names)
    return ExitCode.TESTS_FAILED if found.is_worse else ExitCode.OK


def _factor(text: str) -> float:
    try:
        return Amount().from_text(text)
    except ValueError as error:
        raise UsageError(f"use --slower: {error}") from error


def _tell(found: Difference, names: list[str]) -> None:
    say(f"BEFORE     : {visible(names[0])}")
    say(f"AFTER      : {visible(names[1])}")
    for kind, title in KINDS.items():
        changes = found.changes[kind]
        if changes:
            say(f"{title} ({len(changes)})")
            for each in changes:
                say(f"  {_line(kind, each)}")
    say(f"AS BEFORE  : {found.same}, of which {found.still_failing} fail")


def _line(kind: str, change: Change) -> str:
    suite = f" [{visible(change.suite)}]" if change.suite else ""
    name = shortened(change.name) + suite
    before, after = change.before, change.after
    if after is None or before is None:
        known = before or after
        return f"{name}: {'' if known is None else known.result.value}"
    if kind == "slower":
        times = after.elapsed / before.elapsed if before.elapsed else 0.0
        ratio = f" ({times:.1f} times)" if times else ""
        return f"{name}: {before.elapsed:.2f} s -> {after.elapsed:.2f} s{ratio}"
    reason = f": {first_line(after.detail)}" if after.detail else ""
    return f"{name}: {before.result.value} -> {after.result.value}{reason}"
