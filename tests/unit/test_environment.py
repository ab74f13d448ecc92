"""The conversation with an agent that follows a script."""

from __future__ import annotations

import asyncio
import json

import pytest

from nrunner.environment import run_frame
from nrunner.errors import InterruptedLinkError, LinkError, ProtocolError, RequirementError
from nrunner.runnable import Requirement, Runnable
from nrunner.runners.wire import MAX_HEAD, FrameReader
from nrunner.testing.fake_clock import FakeClock
from nrunner.testing.fake_spawner import FakeSpawner, Script, Trouble
from nrunner.testing.talk import Talk

NEEDED = Requirement("file", "lib")
GOOD = Runnable("exec-test", "good")


def talk(body, tmp_path, scripts=None, seen: int = 0, **options) -> None:
    """Run `body(talk, handle)` with an agent that was not greeted yet."""

    async def main() -> None:
        handle = await FakeSpawner(scripts or {}, **options).open("fake")
        settings = {"results_dir": str(tmp_path), "slots": 2}
        if "patience" in options:
            settings["orphan_deadline"] = 3600.0
        conversation = Talk(handle, settings)
        try:
            await body(conversation, handle)
        finally:
            await handle.destroy()

    FakeClock().run(main())


def test_the_agent_says_who_it_is_when_it_is_greeted(tmp_path):
    async def body(talk, handle):
        await talk.environment.open()
        assert talk.environment.hello["boot_id"] == "fake"

    talk(body, tmp_path)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"never_greet": 1}, "hear from the agent within 15 s"),
        ({"protocol": 3}, "its protocol 3 is too far from 1"),
    ],
)
def test_an_agent_that_does_not_greet_as_it_should_is_an_error_that_says_so(
    tmp_path, options, reason
):
    async def body(talk, handle):
        with pytest.raises(LinkError, match=reason):
            await talk.environment.open()

    talk(body, tmp_path, **options)


def test_a_protocol_one_version_apart_is_understood(tmp_path):
    async def body(talk, handle):
        await talk.environment.open()
        talk.run(1, GOOD)
        assert (await talk.hear(1, "ended"))["result"] == "pass"

    talk(body, tmp_path, protocol=2)


def test_an_agent_that_cannot_be_reached_is_an_error(tmp_path):
    async def body(talk, handle):
        await handle.destroy()
        with pytest.raises(LinkError, match="reach the agent"):
            await talk.environment.open()

    talk(body, tmp_path)


def test_kinds_are_asked_for(tmp_path):
    async def body(talk, handle):
        await talk.environment.open()
        found = await talk.environment.probe(["noop", "unheard-of"])
        assert found == {"noop": True, "unheard-of": False}

    talk(body, tmp_path)


def test_a_requirement_that_cannot_be_met_is_an_error_with_its_reason(tmp_path):
    async def body(talk, handle):
        await talk.environment.open()
        with pytest.raises(RequirementError, match=r"^no such file$"):
            await talk.environment.fulfil(NEEDED, {})

    unmet = Script("fail", fields={"fail_reason": "no such file"})
    talk(body, tmp_path, {"lib": unmet})


def test_who_waits_for_an_answer_is_told_when_the_environment_ends(tmp_path):
    async def body(talk, handle):
        await talk.environment.open()
        holding = asyncio.ensure_future(talk.environment.wait_gone())
        with pytest.raises(LinkError, match="the script has it end"):
            await talk.environment.fulfil(NEEDED, {})
        assert await holding == "the script has it end"

    talk(body, tmp_path, {"lib": Script(trouble=Trouble.DIE)})


def test_what_is_ordered_while_the_link_is_down_arrives_once_it_is_up(tmp_path):
    async def body(talk, handle):
        await talk.environment.open()
        holding = asyncio.ensure_future(talk.environment.wait_gone())
        talk.cut()
        await asyncio.sleep(0.01)
        talk.run(1, Runnable("exec-test", "hangs"))
        talk.run(2, GOOD)
        talk.cancel(1)
        probing = asyncio.ensure_future(talk.environment.probe(["noop"]))
        assert (await talk.hear(1, "ended"))["stop"] == "cancelled"
        assert (await talk.hear(2, "ended"))["result"] == "pass"
        assert await probing == {"noop": True}
        assert set(handle.agent.ran.values()) == {1}
        holding.cancel()
        await asyncio.wait([holding])

    talk(body, tmp_path, {"hangs": Script(blocks=True)})


def test_an_agent_that_is_silent_is_asked_and_given_up_if_it_does_not_answer(tmp_path):
    async def body(talk, handle):
        await talk.environment.open()
        holding = asyncio.ensure_future(talk.environment.wait_gone())
        await asyncio.sleep(10_000)
        assert not holding.done()
        handle.agent.take = lambda *_: None
        before = asyncio.get_running_loop().time()
        assert await holding == "the agent did not answer within 60 s"
        assert 60 <= asyncio.get_running_loop().time() - before <= 100

    talk(body, tmp_path)


def test_an_agent_that_says_anything_has_answered(tmp_path):
    async def body(talk, handle):
        await talk.environment.open()
        holding = asyncio.ensure_future(talk.environment.wait_gone())
        handle.agent.take = lambda *_: None
        for number in range(100):
            await asyncio.sleep(50)
            talk.environment._link.data_received(b'{"type":"reply","request":%d}\n' % number)
        assert not holding.done()
        holding.cancel()
        await asyncio.wait([holding])

    talk(body, tmp_path)


def test_a_link_may_be_lost_for_as_long_as_there_is_patience(tmp_path):
    async def body(talk, handle):
        await talk.environment.open()
        holding = asyncio.ensure_future(talk.environment.wait_gone())
        talk.run(1, Runnable("exec-test", "cut"))
        assert (await talk.hear(1, "ended"))["result"] == "pass"
        assert talk.said(1) == ["started", "ended"]
        assert talk.notices == [
            "the link to fake is lost (it was cut): what runs there goes on, and it is tried again "
            "for 600 s",
            "the link to fake is back after 504 s",
        ]
        assert not holding.done()
        holding.cancel()
        await asyncio.wait([holding])

    cut = Script(run_for=10, trouble=Trouble.LOSE_LINK, link_lost_for=500)
    talk(body, tmp_path, {"cut": cut}, patience=600)


def test_an_environment_is_given_up_once_patience_is_over_and_not_before(tmp_path):
    async def body(talk, handle):
        await talk.environment.open()
        loop = asyncio.get_running_loop()
        handle.agent.unreachable_until = loop.time() + 10_000
        handle.agent.hang_up()
        before = loop.time()
        why = await talk.environment.wait_gone()
        assert why == "the link was lost, and could not reach the agent at fake, for 600 s"
        assert loop.time() - before == pytest.approx(600, abs=1)
        assert handle.is_destroyed

    talk(body, tmp_path, patience=600)


def test_people_are_spared_what_is_over_at_once(tmp_path):
    async def body(talk, handle):
        await talk.environment.open()
        holding = asyncio.ensure_future(talk.environment.wait_gone())
        handle.agent.hang_up()
        await asyncio.sleep(1000)
        assert talk.environment.links == 2
        assert talk.notices == []
        holding.cancel()
        await asyncio.wait([holding])

    talk(body, tmp_path, patience=600)


def test_a_link_over_which_nothing_comes_is_cut_and_made_again(tmp_path):
    """What vanishes on the way is noticed in 15 seconds: the agent is asked each 5."""

    async def body(talk, handle):
        await talk.environment.open()
        holding = asyncio.ensure_future(talk.environment.wait_gone())
        await asyncio.sleep(1000)
        assert talk.environment.links == 1
        loop, hear = asyncio.get_running_loop(), handle.agent.take
        handle.agent.take = lambda *_: None
        talk.run(1, GOOD)
        loop.call_later(30, setattr, handle.agent, "take", hear)
        before = loop.time()
        await talk.hear(1, "ended")
        assert loop.time() - before < 60
        assert talk.said(1) == ["started", "ended"]
        assert "(nothing was heard for 15 s)" in talk.notices[0]
        assert not handle.is_destroyed
        holding.cancel()
        await asyncio.wait([holding])

    talk(body, tmp_path, patience=600)


def test_nobody_waits_long_for_a_link_once_all_is_cancelled(tmp_path):
    async def body(talk, handle):
        await talk.environment.open()
        loop = asyncio.get_running_loop()
        holding = asyncio.ensure_future(talk.environment.wait_gone())
        talk.run(1, Runnable("exec-test", "hangs"))
        await talk.hear(1, "started")
        handle.agent.unreachable_until = loop.time() + 10_000
        handle.agent.hang_up()
        await asyncio.sleep(100)
        assert not holding.done()
        before = loop.time()
        talk.is_wanted = False
        talk.cancel(1)
        await holding
        assert loop.time() - before < 3

    talk(body, tmp_path, {"hangs": Script(blocks=True)}, patience=600)


def test_a_link_that_nothing_comes_over_is_soon_given_up_once_all_is_cancelled(tmp_path):
    async def body(talk, handle):
        await talk.environment.open()
        loop = asyncio.get_running_loop()
        holding = asyncio.ensure_future(talk.environment.wait_gone())
        talk.run(1, Runnable("exec-test", "hangs"))
        await talk.hear(1, "started")
        handle.agent.take = lambda *_: None
        await asyncio.sleep(1)
        before = loop.time()
        talk.is_wanted = False
        talk.cancel(1)
        await holding
        assert loop.time() - before < 5
        assert "ends once it has waited for a controller" in talk.notices[0]

    talk(body, tmp_path, {"hangs": Script(blocks=True)}, patience=600)


def test_an_agent_that_answers_is_not_given_up_however_long_what_was_cancelled_takes(tmp_path):
    async def body(talk, handle):
        await talk.environment.open()
        holding = asyncio.ensure_future(talk.environment.wait_gone())
        talk.run(1, Runnable("exec-test", "hangs"))
        await talk.hear(1, "started")
        talk.is_wanted = False
        talk.environment.cancel_nowait((2, 1), kill=False, detail="of somebody else")
        await asyncio.sleep(100)
        assert (talk.environment.links, holding.done(), talk.notices) == (1, False, [])
        holding.cancel()
        await asyncio.wait([holding])

    talk(body, tmp_path, {"hangs": Script(blocks=True)}, patience=600)


def test_an_environment_that_is_dismissed_while_its_link_is_lost_ends_at_once(tmp_path):
    async def body(talk, handle):
        await talk.environment.open()
        loop = asyncio.get_running_loop()
        holding = asyncio.ensure_future(talk.environment.wait_gone())
        handle.agent.unreachable_until = loop.time() + 10_000
        handle.agent.hang_up()
        await asyncio.sleep(100)
        before = loop.time()
        talk.environment.dismiss_nowait("it is over")
        assert await holding == "it is over"
        assert loop.time() == before

    talk(body, tmp_path, patience=600)


def test_an_agent_that_cannot_be_reached_now_is_reached_later(tmp_path):
    async def body(talk, handle):
        loop = asyncio.get_running_loop()
        handle.agent.unreachable_until = loop.time() + 10
        with pytest.raises(LinkError):
            await talk.environment.open()
        assert talk.environment.reach_later()
        holding = asyncio.ensure_future(talk.environment.wait_gone())
        talk.run(1, GOOD)
        await talk.hear(1, "ended")
        holding.cancel()
        await asyncio.wait([holding])

    talk(body, tmp_path, patience=600)


def test_there_is_no_hope_for_an_agent_that_is_gone(tmp_path):
    async def body(talk, handle):
        await handle.destroy()
        with pytest.raises(LinkError):
            await talk.environment.open()
        assert not talk.environment.reach_later()

    talk(body, tmp_path, patience=600)


@pytest.mark.parametrize(
    "head",
    [
        {"type": "hello", "protocol": 1, "tasks": [5]},
        {"type": "hello", "protocol": 1, "tasks": [[1, [2]]]},
        {"type": "hello", "protocol": 1, "tasks": 7},
    ],
    ids=str,
)
def test_an_agent_that_makes_no_sense_is_given_up(tmp_path, head):
    async def body(talk, handle):
        await talk.environment.open()
        holding = asyncio.ensure_future(talk.environment.wait_gone())
        await asyncio.sleep(0)
        talk.environment.take(talk.environment._link, [head])
        assert "what the agent says makes no sense" in await holding

    talk(body, tmp_path)


def test_closing_has_the_agent_leave_in_peace(tmp_path):
    async def body(talk, handle):
        await talk.environment.open()
        await talk.environment.close()
        assert handle.agent.why == "it was told to leave"

    talk(body, tmp_path)


def test_closing_without_a_link_destroys_at_once(tmp_path):
    async def body(talk, handle):
        await talk.environment.open()
        talk.cut()
        await asyncio.sleep(0)
        began = asyncio.get_running_loop().time()
        await talk.environment.close()
        assert handle.is_destroyed
        assert asyncio.get_running_loop().time() == began

    talk(body, tmp_path)


def test_what_runs_is_paused_and_goes_on(tmp_path):
    async def body(talk, handle):
        await talk.environment.open()
        talk.run(1, GOOD)
        await talk.hear(1, "started")
        assert await talk.environment.pause() == 1
        assert handle.agent.is_paused
        await talk.environment.resume()
        assert not handle.agent.is_paused

    talk(body, tmp_path, {"good": Script(run_for=60)})


def test_an_agent_that_cannot_pause_says_so(tmp_path):
    async def body(talk, handle):
        await talk.environment.open()

        def refuse(head):
            handle.agent._reply(head, error="unknown frame 'pause'")

        handle.agent._handle = refuse
        with pytest.raises(ProtocolError, match="pause: unknown frame 'pause'"):
            await talk.environment.pause()

    talk(body, tmp_path)


def test_a_name_that_is_no_valid_text_arrives_as_it_was():
    frame = run_frame({"runnable": {"uri": "bad \udcff"}})
    (read,) = FrameReader().feed(frame)
    assert read.head == {"type": "run", "runnable": {"uri": "bad \udcff"}}


def test_an_order_is_one_line_of_json():
    frame = run_frame({"task": 1, "args": ["a\nb", "\u2028"]})
    assert frame.count(b"\n") == 1
    assert json.loads(frame) == {"type": "run", "task": 1, "args": ["a\nb", "\u2028"]}


@pytest.mark.parametrize("letter", ["x", "\udcff"])
def test_an_order_that_no_agent_would_read_is_refused(letter):
    with pytest.raises(ProtocolError, match="bytes"):
        run_frame({"uri": letter * (MAX_HEAD + 1)})


def test_what_is_large_is_not_said_again_once_the_link_broke_under_it(tmp_path):
    """Whoever said it is told, once there is a link again, and may say less at a time."""

    async def body(talk, handle):
        await talk.environment.open()
        holding = asyncio.ensure_future(talk.environment.wait_gone())
        loop, hear = asyncio.get_running_loop(), handle.agent.take
        handle.agent.take = lambda *_: None
        large = asyncio.ensure_future(talk.environment.put_many({"root": "/"}, bytes(20_000)))
        small = asyncio.ensure_future(talk.environment.put_many({"root": "/"}, bytes(100)))
        loop.call_later(30, setattr, handle.agent, "take", hear)
        with pytest.raises(InterruptedLinkError):
            await large
        assert talk.environment.is_linked
        await small
        holding.cancel()
        await asyncio.wait([holding])

    talk(body, tmp_path, patience=600)
