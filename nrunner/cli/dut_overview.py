"""``nrunner dut list``: the devices of the inventory, and how they are as far as is known here.

Asks no device (``nrunner dut check`` does). Not responsible for what is known
(``nrunner.dutmemory``).
"""

from __future__ import annotations

import time
from typing import Any

import click

from nrunner.cli.dut_choice import chosen_duts, duts_argument
from nrunner.cli.flags import setting_flags
from nrunner.cli.output import say_json, table
from nrunner.duthealth import Health, State
from nrunner.dutmemory import DutMemory
from nrunner.inventory import Dut
from nrunner.results.text import visible

__all__ = ["list_", "moment", "told_health"]

_DAY = 86400


@click.command("list")
@duts_argument()
@setting_flags("ssh.dut_tags", "ssh.inventory")
@click.option("as_json", "--json", is_flag=True, help="Write JSON.")
def list_(names: tuple[str, ...], as_json: bool, **flags: Any) -> None:
    """List devices: name, state, address, slots, tags, and why they are in that state.

    A device is free, owned (a job has it), quarantined (it failed, and is left alone for a while),
    borked (who holds it does not answer) or retired. This is what is known here, from jobs and
    checks; no device is asked.
    """
    duts, memory = chosen_duts(names, flags), DutMemory()
    known = [(dut, memory.health(dut)) for dut in duts]
    if as_json:
        say_json([_to_json(dut, health) for dut, health in known])
    else:
        now = time.time()
        table(_row(dut, health, now) for dut, health in known)


def told_health(dut: Dut, health: Health, now: float) -> str:
    """Return why a device is in its state, and until when, for people."""
    if health.state is State.FREE:
        return "" if dut.host_key else f"its host key is not known: nrunner dut enrol {dut.name}"
    if health.is_due(now):
        return f"{health.reason} (looked at again before it is used)"
    if health.until:
        return f"{health.reason} (until {moment(health.until, now)})"
    return f"{health.reason} (since {moment(health.since, now)})" if health.since else health.reason


def moment(seconds: float, now: float) -> str:
    """Return a point of time for people: of today without its date."""
    form = "%H:%M:%S" if abs(seconds - now) < _DAY / 2 else "%Y-%m-%d %H:%M"
    return time.strftime(form, time.localtime(seconds))


def _row(dut: Dut, health: Health, now: float) -> tuple[str, ...]:
    port = "" if dut.port == 22 else f":{dut.port}"
    return (
        dut.name,
        health.state.value,
        visible(f"{dut.user}@{dut.address}{port}"),
        str(dut.slots),
        ",".join(sorted(dut.tags)) or "-",
        visible(told_health(dut, health, now)),
    )


def _to_json(dut: Dut, health: Health) -> dict[str, Any]:
    return {
        "name": dut.name,
        "address": dut.address,
        "port": dut.port,
        "user": dut.user,
        "tags": sorted(dut.tags),
        "slots": dut.slots,
        "enrolled": bool(dut.host_key),
        "state": health.state.value,
        "reason": health.reason,
        "since": health.since or None,
        "until": health.until or None,
        "failures": health.failures,
    }
