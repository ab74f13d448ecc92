"""A place whose attempts have environments of their own, with agents that follow scripts."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from nrunner.fleet import bundle
from nrunner.interrupt import stop_by_user
from nrunner.phase import Phase
from nrunner.result import Cause, Result
from nrunner.runnable import Requirement
from nrunner.spawners.base import Offer, Sharing
from nrunner.task import TaskLimits
from nrunner.testing.fake_spawner import FakeLayeredSpawner, FakeSpawner, Script, Trouble
from tests.unit.test_scheduler import INFRA, PASS, run, task

__all__ = ["run"]

UNMET = (Result.SKIP, Cause.REQUIREMENT)
LEFT = "could not remove what is left of fake: it is made to stay"


class Yard:
    """Makes one spawner, and keeps it."""

    def __init__(self, scripts=None, *, layered=True, unwanted=(), **offer) -> None:
        self._scripts = scripts or {}
        self._offer = Offer("fake", 2, is_shared=False, shares_files=False, **offer)
        self._sort = FakeLayeredSpawner if layered else FakeSpawner
        self._unwanted = unwanted
        self.made: FakeLayeredSpawner

    def __call__(self) -> FakeSpawner:
        self.made = self._sort(self._scripts, offer=self._offer)
        if self._unwanted:
            self.made.unwanted.update(self._unwanted)
        return self.made

    @property
    def ran(self) -> list[list[tuple[int, int]]]:
        """The attempts that ran in each environment, in the order in which these were opened."""
        return [sorted(each.agent.ran) for each in self.made.handles]

    @property
    def pairs(self):
        """What ran in each environment, and its handle."""
        return zip(self.ran, self.made.handles, strict=True)

    @property
    def fulfilled(self) -> Counter[str]:
        return Counter(uri for each in self.made.handles for uri in each.agent.fulfilled)


def play(run, tasks, yard, *, slots=2, **options):
    return run(tasks, yard, isolated=["fake"], parallel=slots, **options)


def test_each_attempt_has_an_environment_of_its_own(run):
    yard = Yard({"shaky": [Script(result="fail"), Script()]})
    done = play(run, [task(1, "good"), task(2, "shaky", retries=1), task(3, "good")], yard)
    assert done.verdicts == {1: PASS, 2: (Result.WARN, Cause.TEST), 3: PASS}
    assert sorted(yard.ran) == [[(1, 1)], [(2, 1)], [(2, 2)], [(3, 1)]]
    gone = [each for each in done.records if each["type"] == "gone"]
    assert len(gone) >= 2  # others are closed with the job


def test_what_does_not_suit_one_environment_does_not_suit_the_next(run):
    unfit = Script(refuse_to_start="no Python here", refuse_cause="unsuitable")
    yard = Yard({"unfit": unfit})
    done = play(run, [task(1, "unfit"), task(2, "good")], yard)
    assert done.verdicts == {1: (Result.SKIP, Cause.UNSUITABLE), 2: PASS}
    assert sorted(yard.ran).count([(2, 1)]) == 1
    assert len(yard.made.handles) == 2


def test_no_more_run_at_once_than_there_are_slots(run):
    yard = Yard({"slow": Script(run_for=10)})
    done = play(run, [task(number, "slow") for number in range(1, 7)], yard)
    assert 30 <= done.seconds < 32


def test_environments_are_opened_ahead_but_not_for_nobody(run):
    yard = Yard({"slow": Script(run_for=10)}, ahead=2)
    opened: list[int] = []

    async def beside(scheduler):
        await asyncio.sleep(5)
        opened.append(len(yard.made.handles))

    tasks = [task(number, "slow") for number in range(1, 7)]
    play(run, tasks, yard, beside=beside)
    assert opened == [4]
    assert len(yard.made.handles) == 6


def test_a_folder_of_its_own_is_made_for_each_and_removed_with_it(run, tmp_path):
    yard = Yard()
    seen: list[bool] = []
    opening = FakeSpawner.open

    def spy(self, place, base="", folder=""):
        seen.append(Path(folder).is_dir() and Path(folder).stat().st_mode & 0o777 == 0o700)
        return opening(self, place, base, folder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FakeSpawner, "open", spy)
        play(run, [task(1, "good"), task(2, "good")], yard)
    folders = [each.folder for each in yard.made.handles]
    assert seen == [True, True]
    assert len(set(folders)) == 2
    assert not any(Path(each).exists() for each in folders)


@pytest.mark.parametrize("needs", [(), ("lib",)], ids=["runs", "is prepared"])
def test_a_folder_that_cannot_be_made_costs_one_attempt_at_most(run, tmp_path, needs):
    (tmp_path / "slots").mkdir()
    (tmp_path / "slots" / "fake-1-1").touch()
    done = play(run, [task(n, "good", *needs) for n in (1, 2)], Yard(), slots=1)
    assert done.verdicts == {1: PASS, 2: PASS}
    causes = [each.cause for n in (1, 2) for each in done.report(n).attempts]
    assert causes.count(Cause.INFRA) == (0 if needs else 1)


def test_what_an_attempt_wrote_is_brought_to_where_it_belongs(run, tmp_path):
    yard = Yard({"good": Script(run_for=1)})

    async def beside(scheduler):
        await asyncio.sleep(0.5)
        (handle,) = yard.made.handles
        logs = Path(handle.folder) / "logs-1-1"
        logs.mkdir()
        (logs / "stdout").write_text("said")

    play(run, [task(1, "good")], yard, beside=beside)
    assert (tmp_path / "logs" / "1" / "stdout").read_text() == "said"


def test_what_a_set_of_requirements_asks_for_is_prepared_once_and_kept(run):
    yard = Yard()
    tasks = [task(number, "good", "lib", "tool") for number in range(1, 6)]
    done = play(run, [*tasks, task(6, "good", "lib"), task(7, "good")], yard)
    assert set(done.verdicts.values()) == {PASS}
    assert yard.fulfilled == {"lib": 2, "tool": 1}
    bases = {ran[0]: handle.base for ran, handle in yard.pairs if ran}
    both, one = (yard.made.layers[_keys(*uris)] for uris in (("lib", "tool"), ("lib",)))
    assert bases == {**{(n, 1): both for n in range(1, 6)}, (6, 1): one, (7, 1): ""}


def _keys(*uris: str) -> tuple[str, ...]:
    return tuple(sorted(Requirement("file", each).key for each in uris))


def test_the_order_of_requirements_makes_no_other_set(run):
    yard = Yard()
    play(run, [task(1, "good", "a", "b"), task(2, "good", "b", "a", "b")], yard)
    assert yard.fulfilled == {"a": 1, "b": 1}
    assert bundle([]) == ()


def test_a_layer_that_was_kept_before_needs_no_preparation(run):
    yard = Yard()
    made = yard()
    made.layers[_keys("lib")] = "older"
    done = play(run, [task(1, "good", "lib")], lambda: made)
    assert done.verdicts == {1: PASS}
    assert yard.fulfilled == {}
    assert [each.base for each in made.handles] == ["older"]


def test_a_layer_that_was_removed_meanwhile_is_made_again(run):
    yard = Yard({"slow": Script(run_for=10)})

    async def beside(scheduler):
        await asyncio.sleep(5)
        yard.made.layers.clear()

    tasks = [task(1, "slow", "lib"), task(2, "slow", "lib"), task(3, "slow", "lib")]
    done = play(run, tasks, yard, slots=1, beside=beside)
    assert done.verdicts == dict.fromkeys((1, 2, 3), PASS)
    assert yard.fulfilled == {"lib": 2}


def test_while_one_is_prepared_others_run(run):
    yard = Yard({"lib": Script(run_for=100), "good": Script(run_for=1)})
    done = play(run, [task(1, "good", "lib"), task(2, "good")], yard, slots=1)
    assert done.first(2, Phase.FINISHED) < done.first(1, Phase.READY)
    assert 101 <= done.seconds < 103


def test_a_requirement_that_cannot_be_met_is_named_and_tried_once(run):
    failed = Script(result="fail", fields={"fail_reason": "no such thing"})
    yard = Yard({"lib": failed})
    done = play(run, [task(1, "good", "lib"), task(2, "good")], yard)
    assert done.verdicts == {1: UNMET, 2: PASS}
    assert done.report(1).detail == "requirement file lib: no such thing"
    assert yard.fulfilled == {"lib": 1}


def test_what_the_spawner_cannot_find_is_told(run):
    yard = Yard(unwanted=["lib"])
    done = play(run, [task(1, "good", "lib")], yard)
    assert done.verdicts == {1: UNMET}
    assert done.report(1).detail == "requirement nothing is known of lib at fake"


def test_a_place_that_keeps_nothing_can_prepare_nothing(run):
    done = play(run, [task(1, "good", "lib"), task(2, "good")], Yard(layered=False))
    assert done.verdicts == {1: UNMET, 2: PASS}


def test_an_environment_that_dies_while_it_is_prepared_is_trouble_of_ours(run):
    yard = Yard({"lib": Script(trouble=Trouble.DIE, run_for=0.1)})
    done = play(run, [task(1, "good", "lib"), task(2, "good")], yard)
    assert done.verdicts == {1: INFRA, 2: PASS}
    assert yard.fulfilled == {"lib": 3}


@pytest.mark.parametrize("sharing", Sharing)
def test_what_could_not_be_prepared_for_trouble_of_ours_is_prepared_again(run, sharing):
    yard = Yard({"lib": [Script(trouble=Trouble.DIE, run_for=0.1), Script()]}, sharing=sharing)
    isolated = [] if sharing is Sharing.LAYER else ["fake"]
    done = run([task(1, "good", "lib"), task(2, "good", "lib")], yard, isolated=isolated)
    assert done.verdicts == {1: PASS, 2: PASS}
    assert yard.fulfilled == {"lib": 2}


def test_what_cannot_be_met_after_trouble_of_ours_is_asked_for_no_more(run):
    unmet = Script("fail", fields={"fail_reason": "no such thing"})
    yard = Yard({"lib": [Script(trouble=Trouble.DIE, run_for=0.1), unmet, Script()]})
    done = play(run, [task(1, "good", "lib")], yard)
    assert done.verdicts == {1: INFRA}  # which hides behind no SKIP
    assert yard.fulfilled == {"lib": 2}


def test_an_environment_that_dies_takes_no_other_attempt_with_it(run):
    yard = Yard({"deadly": Script(trouble=Trouble.DIE), "good": Script(run_for=1)})
    done = play(run, [task(1, "deadly"), *[task(n, "good") for n in range(2, 6)]], yard)
    assert done.verdicts == {1: INFRA, **dict.fromkeys(range(2, 6), PASS)}
    assert [len(done.report(n).attempts) for n in range(1, 6)] == [3, 1, 1, 1, 1]


@pytest.mark.parametrize("uri", ["good", "deadly"])
def test_an_environment_that_cannot_be_removed_costs_nothing_but_a_notice(run, uri):
    yard = Yard({"deadly": [Script(trouble=Trouble.DIE), Script()]})
    made = yard()
    made.refuse_to_destroy = 1
    done = play(run, [task(1, uri), task(2, "good"), task(3, "good")], lambda: made, slots=1)
    assert done.verdicts == dict.fromkeys((1, 2, 3), PASS)
    assert done.ears.notices == [LEFT]
    names = [each["place"] for each in done.records if each["type"] == "environment"]
    assert names.count("fake-1") > 1  # another one may be there


def test_attempts_of_a_suite_may_share_one_in_turn(run):
    yard = Yard(sharing=Sharing.SUITE)
    tasks = [task(n, "good") for n in range(1, 7)]
    tasks = [replace(each, suite="a" if each.number < 4 else "b") for each in tasks]
    done = play(run, tasks, yard, slots=1)
    assert set(done.verdicts.values()) == {PASS}
    assert yard.ran == [[(1, 1), (2, 1), (3, 1)], [(4, 1), (5, 1), (6, 1)]]


def test_attempts_that_begin_from_the_same_layer_may_share_one_at_once(run):
    yard = Yard({"slow": Script(run_for=10)}, sharing=Sharing.LAYER)
    tasks = [task(n, "slow", *(["lib"] if n > 4 else [])) for n in range(1, 7)]
    done = run(tasks, yard, parallel=4)
    assert set(done.verdicts.values()) == {PASS}
    found = {handle.base: ran for ran, handle in yard.pairs if ran}
    assert found == {"": [(n, 1) for n in range(1, 5)], "layer-1": [(5, 1), (6, 1)]}


def test_what_died_with_others_in_a_shared_one_is_tried_again_alone(run):
    scripts = {"deadly": Script(trouble=Trouble.DIE, run_for=0.1), "slow": Script(run_for=1)}
    done = run([task(1, "deadly"), task(2, "slow")], Yard(scripts, sharing=Sharing.LAYER))
    assert done.verdicts == {1: INFRA, 2: PASS}


@pytest.mark.parametrize(("sharing", "series"), [(Sharing.NOBODY, None), (Sharing.SUITE, "s")])
def test_a_series_is_one_only_where_it_shares_an_environment(run, sharing, series):
    yard = Yard({"good": Script(run_for=1)}, sharing=sharing)
    orders: list[dict[str, object]] = []

    async def beside(scheduler):
        await asyncio.sleep(0.5)
        (handle,) = yard.made.handles
        orders.extend(handle.agent.orders)

    tasks = [replace(task(n, "good"), series="s") for n in (1, 2)]
    play(run, tasks, yard, slots=1, beside=beside)
    assert orders[0].get("series") == series


def test_a_job_that_is_stopped_ends_what_runs_what_opens_and_what_is_prepared(run):
    yard = Yard({"lib": Script(blocks=True), "slow": Script(blocks=True)}, ahead=1)

    async def beside(scheduler):
        await asyncio.sleep(3)
        scheduler.stop(stop_by_user(asyncio.get_running_loop().time()))

    tasks = [task(1, "slow"), task(2, "good", "lib"), task(3, "slow"), task(4, "slow")]
    done = play(run, tasks, yard, beside=beside)
    assert {cause for _, cause in done.verdicts.values()} == {Cause.CANCELLED}
    assert done.seconds < 20


def test_kinds_are_asked_of_one_environment(run):
    yard = Yard()
    done = play(run, [task(1, "good", kind="odd"), task(2, "good", kind="odd")], yard)
    assert {cause for _, cause in done.verdicts.values()} == {Cause.MALFORMED}
    assert len(yard.made.handles) == 1


def test_limits_hold_here_too(run):
    yard = Yard({"slow": Script(blocks=True)})
    done = play(run, [task(1, "slow", limits=TaskLimits(timeout=5))], yard)
    assert done.verdicts[1][1] is Cause.TIMEOUT
