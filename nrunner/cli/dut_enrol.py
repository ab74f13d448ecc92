"""``nrunner dut enrol``: from here on, a device is the machine that shows this host key.

The key is written into its entry in the inventory. Not responsible for asking a device for it
(``nrunner.dutcare``), nor for the file (``nrunner.dutfile``).
"""

from __future__ import annotations

import asyncio
from typing import Any

import click

from nrunner.cli.dut_choice import chosen_dut, dut_argument
from nrunner.cli.dut_visit import is_agreed, visiting
from nrunner.cli.flags import setting_flags
from nrunner.cli.output import say
from nrunner.dutcare import ShownKey
from nrunner.dutfile import store_host_key
from nrunner.errors import NrunnerError, SpawnError
from nrunner.inventory import Dut

__all__ = ["enrol"]


class NotEnrolled(NrunnerError):
    """A device's key was not taken."""


@click.command()
@dut_argument()
@setting_flags("ssh.inventory")
@click.option("expected", "--fingerprint", metavar="SHA256:...", help="Take this key or none.")
@click.option("sure", "--yes", "-y", is_flag=True, help="Do not ask.")
def enrol(name: str, expected: str | None, sure: bool, **flags: Any) -> None:
    """Take the host key that the device NAME shows into its entry in the inventory.

    Compare the fingerprint with what the device itself says, for example on its console:
    ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub. Whoever answers in its place now would be
    trusted from here on.
    """
    dut, inventory = chosen_dut(name, flags)
    shown, known = asyncio.run(_ask(dut))
    say(f"{dut.name} ({dut.user}@{dut.address}:{dut.port}) shows the {shown.text.split()[0]} key")
    say(shown.fingerprint)
    if known == shown.fingerprint and (expected or known) == known:
        say("which is the one in the inventory already")
        return
    if known:
        say(f"ANOTHER one than in the inventory, {known}: it was installed anew, or is another")
    if expected is not None and expected != shown.fingerprint:
        raise NotEnrolled(f"enrol {dut.name}: that is not {expected}; nothing was changed")
    if expected is None and not is_agreed(sure, f"Trust it as {dut.name}?", f"enrol {dut.name}"):
        raise NotEnrolled(f"enrol {dut.name}: its key was not taken")
    store_host_key(inventory.path, dut.name, shown.text)
    say(f"written into {inventory.path}")


async def _ask(dut: Dut) -> tuple[ShownKey, str]:
    """Return the key that is shown, and the fingerprint of the one that is known, if any."""
    async with visiting(dut) as care:
        shown = await care.shown_key()
        try:
            return shown, care.fingerprint(dut.host_key) if dut.host_key else ""
        except SpawnError:
            return shown, "which is no key"
