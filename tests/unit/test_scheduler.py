"""The scheduler with a real machine, journal and environments, whose agents follow scripts."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from nrunner.errors import JournalError
from nrunner.event import Cancelled
from nrunner.interrupt import stop_by_timeout, stop_by_user
from nrunner.journal import Journal
from nrunner.phase import Phase
from nrunner.result import Cause, Result, Verdict
from nrunner.runnable import Requirement, Runnable
from nrunner.scheduler import Scheduler
from nrunner.task import Task, TaskLimits
from nrunner.testing.fake_spawner import FakeLayeredSpawner, FakeSpawner, Script, Trouble
from tests.unit.scheduler_job import run_tasks, task


@pytest.fixture
def run(tmp_path):
    """Return a function that runs tasks to the end and checks what always holds."""
    return partial(run_tasks, tmp_path)


PASS = (Result.PASS, Cause.TEST)
INFRA = (Result.ERROR, Cause.INFRA)


def test_tasks_run_and_their_verdicts_are_told(run):
    scripts = {
        "good": Script(stdout=b"hello\n"),
        "bad": Script(result="fail", fields={"fail_reason": "exited with status 1"}),
        "quiet": Script(result=""),
    }
    done = run([task(1, "good"), task(2, "bad"), task(3, "quiet")], lambda: FakeSpawner(scripts))
    assert done.verdicts == {
        1: PASS,
        2: (Result.FAIL, Cause.TEST),
        3: (Result.ERROR, Cause.CONTRACT),
    }
    assert done.report(2).detail == "exited with status 1"
    assert list(done.report(1).outputs) == ["stdout"]
    assert done.phases(1) == ["TRIAGING", "READY", "STARTING", "STARTED", "FINISHED"]


def test_no_tasks_are_done_at_once_and_nothing_is_opened(run):
    assert run([], lambda: FakeSpawner(refuse_to_open=1)).records == []


def test_a_second_task_starts_and_ends_while_the_first_is_still_prepared(run):
    scripts = {
        "mylib": Script(),
        "slow": Script(run_for=5),
        "never ends": Script(blocks=True),
    }

    async def limit(scheduler: Scheduler) -> None:
        await asyncio.sleep(60)
        scheduler.stop(stop_by_timeout(time.monotonic(), 60))

    tasks = [task(1, "never ends", "mylib", "slow"), task(2, "second", "mylib")]
    done = run(tasks, lambda: FakeSpawner(scripts), beside=limit)
    assert done.first(2, Phase.FINISHED) < done.first(1, Phase.READY)
    assert done.verdicts == {1: (Result.INTERRUPT, Cause.TIMEOUT), 2: PASS}
    way = ["TRIAGING", "PREPARING", "READY", "STARTING", "STARTED"]
    assert done.phases(1) == [*way, "INTERRUPTED"]
    assert done.phases(2) == [*way, "FINISHED"]
    assert done.report(1).detail == "past the job's 60 s limit"
    assert done.scheduler.interrupted == "past the job's 60 s limit"


def test_a_requirement_is_fulfilled_once_for_all_who_wait_for_it(run):
    spawner: list[FakeSpawner] = []

    def make() -> FakeSpawner:
        spawner.append(FakeSpawner({"lib": Script(run_for=1)}))
        return spawner[0]

    done = run([task(n, "good", "lib") for n in (1, 2, 3)], make)
    assert set(done.verdicts.values()) == {PASS}
    assert spawner[0].handles[0].agent.fulfilled == ["lib"]


def test_a_requirement_that_fails_skips_all_who_wait_and_is_asked_for_again(run):
    spawner: list[FakeSpawner] = []
    unmet = Script("fail", run_for=1, fields={"fail_reason": "no such file"})

    def make() -> FakeSpawner:
        spawner.append(FakeSpawner({"lib": [unmet, Script()], "first": Script(run_for=3)}))
        return spawner[0]

    tasks = [task(1, "good", "lib"), task(2, "good", "lib"), task(3, "first")]
    later = Task(4, "4-good", task(4, "good", "lib").runnable, suite="later")
    done = run([*tasks, later], make)
    skipped = (Result.SKIP, Cause.REQUIREMENT)
    assert done.verdicts == {1: skipped, 2: skipped, 3: PASS, 4: PASS}
    assert done.report(1).detail == "requirement file lib: no such file"
    assert spawner[0].handles[0].agent.fulfilled == ["lib", "lib"]


def test_a_kind_that_nobody_knows_is_malformed_and_the_nearest_name_is_told(run):
    done = run([task(1, "x", kind="exec-tets"), task(2, "good")], FakeSpawner)
    assert done.verdicts == {1: (Result.ERROR, Cause.MALFORMED), 2: PASS}
    assert done.report(1).detail == 'no runner for kind "exec-tets" (did you mean "exec-test"?)'


def test_a_kind_of_requirement_that_nobody_knows_is_malformed(run):
    runnable = Runnable("exec-test", "x", requirements=(Requirement("fille", "y"),))
    done = run([Task(1, "1-x", runnable)], FakeSpawner)
    assert done.verdicts == {1: (Result.ERROR, Cause.MALFORMED)}
    assert 'did you mean "file"?' in done.report(1).detail


def test_a_kind_that_only_the_environment_knows_runs_there(run):
    kinds = frozenset({"exec-test", "strange"})
    assert run([task(1, "x", kind="strange")], lambda: FakeSpawner(kinds=kinds)).verdicts == {
        1: PASS
    }


def test_an_order_that_is_too_large_for_a_frame_is_malformed_and_harms_nobody_else(run):
    runnable = Runnable("exec-test", "x", args=("y" * (1 << 20),))
    done = run([Task(1, "1-x", runnable), task(2, "good")], FakeSpawner)
    assert done.verdicts == {1: (Result.ERROR, Cause.MALFORMED), 2: PASS}
    assert "bytes" in done.report(1).detail


def test_a_name_that_is_no_valid_text_runs_like_any_other(run):
    done = run([task(1, "bad \udcff name"), task(2, "good")], FakeSpawner)
    assert done.verdicts == {1: PASS, 2: PASS}


def test_a_reason_that_is_no_valid_text_is_told(run):
    scripts = {"bad": Script("fail", fields={"fail_reason": "no file \udcff"})}
    done = run([task(1, "bad")], lambda: FakeSpawner(scripts))
    assert done.verdicts == {1: (Result.FAIL, Cause.TEST)}
    assert done.report(1).detail == "no file \udcff"


# Environments that end.


def test_a_task_whose_environment_dies_is_tried_in_another_one(run):
    scripts = {"shaky": [Script(trouble=Trouble.DIE, run_for=1), Script()]}
    done = run([task(1, "shaky")], lambda: FakeSpawner(scripts))
    assert done.verdicts == {1: PASS}
    assert [each.cause for each in done.report(1).attempts] == [Cause.INFRA, Cause.TEST]
    assert "its environment is gone: the script has it end" in done.report(1).attempts[0].detail


@pytest.mark.parametrize("trouble", [Trouble.DIE, Trouble.DIE_FIRST], ids=lambda each: each.name)
def test_a_task_under_which_every_environment_dies_is_an_error_of_infrastructure(run, trouble):
    for trouble in (Trouble.DIE, Trouble.DIE_FIRST):
        done = run(
            [task(1, "deadly")], lambda t=trouble: FakeSpawner({"deadly": Script(trouble=t)})
        )
        assert done.verdicts == {1: INFRA}
        assert 1 < len(done.report(1).attempts) <= 3
        done.ears.path.unlink()


def test_innocents_in_an_environment_that_dies_settle_in_another_one(run):
    scripts = {"deadly": Script(trouble=Trouble.DIE, run_for=1), "good": Script(run_for=2)}
    tasks = [task(1, "good"), task(2, "deadly"), task(3, "good"), task(4, "good")]
    done = run(tasks, lambda: FakeSpawner(scripts))
    assert done.verdicts == {1: PASS, 2: INFRA, 3: PASS, 4: PASS}


def test_who_is_prepared_when_the_environment_dies_is_prepared_in_another_one(run):
    scripts = {"lib": [Script(trouble=Trouble.DIE, run_for=1), Script(run_for=1)]}
    done = run([task(1, "good", "lib")], lambda: FakeSpawner(scripts))
    assert done.verdicts == {1: PASS}
    assert len(done.report(1).attempts) == 1


def test_a_spawner_that_refuses_twice_is_asked_a_third_time(run):
    done = run([task(1, "good")], lambda: FakeSpawner(refuse_to_open=2))
    assert done.verdicts == {1: PASS}
    assert "made to refuse" in done.report(1).attempts[0].detail


def test_a_spawner_that_always_refuses_makes_every_task_an_error_of_infrastructure(run):
    tasks = [task(1, "good"), task(2, "good", "lib"), task(3, "good", kind="unheard-of")]
    done = run(tasks, lambda: FakeSpawner(refuse_to_open=99))
    assert done.verdicts == {1: INFRA, 2: INFRA, 3: INFRA}


def test_a_spawner_that_refuses_once_does_not_cost_who_asks_about_kinds(run):
    kinds = frozenset({"strange"})
    done = run(
        [task(1, "good", kind="strange")], lambda: FakeSpawner(kinds=kinds, refuse_to_open=1)
    )
    assert done.verdicts == {1: PASS}


def test_an_agent_that_says_nothing_is_given_up_and_another_one_is_started(run):
    done = run([task(1, "good")], lambda: FakeSpawner(never_greet=1))
    assert done.verdicts == {1: PASS}
    assert "could not hear from the agent within 15 s" in done.report(1).attempts[0].detail


def test_an_agent_with_a_protocol_of_another_age_is_not_spoken_to(run):
    done = run([task(1, "good")], lambda: FakeSpawner(protocol=9))
    assert done.verdicts == {1: INFRA}
    assert "protocol 9" in done.report(1).detail


# Links that break.


@pytest.mark.parametrize(
    "trouble", [Trouble.LOSE_LINK, Trouble.LOSE_ORDER, Trouble.LOSE_EVENT], ids=lambda t: t.name
)
def test_a_link_that_is_lost_and_comes_back_costs_nothing(run, trouble):
    spawner: list[FakeSpawner] = []
    lost = Script(trouble=trouble, run_for=0.01, link_lost_for=0.3)

    def make() -> FakeSpawner:
        spawner.append(FakeSpawner({"shaky": [lost, Script()], "good": Script(run_for=0.1)}))
        return spawner[0]

    done = run([task(1, "good"), task(2, "shaky"), task(3, "good")], make)
    assert done.verdicts == {1: PASS, 2: PASS, 3: PASS}
    (handle,) = spawner[0].handles
    assert set(handle.agent.ran.values()) == {1}
    assert [len(done.report(number).attempts) for number in (1, 2, 3)] == [1, 1, 1]


@pytest.mark.parametrize(
    ("trouble", "run_for"),
    [(Trouble.LOSE_ORDER, 0), (Trouble.LOSE_LINK, 0), (Trouble.LOSE_LINK, 9)],
    ids=["request lost", "answer lost", "answer later"],
)
def test_a_requirement_asked_for_before_the_link_was_lost_is_met(run, trouble, run_for):
    scripts = {"lib": [Script(trouble=trouble, run_for=run_for, link_lost_for=1), Script()]}
    done = run([task(1, "good", "lib")], lambda: FakeSpawner(scripts))
    assert done.verdicts == {1: PASS}
    assert len(done.report(1).attempts) == 1


def test_a_link_that_never_comes_back_ends_the_environment(run):
    lost = Script(trouble=Trouble.LOSE_LINK, blocks=True, link_lost_for=1e6)
    spawner: list[FakeSpawner] = []

    def make() -> FakeSpawner:
        spawner.append(FakeSpawner({"shaky": [lost, Script()]}))
        return spawner[0]

    done = run([task(1, "shaky")], make)
    assert done.verdicts == {1: PASS}
    assert spawner[0].handles[0].is_destroyed
    assert "the link was lost" in done.report(1).attempts[0].detail


def test_a_job_is_over_only_once_what_an_environment_left_behind_is_ended(run):
    spawners: list[FakeSpawner] = []

    def make() -> FakeSpawner:
        spawners.append(FakeSpawner({"deadly": Script(trouble=Trouble.DIE)}, destroy_takes=1))
        return spawners[0]

    done = run([task(1, "deadly")], make)
    assert done.verdicts == {1: INFRA}
    assert [each.is_destroyed for each in spawners[0].handles] == [True] * 3


def test_a_job_ends_as_ever_where_an_environment_cannot_be_removed(run):
    spawner = FakeSpawner()
    spawner.refuse_to_destroy = 1
    done = run([task(1, "good")], lambda: spawner)
    assert done.verdicts == {1: PASS}
    assert done.ears.notices == ["could not remove what is left of fake: it is made to stay"]


# Agents that do not keep to the protocol.


@pytest.mark.parametrize(
    "trouble",
    [Trouble.REPEAT, Trouble.RENUMBER, Trouble.FORGE, Trouble.LATE],
    ids=lambda trouble: trouble.name,
)
def test_events_that_are_repeated_forged_or_late_change_nothing(run, trouble):
    scripts = {"odd": Script(trouble=trouble, run_for=1), "good": Script(run_for=2)}
    done = run([task(1, "odd"), task(2, "good")], lambda: FakeSpawner(scripts))
    assert done.verdicts == {1: PASS, 2: PASS}
    assert done.phases(1) == ["TRIAGING", "READY", "STARTING", "STARTED", "FINISHED"]


@pytest.mark.parametrize(
    "trouble", [Trouble.CONTRADICT, Trouble.END_ONLY, Trouble.NONSENSE], ids=lambda t: t.name
)
def test_an_end_that_contradicts_itself_is_an_error_of_infrastructure(run, trouble):
    scripts = {"odd": Script(trouble=trouble), "good": Script(run_for=2)}
    done = run([task(1, "odd"), task(2, "good")], lambda: FakeSpawner(scripts))
    assert done.verdicts == {1: INFRA, 2: PASS}


def test_an_event_that_is_missing_ends_the_environment(run):
    scripts = {"odd": [Script(trouble=Trouble.GAP), Script()]}
    done = run([task(1, "odd")], lambda: FakeSpawner(scripts))
    assert done.verdicts == {1: PASS}
    assert "could not be read" in done.report(1).attempts[0].detail


def test_a_message_that_contradicts_the_exit_status_breaks_the_contract(run):
    odd = Script("pass", fields={"contract": True, "fail_reason": "said pass, then signal 11"})
    done = run([task(1, "odd")], lambda: FakeSpawner({"odd": odd}))
    assert done.verdicts == {1: (Result.ERROR, Cause.CONTRACT)}


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        ("malformed", (Result.ERROR, Cause.MALFORMED)),
        ("unsuitable", (Result.SKIP, Cause.UNSUITABLE)),
        ("infra", INFRA),
    ],
)
def test_an_attempt_that_cannot_be_started_ends_for_the_cause_that_its_agent_names(
    run, cause, expected
):
    script = Script(refuse_to_start="it cannot be", refuse_cause=cause)
    done = run([task(1, "odd")], lambda: FakeSpawner({"odd": script}))
    assert done.verdicts == {1: expected}
    assert done.report(1).detail == "it cannot be"
    assert done.phases(1)[-1] in ("FAILED_TO_START", "DISCARDED")


# Limits, retries, cancelling.


def test_what_an_attempt_prints_is_seen_while_it_runs_and_no_other_in_between(run):
    """Its slot is another task's as soon as it is over."""
    scripts = {"shaky": [Script(trouble=Trouble.DIE, run_for=12), Script(run_for=12)]}
    seen: list[Path | None] = []

    async def look(scheduler: Scheduler) -> None:
        for _ in range(5):
            await asyncio.sleep(10)
            seen.append(scheduler.live_output(1, "stdout"))

    spawner = partial(FakeSpawner, scripts, open_takes=15)
    done = run([task(1, "shaky")], spawner, beside=look)
    assert done.verdicts == {1: PASS}
    first, second = Path("/token-0/stdout"), Path("/token-1/stdout")
    assert seen == [None, first, None, None, second]


def test_a_hard_limit_interrupts_with_the_limit_in_its_detail(run):
    limits = TaskLimits(timeout=900)
    done = run(
        [task(1, "hangs", limits=limits)], lambda: FakeSpawner({"hangs": Script(blocks=True)})
    )
    assert done.verdicts == {1: (Result.INTERRUPT, Cause.TIMEOUT)}
    assert done.report(1).detail == "past 900 s"
    assert done.report(1).elapsed == 900


def test_a_task_that_fails_and_then_passes_is_a_warning_that_says_so(run):
    scripts = {"flaky": [Script("fail"), Script()]}
    done = run([task(1, "flaky", retries=1)], lambda: FakeSpawner(scripts))
    assert done.verdicts == {1: (Result.WARN, Cause.TEST)}
    assert len(done.report(1).attempts) == 2


def test_fail_fast_starts_nothing_more(run):
    tasks = [task(1, "bad"), *(task(number, "good") for number in range(2, 9))]
    scripts = {"bad": Script("fail"), "good": Script(run_for=1)}
    done = run(tasks, lambda: FakeSpawner(scripts), parallel=2, fail_fast=True)
    assert done.verdicts[1] == (Result.FAIL, Cause.TEST)
    assert Counter(done.verdicts.values())[(Result.CANCEL, Cause.CANCELLED)] == 6


def test_a_dry_run_opens_nothing_and_cancels_everything(run):
    done = run([task(1, "good")], lambda: FakeSpawner(refuse_to_open=9), dry_run=True)
    assert done.verdicts == {1: (Result.CANCEL, Cause.CANCELLED)}
    assert done.seconds == 0


def test_one_task_is_cancelled_and_the_others_go_on(run):
    scripts = {"hangs": Script(blocks=True), "good": Script(run_for=5)}
    verdict = Verdict(Result.INTERRUPT, Cause.CANCELLED, "cancelled by the user")

    async def cancel(scheduler: Scheduler) -> None:
        await asyncio.sleep(1)
        scheduler.feed(Cancelled(time.monotonic(), 1, verdict))

    done = run([task(1, "hangs"), task(2, "good")], lambda: FakeSpawner(scripts), beside=cancel)
    assert done.verdicts == {1: (Result.INTERRUPT, Cause.CANCELLED), 2: PASS}
    assert done.report(1).detail == "cancelled by the user"


def test_a_job_is_paused_and_goes_on_and_an_agent_that_does_not_answer_is_named(run):
    fakes: list[FakeSpawner] = []

    def spawner() -> FakeSpawner:
        fakes.append(FakeSpawner({"long": Script(run_for=60)}))
        return fakes[0]

    async def beside(scheduler: Scheduler) -> None:
        await asyncio.sleep(10)
        (handle,) = fakes[0].alive
        await scheduler.pause()
        assert handle.agent.is_paused
        handle.agent._is_silent = True
        began = asyncio.get_running_loop().time()
        await scheduler.resume()
        assert asyncio.get_running_loop().time() - began == 2
        handle.agent._is_silent = False
        await scheduler.resume()
        assert not handle.agent.is_paused

    done = run([task(1, "long")], spawner, beside=beside)
    said = "could not let go on tests at fake: no answer within 2 s"
    assert done.ears.notices == [said]
    assert [each["text"] for each in done.records if each["type"] == "notice"] == [said]


def test_a_job_that_is_interrupted_gives_grace_to_what_runs_and_starts_nothing_more(run):
    scripts = {"stubborn": Script(blocks=True, ignores_term=True)}
    tasks = [task(number, "stubborn", limits=TaskLimits(grace=7)) for number in range(1, 20)]

    async def interrupt(scheduler: Scheduler) -> None:
        await asyncio.sleep(10)
        scheduler.stop(stop_by_user(time.monotonic()))

    done = run(tasks, lambda: FakeSpawner(scripts), beside=interrupt, parallel=2)
    counts = Counter(done.verdicts.values())
    assert counts == {
        (Result.INTERRUPT, Cause.CANCELLED): 2,
        (Result.CANCEL, Cause.CANCELLED): 17,
    }
    assert done.seconds == pytest.approx(17, abs=0.1)
    assert done.scheduler.interrupted == "interrupted by the user"


def test_a_job_that_is_interrupted_twice_kills_at_once(run):
    scripts = {"stubborn": Script(blocks=True, ignores_term=True)}

    async def interrupt(scheduler: Scheduler) -> None:
        await asyncio.sleep(10)
        scheduler.stop(stop_by_user(time.monotonic()))
        await asyncio.sleep(1)
        scheduler.stop(stop_by_user(time.monotonic(), kill=True))

    done = run([task(1, "stubborn")], lambda: FakeSpawner(scripts), beside=interrupt)
    assert done.verdicts == {1: (Result.INTERRUPT, Cause.CANCELLED)}
    assert done.seconds == pytest.approx(11, abs=0.1)


def test_a_job_that_is_interrupted_does_not_wait_for_an_environment_that_never_opens(run):
    async def interrupt(scheduler: Scheduler) -> None:
        await asyncio.sleep(10)
        scheduler.stop(stop_by_user(time.monotonic()))

    tasks = [task(1, "good"), task(2, "good", "lib"), task(3, "good", kind="strange")]
    done = run(tasks, lambda: FakeSpawner(open_takes=1e6), beside=interrupt)
    assert {result for result, _ in done.verdicts.values()} <= {Result.CANCEL, Result.INTERRUPT}
    assert done.seconds == pytest.approx(10, abs=0.1)


def test_a_job_is_interrupted_while_the_link_is_down(run):
    lost = Script(trouble=Trouble.LOSE_LINK, run_for=1, blocks=True, link_lost_for=0.5)

    async def interrupt(scheduler: Scheduler) -> None:
        await asyncio.sleep(1.1)
        scheduler.stop(stop_by_user(time.monotonic()))

    done = run([task(1, "shaky")], lambda: FakeSpawner({"shaky": lost}), beside=interrupt)
    assert done.verdicts == {1: (Result.INTERRUPT, Cause.CANCELLED)}
    assert done.seconds < 5


# The journal comes first.


@pytest.mark.parametrize("allowed", range(8))
def test_a_journal_that_cannot_be_written_ends_the_job_and_leaves_nothing_running(run, allowed):
    def prepare(journal: Journal) -> None:
        write, left = journal.append, [allowed]

        def append(records: Sequence[Any]) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise JournalError("write the journal: no space left on device")
            write(records)

        journal.append = append  # type: ignore[method-assign]

    scripts = {"long": Script(run_for=3), "longer": Script(run_for=50)}
    tasks = [task(1, "good"), task(2, "long", "lib"), task(3, "longer")]
    done = run(tasks, lambda: FakeSpawner(scripts), prepare=prepare, expect=JournalError)
    assert done.seconds < 50
    written = {each["task"] for each in done.records if each["type"] == "settled"}
    assert {each.number for each in done.ears.reports} == written


def test_that_a_job_is_cut_short_is_recorded_with_what_follows_from_it(run):
    """Whoever goes on with it finds both, or neither."""
    batches: list[list[str]] = []

    def prepare(journal: Journal) -> None:
        write = journal.append

        def append(records: Sequence[Any]) -> None:
            batches.append([each["type"] for each in records])
            write(records)

        journal.append = append  # type: ignore[method-assign]

    async def interrupt(scheduler: Scheduler) -> None:
        await asyncio.sleep(1)
        scheduler.stop(stop_by_user(time.monotonic()))
        scheduler.stop(stop_by_user(time.monotonic(), kill=True, by="again"))

    tasks = [task(1, "endless"), task(2, "endless")]
    scripts = {"endless": Script(blocks=True)}
    done = run(tasks, lambda: FakeSpawner(scripts), prepare=prepare, beside=interrupt, parallel=1)
    assert [each for each in batches if "stopped" in each] == [["stopped", "move", "settled"]]
    (stopped,) = [each for each in done.records if each["type"] == "stopped"]
    assert stopped["reason"] == "interrupted by the user"


@pytest.mark.parametrize(
    ("record", "sort", "kind"),
    [
        ("environment", FakeSpawner, "exec-test"),
        # Somebody had to ask about its kind, so its environment is open when it is ordered.
        ("assigned", FakeLayeredSpawner, "strange"),
    ],
)
def test_nothing_is_ordered_while_the_journal_cannot_tell_where_it_runs(run, record, sort, kind):
    """Who goes on with the job would take it for never ordered, and order it again."""

    def prepare(journal: Journal) -> None:
        write = journal.append

        def append(records: Sequence[Any]) -> None:
            if any(each["type"] == record for each in records):
                raise JournalError("write the journal: input/output error")
            write(records)

        journal.append = append  # type: ignore[method-assign]

    made: list[FakeSpawner] = []

    def spawner() -> FakeSpawner:
        made.append(sort(kinds=frozenset([kind])))
        return made[0]

    tasks = [task(1, "good", kind=kind)]
    run(tasks, spawner, prepare=prepare, expect=JournalError, isolated=["fake"])
    (handle,) = made[0].handles
    assert handle.agent.ran == {}


def test_an_error_of_our_own_ends_the_job_instead_of_leaving_it_waiting(run):
    def prepare(journal: Journal) -> None:
        write = journal.append

        def append(records: Sequence[Any]) -> None:
            if any(each.get("phase") is Phase.STARTED for each in records):
                raise ZeroDivisionError
            write(records)

        journal.append = append  # type: ignore[method-assign]

    run([task(1, "good")], FakeSpawner, prepare=prepare, expect=ZeroDivisionError)


def test_many_tasks_at_several_places_are_all_settled(run):
    troubles = [None, *Trouble]
    scripts = {
        str(number): [
            Script(
                "fail" if number % 5 == 0 else "pass",
                run_for=number % 7 / 10,
                trouble=troubles[number % len(troubles)] if number % 3 == 0 else None,
            ),
            Script(),
        ]
        for number in range(100)
    }
    tasks = [task(n, str(n), *(("lib",) if n % 11 == 0 else ())) for n in range(1, 100)]
    run(tasks, lambda: FakeSpawner(scripts, places=("here", "there"), slots=5), parallel=8)
