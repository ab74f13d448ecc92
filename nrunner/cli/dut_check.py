"""``nrunner dut check``: looking whether tests can run on devices, all of them at once.

Not responsible for what is looked at (``nrunner.dutcare``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import click

from nrunner.cli.dut_choice import chosen_duts, duts_argument
from nrunner.cli.dut_visit import visiting
from nrunner.cli.flags import setting_flags
from nrunner.cli.output import say, say_json
from nrunner.dutcare import Step
from nrunner.dutmemory import DutMemory
from nrunner.errors import ExitCode
from nrunner.inventory import Dut
from nrunner.results.text import visible

__all__ = ["check", "look_at"]


@click.command()
@duts_argument()
@setting_flags("ssh.dut_tags", "ssh.inventory")
@click.option("as_json", "--json", is_flag=True, help="Write JSON.")
def check(names: tuple[str, ...], as_json: bool, **flags: Any) -> int:
    """Look whether tests can run on devices, and say each step: NAME, step, what was found.

    A device is reached, identified by its host key, looked over (Python, free space, load, clock)
    and asked who has it. One that was quarantined or borked and is well now is free again. The exit
    code is 2 if anything is wrong with any.
    """
    duts = chosen_duts(names, flags)
    found = asyncio.run(_check(duts, as_json))
    failed = sum(not all(step.is_fine for step in steps) for steps in found)
    if as_json:
        say_json([_to_json(dut, steps) for dut, steps in zip(duts, found, strict=True)])
    else:
        say(f"CHECKED    : {len(duts)} ({len(duts) - failed} fine)")
    return ExitCode.JOB_FAILED if failed else ExitCode.OK


async def _check(duts: Sequence[Dut], quiet: bool) -> list[list[Step]]:
    width = max(len(dut.name) for dut in duts)
    memory = DutMemory()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(look_at(dut, memory, width, quiet)) for dut in duts]
    return [task.result() for task in tasks]


async def look_at(dut: Dut, memory: DutMemory, width: int = 0, quiet: bool = False) -> list[Step]:
    """Return what was found at a device, noted and said step by step unless `quiet`."""
    steps = []
    async with visiting(dut) as care:
        async for step in care.examine():
            steps.append(step)
            if step.happening is not None:
                memory.note(dut, step.happening)
            if not quiet:
                mark = "" if step.is_fine else "FAILED: "
                say(f"{dut.name:<{width}}  {step.name:<9}  {mark}{visible(step.said)}")
    return steps


def _to_json(dut: Dut, steps: Sequence[Step]) -> dict[str, Any]:
    return {
        "name": dut.name,
        "fine": all(step.is_fine for step in steps),
        "steps": [{"name": step.name, "fine": step.is_fine, "said": step.said} for step in steps],
    }
