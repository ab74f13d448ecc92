"""Ends of attempts whose files are not here yet."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from nrunner.arrival import Arrival
from nrunner.errors import ProtocolError
from nrunner.harvest import Harvest, allowance_of
from nrunner.testing.fake_clock import FakeClock

END = {"seq": 1, "task": 1, "attempt": 1, "event": "ended", "result": "pass", "fetch": True}


class Agent:
    """What is asked of an environment, and answered as a test has it."""

    def __init__(self, *answers: Any) -> None:
        self.answers = [*answers]
        self.asked: list[Mapping[str, Any]] = []
        self.acknowledged: list[tuple[int, Sequence[str]]] = []
        self.links = 1
        self.is_linked = True

    async def get(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        self.asked.append(fields)
        answer = self.answers.pop(0) if self.answers else None
        if answer is None:
            await asyncio.Event().wait()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def acknowledge_nowait(self, number: int, drop: Sequence[str] = ()) -> None:
        self.acknowledged.append((number, [*drop]))


class Scene:
    """A harvest, and what it told."""

    def __init__(self, tmp_path, *answers: Any, **settings: Any) -> None:
        self.home = tmp_path / "home"
        self.agent = Agent(*answers)
        self.told: list[Mapping[str, Any]] = []
        self.news = asyncio.Event()
        self.records = True
        self.harvest = Harvest(self.tell, lambda key: f"/far/{key}", allowance_of(settings))
        self.harvest.expect((1, 1), "/far/logs-1-1", str(self.home))

    def tell(self, heads: Sequence[Mapping[str, Any]]) -> bool:
        self.told += heads
        self.news.set()
        return self.records

    def hear(self, *heads: Mapping[str, Any] | None) -> None:
        news = [(number, head, head or {}) for number, head in enumerate(heads, 1)]
        self.harvest.hear(self.agent, news)  # type: ignore[arg-type]  # as much of it as is used

    async def end(self) -> Mapping[str, Any]:
        await self.news.wait()
        return self.told[-1]

    @property
    def missing(self) -> str:
        return (self.home / "left-out.txt").read_text()


def play(tmp_path, body, *answers: Any, **settings: Any) -> None:
    async def main() -> None:
        await body(Scene(tmp_path, *answers, **settings))

    FakeClock().run(main())


def piece(name: str, data: bytes, **more: Any) -> dict[str, Any]:
    return {"entries": [[name, 0o600, 0, len(data), True]], "body": data, **more}


def test_an_end_is_told_once_its_files_are_here_and_acknowledged_then(tmp_path):
    async def body(scene):
        scene.hear(END)
        assert scene.told == []
        assert scene.agent.acknowledged == []
        end = await scene.end()
        assert "fetch" not in end
        assert (scene.home / "a").read_bytes() == b"one"
        assert (scene.home / "b").read_bytes() == b"two"
        assert scene.agent.acknowledged == [(1, ["/far/logs-1-1"])]
        assert scene.agent.asked[1]["from"] == "there"

    play(tmp_path, body, piece("a", b"one", next="there"), piece("b", b"two"))


def test_what_is_not_recorded_is_not_acknowledged(tmp_path):
    async def body(scene):
        scene.records = False
        scene.hear({**END, "fetch": False})
        scene.hear(END)
        await scene.end()
        await asyncio.sleep(10)
        assert scene.agent.acknowledged == []

    play(tmp_path, body, piece("a", b"one"))


def test_what_does_not_come_while_the_link_holds_is_not_waited_for(tmp_path):
    async def body(scene):
        loop = asyncio.get_running_loop()
        before = loop.time()
        scene.hear(END)
        end = await scene.end()
        assert loop.time() - before == pytest.approx(60)
        assert end["outputs"] == ["left-out.txt"]
        assert "the rest: could not fetch files: nothing came for 60 s" in scene.missing

    play(tmp_path, body)


def test_what_does_not_come_since_the_link_is_lost_is_waited_for(tmp_path):
    async def body(scene):
        scene.agent.is_linked = False
        scene.hear(END)
        await asyncio.sleep(1000)
        assert scene.told == []
        scene.agent.is_linked = True
        scene.agent.links += 1
        await asyncio.sleep(59)
        assert scene.told == []
        await scene.end()

    play(tmp_path, body)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"entries": 7},
        {"entries": [], "left_out": 7},
        {"entries": [["../x", 0o600, 0, 1, True]], "body": b"x"},
        {"entries": [["x", 0o600, 0, 1, True]]},
        {"entries": [["x", 0o600, 0, 1, True]], "body": "x"},
        ProtocolError("fetch files: not a directory"),
        ZeroDivisionError("what nobody foresaw"),
    ],
    ids=str,
)
def test_an_answer_that_makes_no_sense_costs_the_files_and_not_the_verdict(tmp_path, answer):
    async def body(scene):
        scene.hear(END)
        end = await scene.end()
        assert (end["result"], end["outputs"]) == ("pass", ["left-out.txt"])
        assert "the rest: " in scene.missing
        assert [each.name for each in tmp_path.rglob("*")] == ["home", "left-out.txt"]

    play(tmp_path, body, answer)


def test_an_agent_that_goes_on_without_files_is_not_listened_to_for_ever(tmp_path):
    async def body(scene):
        scene.agent.get = endless
        scene.hear(END)
        await scene.end()
        assert "the agent goes on without sending any" in scene.missing

    async def endless(_fields):
        return {"entries": [], "next": "more"}

    play(tmp_path, body)


def test_no_more_is_taken_than_was_asked_for(tmp_path):
    async def body(scene):
        scene.hear(END)
        await scene.end()
        assert scene.agent.asked[0]["most_bytes"] == 5
        assert (scene.home / "a").read_bytes() == b"1234"
        assert not (scene.home / "b").exists()
        assert "more came than was asked for" in scene.missing

    answers = piece("a", b"1234", next="there"), piece("b", b"5678")
    play(tmp_path, body, *answers, fetch_most_bytes=5)


def test_a_disk_of_ours_that_is_full_is_trouble(tmp_path, monkeypatch):
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async def body(scene):
        monkeypatch.setattr(Arrival, "take", full)
        scene.hear(END)
        assert (await scene.end())["trouble"] == (
            "its results cannot be kept: No space left on device"
        )

    play(tmp_path, body, piece("a", b"one"))


def test_files_that_come_with_the_event_are_kept_before_it_is_told(tmp_path):
    files = [["a", 0o644, "b25l"], ["b/c", 0o600, ""]]

    async def body(scene):
        scene.hear({**END, "fetch": False, "files": files})
        assert "files" not in scene.told[0]
        assert (scene.home / "a").read_bytes() == b"one"
        assert (scene.home / "b" / "c").read_bytes() == b""
        assert scene.agent.asked == []
        assert scene.agent.acknowledged == [(1, [])]

    play(tmp_path, body)


@pytest.mark.parametrize("files", [7, [7], [["a", 0o600, "%"]], [["/a", 0o600, "b25l"]], [[]]])
def test_files_that_make_no_sense_cost_nothing_but_themselves(tmp_path, files):
    async def body(scene):
        scene.hear({**END, "fetch": False, "files": files})
        assert scene.told[0]["result"] == "pass"
        assert {each.name for each in tmp_path.rglob("*")} <= {"home", "left-out.txt"}

    play(tmp_path, body)


def test_what_others_have_to_say_is_told_meanwhile_and_acknowledged_later(tmp_path):
    other = {"task": 2, "attempt": 1, "event": "started"}

    async def body(scene):
        scene.hear(END, other, None)
        assert scene.told == [other]
        assert scene.agent.acknowledged == []
        scene.news.clear()
        await scene.end()
        assert scene.agent.acknowledged == [(3, ["/far/logs-1-1"])]

    play(tmp_path, body, piece("a", b"one"))


def test_who_is_greeted_anew_is_told_again_what_may_be_dropped(tmp_path):
    async def body(scene):
        scene.hear(END)
        await scene.end()
        await asyncio.sleep(1)
        scene.harvest.greeted(scene.agent)
        assert scene.agent.acknowledged == [(1, ["/far/logs-1-1"])] * 2

    play(tmp_path, body, piece("a", b"one"))
