"""Run a command on a device so many times, so many at once, by asyncssh: what is compared with.

One connection, a channel for each command, all output read and every status checked.
"""

from __future__ import annotations

import asyncio
import sys

import asyncssh  # type: ignore[import-not-found]


async def main(address: str, key: str, known: str, count: int, parallel: int) -> None:
    """Connect, run all, and say how many were fine."""
    turns = asyncio.Semaphore(parallel)
    async with asyncssh.connect(
        address, username="root", client_keys=[key], known_hosts=known, config=None
    ) as connection:

        async def one() -> int:
            async with turns:
                done = await connection.run("/bin/true", check=False)
                return int(done.exit_status == 0)

        total = sum(await asyncio.gather(*(one() for _ in range(count))))
    sys.stdout.write(f"{total}\n")


if __name__ == "__main__":
    _, address, key, known, count, parallel = sys.argv
    asyncio.run(main(address, key, known, int(count), int(parallel)))
