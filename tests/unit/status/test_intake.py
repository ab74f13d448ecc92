from __future__ import annotations

import json
from typing import Any

import pytest

from nrunner.messages import Finished, Heartbeat, Message, Output, Started, dump
from nrunner.result import Result
from nrunner.status.intake import Accepted, Intake, Refusal

JOB = "f59bd40"


def an_intake() -> Intake:
    return Intake({"1-a": 1, "2-b": 2, "300-c": 300}.get, JOB)


def started(task_id: str = "1-a", job_id: str | None = JOB) -> Message:
    return Started(task_id, 1.0, job_id, "/o")


def finished(task_id: str = "1-a") -> Message:
    return Finished(task_id, 2.0, JOB, Result.PASS)


def refused(intake: Intake) -> dict[Refusal, int]:
    return {reason: count for reason, count in intake.statistics().refused.items() if count}


def test_messages_of_known_tasks_come_out_in_order_with_their_numbers() -> None:
    intake = an_intake()
    messages = [started(), started("300-c"), Heartbeat("1-a", 1.5, JOB), finished()]

    accepted = intake.take([dump(message)[:-1] for message in messages])

    assert accepted == [
        Accepted(1, messages[0]),
        Accepted(300, messages[1]),
        Accepted(1, messages[2]),
        Accepted(1, messages[3]),
    ]
    assert intake.statistics().accepted == 4
    assert refused(intake) == {}


@pytest.mark.parametrize(
    ("before", "message", "reason"),
    [
        ([], started("9-nobody"), Refusal.UNKNOWN_TASK),
        ([], started("1-A"), Refusal.UNKNOWN_TASK),
        ([], started(job_id="other"), Refusal.WRONG_JOB),
        ([started()], started(), Refusal.REPEATED),
        ([finished()], finished(), Refusal.REPEATED),
        ([finished()], started(), Refusal.LATE),
        ([finished()], Heartbeat("1-a", 3.0, JOB), Refusal.LATE),
        ([finished()], Output("1-a", 3.0, JOB, "stdout", b"x"), Refusal.LATE),
    ],
)
def test_what_is_not_allowed_is_refused_and_counted(
    before: list[Message], message: Message, reason: Refusal
) -> None:
    intake = an_intake()
    for earlier in before:
        assert intake.accept(earlier) is not None

    assert intake.accept(message) is None
    assert refused(intake) == {reason: 1}
    assert message.task_id in intake.statistics().samples[reason][0]


def test_one_task_that_is_over_stops_no_other() -> None:
    intake = an_intake()
    intake.accept(finished("1-a"))

    assert intake.accept(finished("2-b")) is not None
    assert intake.accept(finished("300-c")) is not None


def test_a_message_without_a_job_id_is_let_in() -> None:
    assert an_intake().accept(started(job_id=None)) is not None


def test_a_forged_message_of_another_job_does_not_end_the_task() -> None:
    intake = an_intake()
    intake.accept(Finished("1-a", 1.0, "other", Result.PASS))

    assert intake.accept(finished()) is not None


def test_the_next_attempt_of_a_task_may_speak_again() -> None:
    intake = an_intake()
    intake.accept(started())
    intake.accept(finished())
    intake.reopen(1)
    intake.reopen(77)

    assert intake.accept(started()) is not None
    assert intake.accept(finished()) is not None
    assert refused(intake) == {}


def test_a_message_before_started_is_let_in() -> None:
    intake = an_intake()

    assert intake.accept(Heartbeat("1-a", 1.0, JOB)) is not None
    assert intake.accept(started()) is not None


def test_garbage_between_good_lines_costs_only_itself() -> None:
    intake = an_intake()

    accepted = intake.take([b"garbage", dump(started()), b"\x00\xff", dump(finished())])

    assert [type(entry.message) for entry in accepted] == [Started, Finished]
    assert refused(intake) == {Refusal.MALFORMED: 2}


def test_empty_lines_are_nothing() -> None:
    intake = an_intake()

    assert intake.take([b"", b"\r", b"  "]) == []
    assert refused(intake) == {}


def test_samples_are_few_and_short_whatever_comes() -> None:
    intake = an_intake()
    for number in range(1_000):
        intake.accept(Heartbeat(f"{number}-{'x' * 10_000}", 1.0, "j" * 10_000))
    intake.take([b"g" * 100_000] * 1_000)

    statistics = intake.statistics()
    assert statistics.refused[Refusal.UNKNOWN_TASK] == 1_000
    assert statistics.refused[Refusal.MALFORMED] == 1_000
    samples = [text for texts in statistics.samples.values() for text in texts]
    assert len(samples) == 20
    assert max(map(len, samples)) <= 700


def test_statistics_do_not_change_after_they_were_taken() -> None:
    intake = an_intake()
    before = intake.statistics()
    intake.accept(started("9-nobody"))

    assert before.refused[Refusal.UNKNOWN_TASK] == 0
    assert before.samples == {}


def test_after_many_lines_the_fast_decoder_gives_the_same_messages() -> None:
    lines: list[dict[str, Any]] = [
        {"status": "started", "time": 1, "id": "1-a"},
        {"status": "running", "time": 2.5, "id": "1-a"},
        {"status": "running", "time": 2.5, "id": 7},
        {"status": "running", "time": 3, "id": "1-a", "type": "new"},
        {"status": "finished", "time": 4, "id": "1-a", "result": "pass"},
    ]
    raw = [json.dumps(line).encode() for line in lines]
    known = {"1-a": 1, "7": 7}.get
    slow, fast = Intake(known), Intake(known)
    fast.take([b'{"status": "running", "time": 1, "id": "7"}'] * 6_000)

    assert fast.take(raw) == slow.take(raw)
    assert fast.statistics().accepted == 6_005
