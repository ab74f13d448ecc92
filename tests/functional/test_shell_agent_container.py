"""The agent of sh as the first process of a container in which there is nothing but busybox."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nrunner.runnable import Runnable
from nrunner.runners.spool import Remains
from nrunner.spawners.shell_agent import ShellAgent, agent_script
from nrunner.testing.talk import Talk
from tests.containers import LIMITS, busybox_image, oci_runtime, podman


class ContainerHandle:
    """A container that runs the agent."""

    name = "container"

    def __init__(self, folder: Path, kept: Path) -> None:
        folder.mkdir(mode=0o700)
        self.token = secrets.token_hex(8)
        (folder / "token").write_text(self.token + "\n")
        os.mkfifo(folder / "door", 0o600)
        mounts = (f"{folder}:/agent", f"{agent_script()}:/agent.sh:ro", f"{kept}:{kept}")
        volumes = [word for mount in mounts for word in ("--volume", mount)]
        words = ("--runtime", oci_runtime(), "run", "--detach", "--network", "none", *volumes)
        inside = (*LIMITS, busybox_image(), "sh", "/agent.sh", "serve", "/agent", "2")
        self.id = podman(*words, *inside)
        self.address: dict[str, Any] = {"id": self.id}
        self._agent = ShellAgent(folder)

    async def connect(self, factory: Callable[[], asyncio.Protocol]) -> None:
        await self._agent.connect(factory)

    async def wait_gone(self) -> str:
        pipe = asyncio.subprocess.PIPE
        waiting = await asyncio.create_subprocess_exec("podman", "wait", self.id, stdout=pipe)
        await waiting.communicate()
        return "the container ended"

    async def remains(self) -> Remains | None:
        return self._agent.remains()

    async def destroy(self) -> None:
        podman("rm", "--force", "--time", "0", self.id)


def test_what_hides_in_a_container_is_found_and_all_leaves_with_the_agent(tmp_path):
    async def main() -> None:
        kept = tmp_path / "kept"
        kept.mkdir()
        handle = ContainerHandle(tmp_path / "agent", kept)
        settings = {
            "job_id": "contained",
            "base_dir": str(kept),
            "results_dir": str(kept),
            "slots_dir": str(kept / "slots"),
            "slots": 2,
        }
        talk = Talk(handle, settings)
        try:
            await talk.environment.open()
            # In a session of its own, without a mark, and nobody's child.
            sleeps = "until grep -qx sleep /proc/$!/comm; do :; done"
            hidden = f"echo hello; env -i setsid sleep 2000 & {sleeps}"
            talk.run(1, Runnable("exec-test", "sh", ("-c", hidden)))
            end = await talk.hear(1, "ended")
            assert end["result"] == "pass"
            assert [leak["command"] for leak in end["leaks"]] == ["sleep 2000"]
            assert (talk.log_dir(1) / "stdout").read_text() == "hello\n"
            assert "sleep 2000" not in podman("exec", handle.id, "ps", "-o", "args")
            talk.run(2, Runnable("exec-test", "sh", ("-c", "kill -9 -1; exec sleep 1000")))
            await talk.hear(2, "started")
            # All but the first process were killed; what is left is its to end.
            assert await handle.wait_gone()
            left = await handle.remains()
            assert left is not None
            assert [head["event"] for head in left.events] == ["started", "ended", "started"]
        finally:
            await handle.destroy()

    async def bounded() -> None:
        async with asyncio.timeout(30):
            await main()

    asyncio.run(bounded())
