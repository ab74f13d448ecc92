"""A place, with environments that follow scripts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from nrunner.berth import Berth
from nrunner.environment import Key
from nrunner.errors import RequirementError, SpawnError
from nrunner.runnable import Requirement
from nrunner.runners.procfs import boot_id
from nrunner.spawners.base import Offer
from nrunner.testing.fake_clock import FakeClock
from nrunner.testing.fake_spawner import FakeSpawner, Script, Trouble


class Stay:
    """A berth that is held, and what it was told."""

    def __init__(self, tmp_path, spawner: FakeSpawner) -> None:
        self.spawner = spawner
        self.heads: list[Any] = []
        settings = {
            "results_dir": str(tmp_path),
            "slots_dir": str(tmp_path),
            "base_dir": str(tmp_path),
        }
        (offer,) = spawner.offers()
        self.berth = Berth(offer, spawner, settings, self)
        self.addresses: list[Any] = []
        self.lost: list[Any] = []
        self.notices: list[str] = []

    def opened(self, berth: Berth, generation: int, address: Mapping[str, Any]) -> bool:
        assert berth is self.berth
        self.addresses.append((generation, address))
        return True

    def closing(self, berth: Berth, why: str) -> None:
        assert berth is self.berth

    def heard(self, berth: Berth, heads: Sequence[Mapping[str, Any]]) -> bool:
        assert berth is self.berth
        self.heads.extend(heads)
        return True

    def missing(self, berth: Berth, keys: Sequence[Key]) -> None:
        assert berth is self.berth
        self.lost.extend(keys)

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def run(self, task: int, uri: str = "good", attempt: int = 1) -> None:
        self.berth.run_nowait(
            {
                "task": task,
                "attempt": attempt,
                "runnable": {"kind": "exec-test", "uri": uri},
                "log_dir": "",
                "limits": {},
            }
        )

    def said(self, task: int) -> list[str]:
        return [head["event"] for head in self.heads if head["task"] == task]


def stay(tmp_path, body, scripts=None, **options) -> None:
    async def main() -> None:
        await body(Stay(tmp_path, FakeSpawner(scripts or {}, **options)))

    FakeClock().run(main())


async def held(here: Stay) -> None:
    """Hold the berth until everything was said that will be."""
    holding = asyncio.ensure_future(here.berth.hold())
    await asyncio.sleep(100)
    await here.berth.close()
    await asyncio.wait([holding])


@pytest.mark.parametrize("limit", [10.0, None])
def test_a_file_is_brought_before_it_is_required_where_files_are_not_shared(tmp_path, limit):
    (tmp_path / "lib.py").write_text("x")
    wanted = Requirement("file", "to/lib.py", (), {"from": "lib.py"})

    async def main() -> None:
        offer = Offer("fake", 2, shares_files=False)
        here = Stay(tmp_path, FakeSpawner(offer=offer))
        holding = asyncio.ensure_future(here.berth.hold())
        assert await here.berth.fulfil(wanted, limit)
        agent = here.spawner.handles[0].agent
        assert agent.asked_for == [str(tmp_path / "to" / "lib.py")]
        assert agent.fulfilled == ["to/lib.py"]
        with pytest.raises(RequirementError, match="gone cannot be brought"):
            await here.berth.fulfil(Requirement("file", "gone", (), {"bring": True}), 10.0)
        assert agent.fulfilled == ["to/lib.py"]
        await here.berth.close()
        await holding

    asyncio.run(main())


def test_nothing_is_wanted_until_something_is_to_run(tmp_path):
    async def body(here):
        waiting = asyncio.ensure_future(here.berth.wait_wanted())
        await asyncio.sleep(1)
        assert not waiting.done()
        here.run(1)
        await waiting

    stay(tmp_path, body)


def test_orders_wait_for_the_environment_in_their_order(tmp_path):
    async def body(here):
        for number in (3, 1, 2):
            here.run(number)
        await held(here)
        assert [head["task"] for head in here.heads if head["event"] == "started"] == [3, 1, 2]

    stay(tmp_path, body, slots=1)


def test_an_order_that_no_agent_was_given_is_cancelled_here(tmp_path):
    async def body(here):
        here.run(1)
        here.run(2)
        here.berth.cancel_nowait(1, 1, kill=False)
        assert here.said(1) == ["not_started"]
        assert here.heads[0]["cause"] == "cancelled"
        await held(here)
        assert here.said(1) == ["not_started"]
        assert here.said(2) == ["started", "ended"]
        assert here.berth.abandon() == []

    stay(tmp_path, body)


def test_what_ran_in_an_environment_that_is_gone_is_given_back(tmp_path):
    async def body(here):
        here.run(1)
        here.run(2, "deadly")
        here.run(3, "long")
        gone = await here.berth.hold()
        assert gone.why == "the script has it end"
        assert gone.lost == ((2, 1), (3, 1))
        assert gone.begun == {(2, 1), (3, 1)}
        assert here.berth.abandon() == []
        assert here.berth.environment is None

    scripts = {"deadly": Script(trouble=Trouble.DIE, run_for=1), "long": Script(blocks=True)}
    stay(tmp_path, body, scripts)


def test_a_place_is_new_to_a_task_once_its_environment_is_another_one(tmp_path):
    async def body(here):
        here.run(1)
        here.berth.accept(2)
        assert not here.berth.is_renewed(1)
        here.berth.abandon()
        assert here.berth.is_renewed(1)
        assert here.berth.is_renewed(2)
        assert not here.berth.is_renewed(3)
        here.run(1, attempt=2)
        assert not here.berth.is_renewed(1)
        here.berth.abandon()
        here.berth.forget(1)
        assert not here.berth.is_renewed(1)

    stay(tmp_path, body)


@pytest.mark.parametrize(
    ("trouble", "refused"), [(Trouble.RENUMBER, 2), (Trouble.FORGE, 31), (Trouble.LATE, 2)]
)
def test_what_is_about_nothing_here_is_counted_and_not_told(tmp_path, trouble, refused):
    async def body(here):
        here.run(1, "odd")
        await held(here)
        assert [(head["task"], head["event"]) for head in here.heads] == [
            (1, "started"),
            (1, "ended"),
        ]
        assert here.berth.refused == refused

    stay(tmp_path, body, {"odd": Script(trouble=trouble)})


def test_news_of_slow_tasks_come_only_while_they_run(tmp_path):
    async def body(here):
        here.run(1)
        await held(here)
        head = {"event": "slow", "task": 1, "attempt": 1}
        here.berth._hear(here.berth.environment, [head])
        assert here.said(1) == ["started", "ended"]

    stay(tmp_path, body)


def test_kinds_that_ship_are_known_without_asking(tmp_path):
    async def body(here):
        assert here.berth.knows("exec-test")
        assert here.berth.has("exec-test")
        assert not here.berth.knows("exec-tets")
        assert 'did you mean "exec-test"' in here.berth.unknown_kind("exec-tets")
        assert "known: asset, command" in here.berth.unknown_kind("zzz")

    stay(tmp_path, body)


def test_other_kinds_are_learnt_once(tmp_path):
    async def body(here):
        learning = asyncio.ensure_future(here.berth.learn(["strange", "stranger"]))
        await here.berth.wait_wanted()
        holding = asyncio.ensure_future(here.berth.hold())
        await learning
        assert (here.berth.has("strange"), here.berth.has("stranger")) == (True, False)
        await here.berth.close()
        await asyncio.wait([holding])

    stay(tmp_path, body, kinds=frozenset({"strange"}))


def test_who_waits_for_an_environment_is_told_that_none_can_be_had(tmp_path):
    async def body(here):
        learning = asyncio.ensure_future(here.berth.learn(["strange"]))
        await here.berth.wait_wanted()
        with pytest.raises(SpawnError):
            await here.berth.hold()
        with pytest.raises(SpawnError, match="made to refuse"):
            await learning

    stay(tmp_path, body, refuse_to_open=1)


def test_an_agent_that_does_not_greet_leaves_no_environment_behind(tmp_path):
    async def body(here):
        here.run(1)
        with pytest.raises(SpawnError):
            await here.berth.hold()
        assert here.spawner.alive == []

    stay(tmp_path, body, never_greet=1)


def test_who_waits_is_told_why_though_what_did_not_greet_cannot_be_removed(tmp_path):
    async def body(here):
        here.spawner.refuse_to_destroy = 1
        learning = asyncio.ensure_future(here.berth.learn(["strange"]))
        await here.berth.wait_wanted()
        with pytest.raises(SpawnError):
            await here.berth.hold()
        with pytest.raises(SpawnError, match="hear from the agent"):
            await learning
        assert here.berth.abandon() == []
        assert here.berth.is_free
        assert here.notices == ["could not remove what is left of fake: it is made to stay"]

    stay(tmp_path, body, never_greet=1)


def test_opening_can_be_cancelled_while_the_agent_is_greeted(tmp_path):
    async def body(here):
        here.run(1)
        holding = asyncio.ensure_future(here.berth.hold())
        await asyncio.sleep(5)
        assert len(here.spawner.alive) == 1
        holding.cancel()
        await asyncio.wait([holding])
        assert holding.cancelled()
        assert here.spawner.alive == []

    stay(tmp_path, body, never_greet=1)


def test_the_agents_clock_counts_only_on_the_same_machine(tmp_path, monkeypatch):
    async def body(here):
        here.run(1)
        holding = asyncio.ensure_future(here.berth.hold())
        await asyncio.sleep(1)
        assert here.berth.time_of({"time": 5.0}, 9.0) == 9.0
        await here.berth.close()
        await asyncio.wait([holding])
        monkeypatch.setattr("nrunner.berth.boot_id", lambda: "fake")
        holding = asyncio.ensure_future(here.berth.hold())
        await asyncio.sleep(1)
        assert here.berth.time_of({"time": 5.0}, 9.0) == 5.0
        assert here.berth.time_of({}, 9.0) == 9.0
        await here.berth.close()
        await asyncio.wait([holding])

    assert boot_id() != "fake"
    stay(tmp_path, body)
