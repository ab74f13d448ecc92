"""Frames that no controller should send, to the control socket of a real agent."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from nrunner.errors import LinkError
from nrunner.runners.wire import MAX_BODY, MAX_HEAD
from nrunner.spawners.process_handle import ProcessHandle
from nrunner.testing.talk import Talk
from tests.faults.attack import MOST_AGENT, Peer, crowd, held, peak
from tests.functional.sandbox import Sandbox
from tests.functional.test_agent import Agents, agent_of, agents, cache, hello, shell

__all__ = ["agents", "cache"]


def frame(kind: str, **fields: Any) -> bytes:
    return json.dumps({"type": kind, **fields}).encode() + b"\n"


def socket_of(handle: ProcessHandle) -> Path:
    return handle._folder / "socket"


async def converse(handle: ProcessHandle, *pieces: bytes, last: bytes = b"\0") -> list[Any]:
    """Say something on a connection of its own; return what is answered."""
    peer = Peer(socket_of(handle))
    return await asyncio.to_thread(lambda: peer.ask(*pieces, last=last))


ORDER = {
    "task": 7,
    "attempt": 1,
    "id": "7-x",
    "log_dir": "/nowhere/7",
    "runnable": {"kind": "exec-test", "uri": "/bin/true"},
}
PUT = {
    "path": "/nowhere/file",
    "size": 5,
    "sha256": "x",
    "mode": 0,
    "offset": 1,
    "look": False,
    "request": 1,
}
ODD = (None, True, -1, 1.5, 2**70, "x", "\ud800", "\0", [], [[]], {}, {"a": 1}, "y" * 100_000)
"""What may stand where something else is expected."""

FRAMES = (
    *(frame("ack", seq=each) for each in ODD),
    b'{"type": "ack", "seq": 1e999}\n',
    b'{"type": "ack", "seq": NaN}\n',
    b'{"type": "ack", "seq": -Infinity}\n',
    b'{"type": "ack", "seq": ' + b"9" * 100_000 + b"}\n",
    *(frame("cancel", task=each, attempt=1) for each in ODD),
    *(frame("cancel", task=1, attempt=each) for each in ODD),
    *(frame("probe", kinds=each, request=1) for each in ODD),
    *(frame("probe", kinds=[each], request=1) for each in ODD),
    *(frame("probe", kinds=["noop"], request=each) for each in ODD),
    *(frame("fulfil", requirement=each, request=1) for each in ODD),
    *(frame("fulfil", requirement={"type": "file", "uri": each}, request=1) for each in ODD),
    *(frame("fulfil", requirement={"kind": "x"}, request=each) for each in ODD),
    *(frame("put", **{**PUT, name: each}) for name in PUT for each in ODD),
    frame("put", **PUT, body=MAX_BODY) + bytes(MAX_BODY),
    *(frame("settings", **{name: each}) for name in ("slots", "slots_dir", "env") for each in ODD),
    *(frame("settings", config=each) for each in ODD if each not in ({}, {"a": 1})),
    *(frame("settings", orphan_deadline=each) for each in ODD if each not in (1.5, 2**70)),
    *(frame("run", **{**ORDER, name: each}) for name in ("attempt", "task") for each in ODD[:-1]),
    *(frame("run", **{**ORDER, "id": each}) for each in ODD if not isinstance(each, str)),
    *(frame("run", **{**ORDER, "runnable": each}) for each in ODD),
    *(frame("run", **{**ORDER, "limits": each}) for each in ODD if each),
    *(frame("run", **{**ORDER, "limits": {"timeout": each}}) for each in ODD if each),
    *(frame("run", **{**ORDER, "series": each, "next": each}) for each in ODD if each),
    *(frame(each) for each in ODD if isinstance(each, str)),
    *(json.dumps({"type": each}).encode() + b"\n" for each in ODD),
    frame("\u1234" * 150_000),
    frame("probe", kinds=["\u1234" * 150_000], request=1),
    frame("probe", kinds=[f"{number}" for number in range(100_000)], request=1),
    frame("probe", kinds=["noop"], request="\u1234" * 150_000),
    b"[" * 100_000 + b"\n",
    b'{"type": ' + b'{"a":' * 100_000 + b"\n",
    b'{"type": "ack", "seq": 1, "type": "explode"}\n',
    b"x" * (MAX_HEAD + 1) + b"\n",
    b'{"type": "ack", "seq": 1, "body": 3}\nabc',
    b'{"type": "ack", "seq": 1, "body": true}\n',
    b'{"type": "ack", "seq": 1, "body": 1e3}\n',
    frame("ack", seq=1, body=MAX_BODY + 1) + bytes(MAX_BODY + 1),
)


def test_no_frame_of_a_controller_ends_an_agent_or_costs_it_memory(agents: Agents) -> None:
    async def body(talk: Talk, handle: ProcessHandle) -> None:
        talk.run(1, shell("until [ -e go ]; do sleep 0.02; done; echo out"))
        await talk.hear(1, "started")
        more = b"".join(FRAMES)
        ask = frame("probe", request=99, kinds=["noop"])
        fine = frame("settings", **agents.settings())
        answers = await converse(
            handle, hello(handle, epoch=2), more, fine, ask, last=b'"request":99'
        )
        assert answers[0]["type"] == "hello"
        assert {"type": "reply", "request": 99, "kinds": {"noop": True}} in answers
        assert all(len(json.dumps(each)) < MAX_HEAD for each in answers)
        refused = [each for each in answers if each.get("event") == "not_started"]
        assert {each["cause"] for each in refused} <= {"malformed", "infra"}
        assert 0 < peak(agent_of(talk)) < MOST_AGENT
        # Whoever comes next finds an agent that works: its word on the first task is not lost.
        (agents.folder / "go").touch()
        after = {"kind": "exec-test", "uri": "/bin/sleep", "args": ["0.3"]}
        order = frame("run", **{**ORDER, "task": 99, "attempt": 9, "runnable": after})
        answers = await converse(
            handle, hello(handle, epoch=3), fine, order, last=b'"attempt":9,"event":"ended"'
        )
        ends = {each["task"]: each for each in answers if each.get("event") == "ended"}
        assert (ends[1]["result"], ends[1]["outputs"]) == ("pass", ["stdout"])
        assert ends[99]["result"] == "pass"
        assert (handle._folder / "agent.log").read_text() == ""
        await converse(handle, hello(handle, epoch=4), frame("shutdown"))
        await handle.destroy()

    agents.talk(body)


STRANGE = (
    frame("run", **ORDER),
    frame("shutdown"),
    frame("settings", slots=5),
    frame("hello"),
    frame("hello", token="", protocol=1, epoch=9),
    frame("hello", token=True, protocol=1, epoch=9),
    frame("hello", token=None, protocol=1, epoch=9),
    frame("hello", token=["\ud800"], protocol=float("inf"), epoch=9),
    b"[" * 60_000,
    b"x" * 200_000 + b"\n" + frame("shutdown"),
    b"\n" * 1000,
    bytes(range(256)) * 100,
)


PROMISE = b'{"type": "hello", "body": %d}\n' % MAX_BODY
"""Nothing that follows is a frame, so there is no answer either."""


def test_who_has_not_said_hello_is_not_listened_to_and_holds_nothing(agents: Agents) -> None:
    """Strangers that say the wrong thing, promise bodies, or say nothing: a thousand at once."""

    async def body(talk: Talk, handle: ProcessHandle) -> None:
        for each in STRANGE:
            answers = await converse(handle, each + b"\n", frame("shutdown"))
            assert [answer["type"] for answer in answers] in ([], ["refused"])
        holding = asyncio.ensure_future(talk.environment.wait_gone())
        before = peak(agent_of(talk))
        with crowd([socket_of(handle)] * 1000) as strangers:
            for number, stranger in enumerate(strangers):
                stranger.socket.settimeout(0.1)
                said = (PROMISE, *STRANGE)[number % (len(STRANGE) + 1)]
                stranger.send(said[:-1], b" " * 60_000)
            talk.cut()
            talk.run(1, shell("true"))
            assert (await talk.hear(1, "ended"))["result"] == "pass"
        with crowd([socket_of(handle)] * 24) as liars:
            for liar in liars:
                await asyncio.to_thread(liar.send, PROMISE, b"x" * (MAX_BODY - 1))
        assert peak(agent_of(talk)) < before + (8 << 20)
        assert (handle._folder / "agent.log").read_text() == ""
        holding.cancel()
        await asyncio.wait([holding])

    agents.talk(body)


ODD_HELLOS = (
    *({"epoch": each} for each in (True, 4.0, "4", None, -1, [4], {}, float("inf"))),
    *({"protocol": each} for each in (float("inf"), float("nan"), [], None, "x")),
    *({"acknowledged": each} for each in (float("inf"), 1.0, True, "0", None)),
)


@pytest.mark.parametrize("fields", ODD_HELLOS, ids=str)
def test_a_hello_with_a_field_of_the_wrong_sort_changes_nothing(
    agents: Agents, fields: dict[str, Any]
) -> None:
    """It has the right token, and would replace the controller that there is."""

    async def body(talk: Talk, handle: ProcessHandle) -> None:
        (odd,) = await converse(handle, hello(handle, **{"epoch": 5, **fields}))
        assert odd["type"] == "refused"
        talk.run(1, shell("true"))
        assert (await talk.hear(1, "ended"))["result"] == "pass"

    agents.talk(body)


def test_of_two_controllers_the_newer_one_has_the_agent_and_the_older_is_told(
    agents: Agents,
) -> None:
    async def body(talk: Talk, handle: ProcessHandle) -> None:
        holding = asyncio.ensure_future(talk.environment.wait_gone())
        talk.run(1, shell("echo once >> ran; until [ -e go ]; do sleep 0.02; done"))
        await talk.hear(1, "started")
        newer = Talk(handle, agents.settings(), epoch=2)
        newer.environment._seen = talk.environment._seen
        await newer.environment.open()
        assert await holding == "replaced by epoch 2"
        with pytest.raises(LinkError, match="older"):
            await Talk(handle, agents.settings(), epoch=1).environment.open()
        # What was ordered before is ordered again, as after a link that was cut.
        newer.run(1, shell("echo once >> ran; exit 1"))
        newer.run(2, shell("touch go"))
        assert (await newer.hear(2, "ended"))["result"] == "pass"
        assert (await newer.hear(1, "ended"))["result"] == "pass"
        assert (agents.folder / "ran").read_text() == "once\n"
        assert newer.said(1) == ["ended"]
        await newer.environment.close()

    agents.talk(body)


def test_a_job_whose_agent_was_taken_over_stops_and_says_so(sandbox: Sandbox) -> None:
    """What runs there is another controller's now: to run it again would be to run it twice."""
    with held(sandbox) as job:
        with Peer(job.agent) as taker:
            taker.send(job.hello(epoch=7))
            end = job.run.wait()
        assert end.code == 2
        # It may hear of it at once, or when it comes back since its link was cut.
        reasons = "(replaced by epoch 7|.*epoch 1 is older than 7)"
        assert re.fullmatch(f"nrunner: could not go on: {reasons}\n", end.err), end.err
        assert "4 tasks have no verdict: 1-./waits.sh, 2-./waits.sh, 3-pass, 4-fail" in end.out
    assert {each["attempt"] for each in sandbox.moves() if each["phase"] == "STARTED"} == {1}
    # The one who took it has left: at the orphan deadline everything is ended.
    sandbox.wait_nothing_runs()
