"""The translator between a controller's frames and the lines of an agent of sh."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from nrunner.runners.wire import encode
from nrunner.spawners.shell_link import ShellLink

GREETING = "hello 1 boot 7 100 50 x86_64 2 {first} {last}{tasks}"
SETTINGS = {"job_id": "j", "base_dir": "/b", "slots_dir": "/s", "slots": 2}


class Sides(asyncio.Protocol):
    """Both ends: what the controller is told, and what the agent is."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.lines: list[str] = []
        self.is_lost = False
        self.link = ShellLink(self, lambda _link: self)

    # The controller's.

    def data_received(self, data: bytes) -> None:
        self.frames += map(json.loads, data.splitlines())

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True

    def say(self, kind: str, **fields: Any) -> None:
        self.link.write(encode({"type": kind, **fields}))

    def run(self, task: int, kind: str = "exec-test", uri: str | None = "/bin/x") -> None:
        runnable = {"kind": kind, **({"uri": uri} if uri else {})}
        fields = {"id": str(task), "log_dir": f"/l/{task}", "runnable": runnable}
        self.say("run", task=task, attempt=1, **fields)

    # The agent's.

    def send(self, said: bytes) -> None:
        self.lines.append(said.decode())

    def close(self) -> None:
        pass

    async def hear(self, *lines: str) -> None:
        self.link.heard("".join(line + "\n" for line in lines).encode())
        await asyncio.sleep(0)

    async def meet(self, *story: str, tasks: str = "", first: int = 1, last: int = 0) -> None:
        self.say("hello", protocol=1, token="t", epoch=3, acknowledged=first - 1)
        self.say("settings", **SETTINGS)
        greeting = GREETING.format(first=first, last=last, tasks=tasks)
        await self.hear(greeting, "slots /s", *story, "ready")
        self.lines.clear()

    def words(self) -> list[list[str]]:
        """Return the first words of what the agent was told."""
        return [line.split(" ")[:3] for line in self.lines]


@pytest.fixture
def play() -> Callable[[Callable[[Sides], Coroutine[Any, Any, None]]], None]:
    def run(body: Callable[[Sides], Coroutine[Any, Any, None]]) -> None:
        async def main() -> None:
            await body(Sides())

        asyncio.run(main())

    return run


def test_it_greets_and_is_greeted_as_any_agent(play):
    async def body(it: Sides) -> None:
        await it.meet("event 4 1 1 9 started 5", tasks=" 1.1.2 -3.3.1", first=4, last=4)
        hello, event = it.frames
        told = (hello["type"], hello["tasks"], hello["first"], hello["last"])
        assert told == ("hello", [[1, 1]], 4, 4)
        assert (event["seq"], event["task"], event["event"]) == (4, 1, "started")

    play(body)


def test_what_is_acknowledged_is_not_told_again(play):
    async def body(it: Sides) -> None:
        story = ("event 1 1 1 9 started 5", "event 2 1 1 9 ended 0 0 0 0 -")
        await it.meet(*story, first=2, last=2)
        assert [frame.get("seq") for frame in it.frames[1:]] == [2]

    play(body)


def test_no_more_is_ordered_than_there_are_slots(play):
    async def body(it: Sides) -> None:
        await it.meet(tasks=" 9.1.2")
        it.run(1)
        it.run(1)
        it.run(2)
        assert it.words() == [["run", "1", "1"]]
        assert it.lines[0].startswith("run 1 1 1 ")
        await it.hear("event 1 9 1 5 ended 0 0 0 0 -")
        assert it.lines[1].startswith("run 2 1 2 ")

    play(body)


def test_who_waits_and_is_cancelled_is_told_of_by_the_agent_alone(play):
    """So that it has a number, and is known to whoever comes later."""

    async def body(it: Sides) -> None:
        await it.meet(tasks=" 8.1.1 9.1.2")
        it.run(1)
        it.say("cancel", task=1, attempt=1, kill=False, detail="by\nme")
        assert it.words() == [["told", "1", "1"]]
        assert len(it.frames) == 1
        it.say("cancel", task=8, attempt=1, kill=True, detail="by\nme")
        assert it.lines[1] == "cancel 8 1 1 'by me'"

    play(body)


@pytest.mark.parametrize(
    ("kind", "uri", "cause"),
    [
        ("python-unittest", "x", "unsuitable"),
        ("strange", "x", "unsuitable"),
        ("exec-test", None, "malformed"),
        ("exec-test", "a\0b", "malformed"),
    ],
)
def test_what_cannot_run_there_never_gets_there(play, kind, uri, cause):
    async def body(it: Sides) -> None:
        await it.meet()
        it.run(1, kind, uri)
        assert it.words() == [["told", "1", "1"]]
        assert f'"cause": "{cause}"' in it.lines[0]

    play(body)


def test_what_is_asked_is_answered_in_any_order(play):
    async def body(it: Sides) -> None:
        await it.meet()
        it.say("ping")
        file = {"type": "file", "uri": "x"}
        it.say("check", request=5, requirement=file)
        it.say("fulfil", request=6, requirement=file)
        it.say("pause", request=7)
        assert it.lines == ["ping 1", "check 2 file /b/x", "check 3 file /b/x", "pause 4"]
        await it.hear("reply 4 12", "reply 3 1", "reply 2 0", "reply 1 0", "reply 1 0")
        found = {frame["request"]: frame for frame in it.frames[1:]}
        assert found[7]["paused"] == 12
        assert "no such file" in found[6]["error"]
        assert found[5]["met"] is True
        assert None in found
        assert len(it.frames) == 5

    play(body)


def test_a_line_that_makes_no_sense_is_passed_over(play):
    async def body(it: Sides) -> None:
        await it.meet()
        await it.hear("event", "event 1 x", "reply", "", "\udcff".encode(errors="replace").decode())
        await it.hear("event 1 1 1 5 started 5")
        assert [frame.get("seq") for frame in it.frames[1:]] == [1]

    play(body)


def test_a_frame_that_is_none_is_complained_of(play):
    async def body(it: Sides) -> None:
        await it.meet()
        it.say("dance", request=3)
        it.say("ack", request=4, seq="x")
        it.link.write(encode({"type": "put", "request": 5, "path": "/x"}, b"piece"))
        await asyncio.sleep(0)
        assert [frame["request"] for frame in it.frames[1:]] == [3, 4, 5]
        assert all(frame["error"] for frame in it.frames[1:])

    play(body)


def test_a_refusal_is_passed_on_before_the_end(play):
    async def body(it: Sides) -> None:
        it.link.heard(b"refused 1 replaced by epoch 9\n")
        it.link.hung_up()
        await asyncio.sleep(0)
        assert it.frames == [{"type": "refused", "reason": "replaced by epoch 9", "replaced": True}]
        assert it.is_lost

    play(body)
