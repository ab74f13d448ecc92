"""``nrunner dut release``: a device is put into service again, by force if need be.

Not responsible for finding out who holds it, nor for ending that (``nrunner.dutcare``).
"""

from __future__ import annotations

import asyncio
from typing import Any

import click

from nrunner.cli.dut_check import look_at
from nrunner.cli.dut_choice import chosen_dut, dut_argument
from nrunner.cli.dut_visit import is_agreed, visiting
from nrunner.cli.flags import setting_flags
from nrunner.cli.output import say
from nrunner.dutcare import Care, Tenant
from nrunner.duthealth import Restored
from nrunner.dutmemory import DutMemory
from nrunner.errors import NrunnerError
from nrunner.inventory import Dut
from nrunner.results.text import visible

__all__ = ["release"]


class NotReleased(NrunnerError):
    """A device stays as it is."""


@click.command()
@dut_argument()
@setting_flags("ssh.inventory")
@click.option("--force", is_flag=True, help="Kill who holds it; what that is, is said first.")
@click.option("sure", "--yes", "-y", is_flag=True, help="Do not ask.")
def release(name: str, force: bool, sure: bool, **flags: Any) -> None:
    """Put the device NAME into service again: one that is quarantined, borked or retired.

    It is looked at first, and stays out of service if anything is wrong. With --force, whoever
    holds it there is killed with all that runs below: a job that uses it loses what runs there.
    """
    dut, inventory = chosen_dut(name, flags)
    if dut.retired:
        raise NotReleased(
            f"release {name}: {dut.where or inventory.path} says it is retired ({dut.retired})"
        )
    asyncio.run(_release(dut, force, sure))
    say(f"RELEASED   : {dut.name}")


async def _release(dut: Dut, force: bool, sure: bool) -> None:
    async with visiting(dut) as care:
        tenant = await care.tenant()
        if tenant.held and not force:
            raise NotReleased(f"release {dut.name}: {_held(tenant)}; --force kills what holds it")
        if tenant.held:
            await _evict(care, dut, tenant, sure)
    memory = DutMemory()
    steps = await look_at(dut, memory, len(dut.name))
    if not all(step.is_fine for step in steps):
        raise NotReleased(f"release {dut.name}: {steps[-1].said}")
    memory.note(dut, Restored())


async def _evict(care: Care, dut: Dut, tenant: Tenant, sure: bool) -> None:
    say(f"{dut.name} is {_held(tenant)}; to be killed there:")
    for each in tenant.processes:
        say(f"  {visible(each)}")
    if not is_agreed(sure, "Kill them?", f"release {dut.name}"):
        raise NotReleased(f"release {dut.name}: nothing was killed")
    for each in await care.evict():
        say(f"killed {visible(each)}")


def _held(tenant: Tenant) -> str:
    return f"{tenant.held}{' (and no agent answers there)' if tenant.is_borked else ''}"
