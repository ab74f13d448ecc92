"""``nrunner reap``: removing what killed jobs have left in places where no system cleans up.

Not responsible for what that is (spawners that are `Reaping`), nor for a job's own folder.
"""

from __future__ import annotations

import asyncio

import click

from nrunner.cli.idle_spawner import idle_spawner
from nrunner.cli.output import say
from nrunner.errors import ExitCode, UsageError
from nrunner.spawners.base import Reaping, Spawner

__all__ = ["reap"]


@click.command()
@click.option(
    "--running",
    is_flag=True,
    help="Also what still runs: nobody can go on with those jobs then.",
)
@click.option("name", "--spawner", default="podman", show_default=True, help="Whose leftovers.")
def reap(running: bool, name: str) -> int:
    """Remove the containers of jobs whose nrunner was killed.

    What belongs to an nrunner that lives, or was not made by nrunner, is never touched.
    """
    with idle_spawner(name) as spawner:
        removed = asyncio.run(_reap(spawner, running))
    for each in removed:
        say(f"removed {each}")
    say(f"REMOVED    : {len(removed)}")
    return ExitCode.OK


async def _reap(spawner: Spawner, running: bool) -> list[str]:
    try:
        if not isinstance(spawner, Reaping):
            raise UsageError(f"reap what spawner {spawner.name!r} left: it leaves nothing")
        return await spawner.reap(with_running=running)
    finally:
        await spawner.close()
