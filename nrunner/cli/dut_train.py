"""``nrunner dut train``: a device shows that it can be relied on, by being restarted many times.

Not responsible for the loops (``nrunner.training``).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Any

import click

from nrunner.cli.dut_choice import chosen_dut, dut_argument
from nrunner.cli.dut_visit import is_agreed, visiting
from nrunner.cli.flags import setting_flags
from nrunner.cli.output import say
from nrunner.cli.settings import configuration, flags_of, working_folder
from nrunner.dutcare import Care
from nrunner.duthealth import Restored, Retired, Returned, Taken
from nrunner.dutmemory import DutMemory
from nrunner.errors import ExitCode, LinkError, UsageError
from nrunner.inventory import Dut
from nrunner.option import Duration
from nrunner.results.text import visible
from nrunner.training import Loop, Occupied, Plan, Tally, Training, way_to_restart

__all__ = ["train"]

_SLACK = 300.0
"""Seconds that a loop may take beside waiting for the device."""


@click.command()
@dut_argument()
@click.option("--loops", type=click.IntRange(1), default=10, show_default=True, help="How many.")
@click.option(
    "--check", "checks", multiple=True, metavar="COMMAND", help="Must succeed there each time."
)
@click.option(
    "--boot-timeout", default="5m", show_default=True, metavar="TIME", help="To be back in."
)
@click.option("--fail-fast", is_flag=True, help="Stop at the first loop that fails.")
@click.option("sure", "--yes", "-y", is_flag=True, help="Do not ask.")
@setting_flags("ssh.inventory", "run.results_dir")
def train(
    name: str,
    loops: int,
    checks: tuple[str, ...],
    boot_timeout: str,
    fail_fast: bool,
    sure: bool,
    **flags: Any,
) -> int:
    """Restart the device NAME again and again, and look at it each time.

    Its power is switched if its entry says how (power_cycle, or power_off and power_on); else it is
    told to reboot. Each time it has to be back in time and pass what "nrunner dut check" looks at,
    and each --check. It is qualified, and put into service, only if all loops pass; else it is
    retired. Logs are kept of failed loops alone. The exit code is 1 if it is not qualified.
    """
    dut, _ = chosen_dut(name, flags)
    if not is_agreed(sure, f"Restart {name} {loops} times?", f"restart {name} {loops} times"):
        raise UsageError(f"train {name}: nobody agreed")
    stamp = time.strftime("%Y-%m-%dT%H.%M.%S")
    results = working_folder() / configuration(flags_of(flags)).results_dir
    folder = Path(results) / f"training-{name}-{stamp}"
    plan = Plan(loops, folder, checks, _seconds(boot_timeout), stops_early=fail_fast)
    say(f"TRAINING   : {name}, {loops} loops by {way_to_restart(dut)}")
    tally = asyncio.run(_train(dut, plan))
    say(f"PASSED     : {tally.passed} of {loops}")
    if tally.failed:
        say(f"FAILED     : {tally.failed} (logs in {folder})")
    say(f"QUALIFIED  : {'yes' if tally.is_qualified else 'no'}")
    return ExitCode.OK if tally.is_qualified else ExitCode.TESTS_FAILED


async def _train(dut: Dut, plan: Plan) -> Tally:
    memory, tally = DutMemory(), Tally(plan.loops)
    async with visiting(dut) as care:
        await _check_free(dut, care)
        try:
            _own(memory, dut, plan)
            async for loop in Training(dut, care, plan).loops():
                tally = tally.plus(loop)
                _tell(loop, plan)
                _own(memory, dut, plan)
        finally:
            memory.note(dut, Returned())
            if tally.failed:
                whole = tally.passed + tally.failed
                reason = f"{tally.failed} of {whole} loops of its training failed"
                memory.note(dut, Retired(f"{reason} ({tally.first_failure})"))
            elif tally.is_qualified:
                memory.note(dut, Restored())
            with contextlib.suppress(OSError):
                plan.folder.rmdir()  # nothing was kept
    return tally


async def _check_free(dut: Dut, care: Care) -> None:
    """Raise Occupied if somebody has it; one that is off may be trained by its power."""
    try:
        held = (await care.tenant()).held
    except LinkError:
        if way_to_restart(dut) == "reboot":
            raise
        return
    if held:
        raise Occupied(f"train {dut.name}: it is {held}")


def _own(memory: DutMemory, dut: Dut, plan: Plan) -> None:
    """Keep jobs away for as long as the next loop may take."""
    memory.note(dut, Taken("being trained", time.time() + plan.boot_within + _SLACK))


def _tell(loop: Loop, plan: Plan) -> None:
    said = f"FAILED: {visible(loop.failure)}" if loop.failure else f"passed in {loop.seconds:.1f} s"
    say(f"loop {loop.number:>{len(str(plan.loops))}} of {plan.loops}: {said}")


def _seconds(text: str) -> float:
    try:
        return float(Duration(positive=True).from_text(text))
    except ValueError as error:
        raise UsageError(f"use --boot-timeout: {error}") from error
