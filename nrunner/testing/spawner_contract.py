"""What every spawner must do: a suite to run against your own.

Derive a class from `SpawnerContract`, say how to make your spawner, and let pytest find it::

    class TestMySpawner(SpawnerContract):
        def make_spawner(self, context):
            return MySpawner(context)

Where an environment has no ``/bin/sh``, say what can run there instead (`prints`, `sleeps`,
`stubborn`), and in `remains` how to find what was left behind. Every test opens an environment
of its own, speaks with its agent as a job does, and looks afterwards for what is left. Not
responsible for tasks or verdicts; those are the same with every spawner.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from nrunner.errors import LinkError, SpawnError
from nrunner.runnable import Requirement, Runnable
from nrunner.spawners.base import Handle, Spawner, SpawnerContext
from nrunner.testing.talk import Talk

__all__ = ["SpawnerContract"]


class SpawnerContract:
    """Tests that every spawner passes."""

    within: float = 30.0
    """Seconds in which everything that a test waits for has to happen."""
    printed = b"hello\n"
    """What `prints` prints."""

    @pytest.fixture(autouse=True)
    def _folders(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        self.folder = tmp_path_factory.mktemp("contract")
        runtime = self.folder / "runtime"
        runtime.mkdir(mode=0o700)
        # An id of its own: what another run of the suite has running is not ours.
        job_id = f"contract-{secrets.token_hex(8)}"
        self.context = SpawnerContext(
            job_id, runtime, self.folder / "cache", 2, base_dir=str(self.folder)
        )
        self.kept = self.folder / "kept"
        self.kept.mkdir(mode=0o700)

    # What a subclass says.

    def make_spawner(self, context: SpawnerContext) -> Spawner:
        """Return a new spawner for a job."""
        raise NotImplementedError

    def prints(self) -> Runnable:
        """Return what prints `printed` and exits with status 3."""
        return Runnable("exec-test", "/bin/sh", ("-c", "echo hello; exit 3"))

    def sleeps(self, seconds: float) -> Runnable:
        """Return what prints `printed`, sleeps, and ends at the first SIGTERM."""
        return Runnable("exec-test", "/bin/sh", ("-c", f"echo hello; exec sleep {seconds}"))

    def stubborn(self) -> Runnable:
        """Return what does not end at a SIGTERM, nor by itself."""
        loop = "trap '' TERM; while :; do sleep 0.2; done"
        return Runnable("exec-test", "/bin/sh", ("-c", loop))

    def remains(self, _spawner: Spawner) -> list[str]:
        """Return, in words, what is left of the environments that the test opened."""
        return [*_processes_of(self.context), *map(str, self.context.runtime_folder.iterdir())]

    def run(self, main: Coroutine[Any, Any, None]) -> None:
        """Run a test's coroutine."""
        asyncio.run(main)

    # Tests.

    def test_it_offers_places_with_names_of_their_own_and_slots(self) -> None:
        """A job has to know where how much can run."""
        spawner = self.make_spawner(self.context)
        offers = spawner.offers()
        assert spawner.name
        assert spawner.description
        assert offers
        assert len({offer.place for offer in offers}) == len(offers)
        assert all(offer.slots >= 1 and offer.queue >= 0 for offer in offers)

    def test_two_tasks_run_and_their_output_and_exit_status_are_kept(self) -> None:
        """What a task writes is in its folder, how it exited is in its last event."""

        async def body(talk: Talk, _handle: Handle) -> None:
            for number in (1, 2):
                talk.run(number, self.prints())
            for number in (1, 2):
                end = await talk.hear(number, "ended")
                assert (end["result"], end["returncode"]) == ("fail", 3)
                assert (talk.log_dir(number) / "stdout").read_bytes() == self.printed
                assert end["outputs"] == ["stdout"]
                assert talk.said(number) == ["started", "ended"]

        self._talk(body)

    def test_a_task_that_is_cancelled_ends_by_itself(self) -> None:
        """Cancelling gives a task the time to end."""

        async def body(talk: Talk, _handle: Handle) -> None:
            talk.run(1, self.sleeps(1000))
            await talk.hear(1, "started")
            talk.cancel(1)
            assert (await talk.hear(1, "ended"))["stop"] == "cancelled"

        self._talk(body)

    def test_a_task_that_does_not_listen_is_killed(self) -> None:
        """A kill gives no time, and needs no consent."""

        async def body(talk: Talk, _handle: Handle) -> None:
            talk.run(1, self.stubborn(), grace=1000)
            await talk.hear(1, "started")
            talk.cancel(1)
            talk.cancel(1, kill=True)
            assert (await talk.hear(1, "ended"))["stop"] == "cancelled"

        self._talk(body)

    def test_a_hard_limit_holds(self) -> None:
        """The agent ends what is past its limit, even what does not listen."""

        async def body(talk: Talk, _handle: Handle) -> None:
            talk.run(1, self.stubborn(), timeout=0.2, grace=0.1)
            assert (await talk.hear(1, "ended"))["stop"] == "timeout"

        self._talk(body)

    def test_closing_ends_everything_that_runs(self) -> None:
        """Nothing outlives its environment."""

        async def body(talk: Talk, _handle: Handle) -> None:
            talk.run(1, self.stubborn(), grace=1000)
            talk.run(2, self.sleeps(1000))
            await talk.hear(1, "started")
            await talk.hear(2, "started")

        self._talk(body)

    def test_opening_can_be_cancelled_at_any_moment(self) -> None:
        """Whoever opens may lose interest: nothing is left of it."""

        async def main() -> None:
            spawner = self.make_spawner(self.context)
            for turns in (0, 1, 2, 3, 5, 8):
                opening = asyncio.ensure_future(self._open(spawner))
                for _ in range(turns):
                    await asyncio.sleep(0)
                opening.cancel()
                await asyncio.wait([opening])
                if not opening.cancelled():
                    await opening.result().destroy()
            await spawner.close()
            assert self.remains(spawner) == []

        self.run(self._bounded(main()))

    def test_an_environment_that_is_destroyed_says_so_and_is_gone(self) -> None:
        """Force ends everything in it, and whoever waits for it is told."""

        async def body(talk: Talk, handle: Handle) -> None:
            talk.run(1, self.stubborn(), grace=1000)
            await talk.hear(1, "started")
            wish = self.sleeps(1000)
            wanted = Requirement(wish.kind, wish.uri, wish.args)
            fields = {"id": "wanted", "log_dir": talk.requirement_dir(2)}
            asking = asyncio.ensure_future(talk.environment.fulfil(wanted, fields))
            holding = asyncio.ensure_future(talk.environment.wait_gone())
            await asyncio.sleep(0)
            await handle.destroy()
            assert await holding
            with pytest.raises(LinkError):
                await asking
            await handle.destroy()

        self._talk(body)

    def test_a_wrong_token_is_refused(self) -> None:
        """Who does not know the secret is nobody's controller."""

        async def body(talk: Talk, handle: Handle) -> None:
            stranger = Talk(handle, self._settings(), token="wrong")
            with pytest.raises(LinkError, match="token"):
                await stranger.environment.open()
            await self._still_works(talk)

        self._talk(body)

    def test_a_controller_of_an_older_epoch_is_refused(self) -> None:
        """A job that was taken over cannot be taken back by its former controller."""

        async def body(talk: Talk, handle: Handle) -> None:
            former = Talk(handle, self._settings(), epoch=1)
            with pytest.raises(LinkError, match="epoch 1 is older"):
                await former.environment.open()
            await self._still_works(talk)

        self._talk(body, epoch=2)

    def test_a_controller_of_a_newer_epoch_takes_over(self) -> None:
        """The former one is told, and keeps its hands off the environment."""

        async def body(talk: Talk, handle: Handle) -> None:
            holding = asyncio.ensure_future(talk.environment.wait_gone())
            newer = Talk(handle, self._settings(), epoch=2, carries=True)
            await newer.environment.open()
            assert "replaced" in await holding
            await talk.environment.close()
            await self._still_works(newer)
            await newer.environment.close()

        self._talk(body)

    def test_a_link_that_was_cut_comes_back_and_nothing_runs_twice(self) -> None:
        """What happened meanwhile is told, each event once and in order."""

        async def body(talk: Talk, _handle: Handle) -> None:
            holding = asyncio.ensure_future(talk.environment.wait_gone())
            talk.run(1, self.sleeps(0.15))
            await talk.hear(1, "started")
            talk.run(2, self.prints())
            talk.cut()
            talk.run(3, self.prints())
            for number in (1, 2, 3):
                await talk.hear(number, "ended")
                assert talk.said(number) == ["started", "ended"]
                assert (talk.log_dir(number) / "stdout").read_bytes() == self.printed
            holding.cancel()
            await asyncio.wait([holding])

        self._talk(body)

    def test_an_agent_that_is_left_alone_ends_after_its_orphan_deadline(self) -> None:
        """It takes everything with it; nobody has to come and clean up."""

        async def body(talk: Talk, handle: Handle) -> None:
            talk.run(1, self.stubborn(), grace=1000)
            await talk.hear(1, "started")
            talk.cut()
            assert await handle.wait_gone()

        self._talk(body, orphan_deadline=0.2)

    def test_an_environment_is_found_again_by_its_address(self) -> None:
        """A controller that goes on with a job takes over what another one opened."""

        async def main() -> None:
            spawner, handle, talk = await self._opened()
            talk.acknowledges = False
            talk.run(1, self.sleeps(0.15))
            await talk.hear(1, "started")
            address = json.loads(json.dumps(handle.address))
            talk.cut()
            found = await spawner.adopt(handle.name, address)
            later = Talk(found, self._settings(), epoch=2, adopts=True, carries=True)
            later.expect(1)
            await later.environment.open()
            assert (await later.hear(1, "ended"))["outputs"] == ["stdout"]
            await self._still_works(later)
            await later.environment.close()
            assert await handle.wait_gone()
            await spawner.close()
            assert self.remains(spawner) == []

        self.run(self._bounded(main()))

    def test_what_an_agent_had_to_say_is_told_once_it_is_gone(self) -> None:
        """A test that ended is not run again because nobody had heard of it yet."""

        async def main() -> None:
            spawner, handle, talk = await self._opened()
            talk.acknowledges = False
            talk.run(1, self.prints())
            await talk.hear(1, "ended")
            talk.cut()
            await handle.destroy()
            left = await handle.remains()
            assert left is not None
            assert [head["event"] for head in left.events if head["task"] == 1][-1] == "ended"
            await spawner.close()
            assert self.remains(spawner) == []

        self.run(self._bounded(main()))

    def test_an_address_of_what_is_gone_says_so_at_once(self) -> None:
        """Whoever comes too late is not kept waiting, and harms nobody."""

        async def main() -> None:
            spawner, handle, talk = await self._opened()
            await talk.environment.close()
            found = await spawner.adopt(handle.name, handle.address)
            assert await found.wait_gone()
            with pytest.raises(LinkError):
                await Talk(found, self._settings(), epoch=2, adopts=True).environment.open()
            await found.destroy()
            with pytest.raises(SpawnError):
                await spawner.adopt(handle.name, {})
            await spawner.close()

        self.run(self._bounded(main()))

    # How they are run.

    async def _open(self, spawner: Spawner) -> Handle:
        return await spawner.open(spawner.offers()[0].place, folder=str(self.kept))

    async def _opened(self) -> tuple[Spawner, Handle, Talk]:
        spawner = self.make_spawner(self.context)
        handle = await self._open(spawner)
        talk = Talk(handle, self._settings(), carries=True)
        await talk.environment.open()
        return spawner, handle, talk

    def _talk(
        self,
        body: Callable[[Talk, Handle], Coroutine[Any, Any, None]],
        *,
        epoch: int = 1,
        **settings: float,
    ) -> None:
        async def main() -> None:
            spawner = self.make_spawner(self.context)
            handle = await self._open(spawner)
            told = {**self._settings(), **settings}
            talk = Talk(handle, told, epoch=epoch, carries=True)
            try:
                await talk.environment.open()
                await body(talk, handle)
            finally:
                await talk.environment.close()
                await handle.destroy()
                await spawner.close()
            assert self.remains(spawner) == []

        self.run(self._bounded(main()))

    async def _bounded(self, main: Coroutine[Any, Any, None]) -> None:
        async with asyncio.timeout(self.within):
            await main

    async def _still_works(self, talk: Talk) -> None:
        talk.run(9, self.prints())
        assert (await talk.hear(9, "ended"))["returncode"] == 3

    def _settings(self) -> dict[str, Any]:
        return {
            "job_id": self.context.job_id,
            "base_dir": str(self.folder),
            "results_dir": str(self.kept),
            "slots_dir": str(self.kept / "slots"),
            "slots": 2,
        }


def _processes_of(context: SpawnerContext) -> list[str]:
    """Return the processes that belong to the job, by their mark or by their command line."""
    mark, folder = (
        f"NRUNNER_ATTEMPT={context.job_id}:".encode(),
        str(context.runtime_folder).encode(),
    )
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes()
            marked = mark in (entry / "environ").read_bytes()
        except OSError:
            continue
        if marked or folder in command:
            found.append(f"process {entry.name}: {command.replace(bytes(1), b' ').decode()}")
    return found
