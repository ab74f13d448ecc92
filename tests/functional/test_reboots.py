"""Tests that have their machine rebooted, as a controller sees it: agents end and come again.

What they run on is no machine of its own: a reboot is the end of its agent. Real ones are in
test_ssh_reboot.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from nrunner.berth import Gone
from tests.functional.test_outpost import Stay

COUNTS = (
    "echo boot $NRUNNER_REBOOT_COUNT ${NRUNNER_REBOOT_MARK-};"
    '[ $NRUNNER_REBOOT_COUNT -ge %d ] || nrunner-reboot "m $NRUNNER_REBOOT_COUNT"'
)

ASKS = "nrunner-reboot -c true"
"""With a command that does nothing."""


def run(stay: Stay, body: Callable[[list[Gone]], Awaitable[None]], within: float = 20) -> None:
    """Keep an environment at the berth while `body` works with it."""

    async def keep(gone: list[Gone]) -> None:
        while True:
            await stay.berth.wait_wanted()
            gone.append(await stay.berth.hold())
            await stay.berth.clear()

    async def main() -> None:
        gone: list[Gone] = []
        keeper = asyncio.ensure_future(keep(gone))
        try:
            async with asyncio.timeout(within):
                await body(gone)
                await stay.berth.close()
        finally:
            keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeper
            await stay.spawner.close()

    asyncio.run(main())


def events(stay: Stay, task: int) -> list[str]:
    return [head["event"] for head in stay.heads if head["task"] == task]


def test_a_test_goes_on_after_each_reboot_that_it_asked_for(tmp_path):
    stay = Stay(tmp_path)

    async def body(gone: list[Gone]) -> None:
        stay.run(1, COUNTS % 2)
        end = await stay.hear(1)
        assert (end["result"], end.get("reboot")) == ("pass", None)
        assert [each.lost for each in gone] == [(), ()]
        texts = [head["text"] for head in stay.heads if head["event"] == "notice"]
        assert texts == [
            "asked for a reboot with mark 'm 0': it is run again after that (reboot 1)",
            "asked for a reboot with mark 'm 1': it is run again after that (reboot 2)",
        ]
        assert events(stay, 1) == ["started", "notice", "notice", "ended"]
        assert stay.files(1) == ["boot-0", "boot-0/stdout", "boot-1", "boot-1/stdout", "stdout"]
        assert end["outputs"] == ["stdout", "boot-0", "boot-1"]
        assert stay.read(1, "boot-0/stdout") == b"boot 0\n"
        assert stay.read(1, "boot-1/stdout") == b"boot 1 m 0\n"
        assert stay.read(1) == b"boot 2 m 1\n"
        assert stay.berth.refused == 0
        stay.run(2, "echo next")
        assert (await stay.hear(2))["result"] == "pass"

    run(stay, body)


def test_what_else_runs_there_is_lost_and_told_so(tmp_path):
    stay = Stay(tmp_path)

    async def body(gone: list[Gone]) -> None:
        stay.run(1, "sleep 99")
        await stay.hear(1, "started")
        stay.run(2, COUNTS % 1)
        assert (await stay.hear(2))["result"] == "pass"
        assert [each.lost for each in gone] == [((1, 1),)]

    run(stay, body)


def test_two_that_ask_at_once_have_one_reboot(tmp_path):
    stay = Stay(tmp_path)

    async def body(_gone: list[Gone]) -> None:
        meet = f"touch {tmp_path}/%d; until [ -e {tmp_path}/%d ]; do sleep 0.01; done;"
        for task, other in ((1, 2), (2, 1)):
            stay.run(task, meet % (task, other) + COUNTS.replace("nrunner-reboot", ASKS) % 1)
        notices = [await stay.hear(task, "notice") for task in (1, 2)]
        assert [head["task"] for head in notices] == [1, 2]
        (handle,) = stay.spawner.handles
        await asyncio.sleep(0)  # what was ordered is begun
        assert handle.restarts == ["true"]
        await handle.restart("")
        assert [(await stay.hear(task))["result"] for task in (1, 2)] == ["pass", "pass"]

    run(stay, body)


def test_a_reboot_that_cannot_be_had_is_trouble_of_ours(tmp_path):
    stay = Stay(tmp_path)

    async def body(gone: list[Gone]) -> None:
        stay.run(1, "nrunner-reboot -c false")
        end = await stay.hear(1)
        assert end["trouble"] == "it asked for a reboot: could not reboot: not permitted"
        stay.run(2, "true")
        assert (await stay.hear(2))["result"] == "pass"
        assert gone == []

    run(stay, body)


def test_a_reboot_that_does_not_come_is_not_waited_for_for_ever(tmp_path):
    stay = Stay(tmp_path)
    stay.spawner._patience = 0.3

    async def body(_gone: list[Gone]) -> None:
        stay.run(1, "nrunner-reboot -c true")
        end = await stay.hear(1)
        assert end["trouble"] == "it asked for a reboot, and there was none within 0.3 s"

    run(stay, body)


def test_a_test_that_waits_for_a_reboot_can_be_cancelled(tmp_path):
    stay = Stay(tmp_path)

    async def body(_gone: list[Gone]) -> None:
        stay.run(1, "nrunner-reboot -c true")
        await stay.hear(1, "notice")
        stay.berth.cancel_nowait(1, 1, kill=False)
        end = await stay.hear(1)
        assert (end["stop"], end["stop_detail"]) == ("cancelled", "cancelled")
        assert stay.spawner.handles[0].restarts == []
        stay.run(2, COUNTS % 1)
        assert (await stay.hear(2))["result"] == "pass"
        assert events(stay, 1).count("ended") == 1

    run(stay, body)


def test_a_link_that_breaks_before_the_reboot_changes_nothing(tmp_path):
    stay = Stay(tmp_path)

    async def body(_gone: list[Gone]) -> None:
        stay.run(1, COUNTS.replace("nrunner-reboot", ASKS) % 1)
        await stay.hear(1, "notice")
        links = stay.spawner.line.connections
        stay.spawner.line.cut()
        stay.run(2, "true")
        assert (await stay.hear(2))["result"] == "pass"
        assert stay.spawner.line.connections > links
        assert events(stay, 1) == ["started", "notice"]
        assert stay.lost == []
        await stay.spawner.handles[-1].restart("")
        assert (await stay.hear(1))["result"] == "pass"
        assert stay.read(1) == b"boot 1 m 0\n"

    run(stay, body)
