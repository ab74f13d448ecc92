"""The agent of sh whose own folder is on a small disk, which somebody else fills."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from nrunner.runnable import Runnable
from nrunner.spawners.shell_link import ShellLink
from nrunner.testing.talk import Talk
from tests.contract.shell_spawner import ShellHandle
from tests.functional.test_shell_agent import WITHIN, Channel, Scene, everywhere, scene

QUIET = Runnable("exec-test", "/bin/sh", ("-c", "exit 0"))


class Disk:
    """A file system of 64 KiB in place of the agent's own folder, where nobody else sees it."""

    def __init__(self, folder: Path) -> None:
        self._home = folder / "runtime" / "agent-1"
        self._mounted = folder / "mounted"
        self._enter: tuple[str, ...] = ()
        self._channels: list[Channel] = []
        home = self._home
        self.prepare = f"""
            /bin/cp {home}/token {folder}
            /bin/mount -t tmpfs -o size=64k,mode=700 tmpfs {home}
            /bin/mv {folder}/token {home}
            {shutil.which("mkfifo")} -m 600 {home}/door
            echo > {self._mounted}
        """

    def adapt(self, handle: ShellHandle) -> None:
        """Have an agent reached where its folder is to be seen."""
        own_users = () if os.geteuid() == 0 else ("-U", "--preserve-credentials")
        nsenter = str(shutil.which("nsenter"))
        self._enter = (nsenter, "-t", str(handle.process.pid), "-m", *own_users)

        async def connect(factory: Callable[[], asyncio.Protocol]) -> None:
            while not self._mounted.exists():  # noqa: ASYNC110 - made by another process
                await asyncio.sleep(0.005)

            def reach(link: ShellLink) -> Channel:
                words = (*self._enter, str(shutil.which("busybox")), "sh")
                self._channels.append(Channel(words, self._home, link))
                return self._channels[-1]

            ShellLink(factory(), reach)

        handle.connect = connect  # type: ignore[method-assign]

    def fill(self, left: int = 0) -> None:
        """Leave so many bytes of it free, once the agent has what it needs by itself."""
        self._do("until [ -s worker-1 ] && [ -s worker-2 ] && [ -s spool ]; do sleep 0.01; done")
        self._do(f"cat /dev/zero > filler 2>/dev/null; truncate -s -{left} filler")

    def clear(self) -> None:
        """Give back what was filled."""
        self._do("rm filler")

    def _do(self, script: str) -> None:
        words = (*self._enter, "/bin/sh", "-c", f"cd {self._home} && {script}")
        subprocess.run(words, check=True, env={"PATH": "/bin:/usr/bin"})

    async def wait_closed(self) -> None:
        for each in self._channels:
            await each.wait_closed()


@pytest.fixture
def shell() -> str:
    return "busybox"


@pytest.fixture
def play(shell, tmp_path) -> Callable[[Callable], None]:
    """Return what runs a test with an agent on such a disk."""

    def run(body: Callable) -> None:
        async def main() -> None:
            disk = Disk(tmp_path)
            async with asyncio.timeout(WITHIN):
                async with scene(tmp_path, shell, disk.prepare, disk.adapt) as it:
                    await body(it, disk)
                await disk.wait_closed()

        asyncio.run(main())

    return run


async def refusal(it: Scene, number: int, runnable: Runnable = QUIET) -> tuple[str, str]:
    it.talk.run(number, runnable)
    head = await it.talk.hear(number, "not_started")
    return head["cause"], head["reason"]


@everywhere
def test_an_order_that_cannot_be_written_is_trouble_of_ours(play):
    """Neither run as far as it was written, nor told as a fault of the test."""

    async def body(it: Scene, disk: Disk) -> None:
        disk.fill()
        trouble = f"its order cannot be written to {it.handle.home}: most likely it has no room"
        assert await refusal(it, 1) == ("infra", trouble)
        disk.clear()
        disk.fill(left=os.sysconf("SC_PAGE_SIZE"))
        words = ("-c", "echo $#", "sh", *map(str, range(100000, 100600)))
        assert await refusal(it, 2, Runnable("exec-test", "/bin/sh", words)) == ("infra", trouble)
        disk.clear()
        assert (await it.end(3, *words[1:]))["result"] == "pass"
        assert it.read(3) == b"600\n"

    play(body)


@everywhere
def test_nothing_runs_whose_process_cannot_be_noted(play):
    """It would not be known who is its own once it has ended."""

    async def body(it: Scene, disk: Disk) -> None:
        disk.fill(left=os.sysconf("SC_PAGE_SIZE"))  # for its order
        assert await refusal(it, 1) == ("infra", "its files could not be made")
        disk.clear()
        assert (await it.end(2, "exit 0"))["result"] == "pass"

    play(body)


@everywhere
def test_settings_that_cannot_be_written_are_once_there_is_room(play):
    async def body(it: Scene, disk: Disk) -> None:
        assert (await it.end(1, "exit 0"))["result"] == "pass"
        disk.fill()
        it.talk = Talk(it.handle, {**it.settings, "env": {"LONG": "x" * 10000}}, epoch=2)
        await it.talk.environment.open()
        assert (await refusal(it, 2))[0] == "infra"
        disk.clear()
        assert (await it.end(3, "echo ${#LONG}"))["result"] == "pass"
        assert it.read(3) == b"10000\n"

    play(body)
