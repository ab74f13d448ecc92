"""What is known of one attempt, and how it is told."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from nrunner.errors import RecipeError, RunnerError
from nrunner.result import Result
from nrunner.runnable import Requirement, Runnable
from nrunner.runners.attempt import Attempt, Limits, Order, Settings
from nrunner.runners.base import Command, Exit, Outcome
from nrunner.runners.slot import Slot

ORDER = {
    "task": 3,
    "attempt": 2,
    "id": "3-x",
    "runnable": {"kind": "exec-test", "uri": "x", "config": {"runner.a": 1}},
    "log_dir": "/log",
    "limits": {"timeout": 4.0, "slow": None, "silence": 2.0, "grace": 1.0},
}


@pytest.fixture
def attempt(tmp_path):
    """An attempt in a slot, whose payload promised a report."""
    attempt = Attempt(Order(1, 1, "1-x", Runnable("exec-test", "x"), str(tmp_path / "log")))
    slot = attempt.slot = Slot(str(tmp_path / "slot"))
    slot.open()
    place = attempt.place_in(slot, Settings(job_id="job", base_dir="/base"))
    attempt.command = Command(("x",), "/", report=place.report)
    yield attempt
    slot.remove()


def test_an_order_is_read_from_its_frame():
    order = Order.from_json({**ORDER, "type": "run"}, {})
    assert (order.task, order.attempt, order.id, order.log_dir) == (3, 2, "3-x", "/log")
    assert order.limits == Limits(4.0, None, 2.0, 1.0)
    assert order.runnable.uri == "x"
    assert not order.is_errand
    assert order.needs == ()
    needy = Order.from_json({**ORDER, "needs": [{"type": "asset", "name": "a"}]}, {})
    assert needy.needs == (Requirement("asset", kwargs={"name": "a"}),)


def test_an_order_without_limits_has_none_but_the_grace():
    order = {key: value for key, value in ORDER.items() if key != "limits"}
    assert Order.from_json(order, {}).limits == Limits()


def test_what_a_runnable_sets_wins_over_what_the_job_sets():
    order = Order.from_json(ORDER, {"runner.a": 7, "runner.b": 8})
    assert dict(order.runnable.config) == {"runner.a": 1, "runner.b": 8}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"runnable": {}}, RecipeError),
        ({"runnable": []}, RecipeError),
        ({"limits": {"forever": 1}}, TypeError),
        ({"needs": 5}, TypeError),
        ({"needs": [5]}, RecipeError),
    ],
)
def test_what_is_no_order_is_refused(change, error):
    with pytest.raises(error):
        Order.from_json({**ORDER, **change}, {})


def test_an_attempt_has_its_folders_and_a_mark(attempt):
    place = attempt.place
    assert attempt.mark == "job:1:1"
    assert (place.base_dir, place.task_id, place.job_id) == ("/base", "1-x", "job")
    assert Path(place.work_dir).is_dir()
    assert Path(place.output_dir).is_dir()


def test_a_report_is_what_the_payload_left(attempt):
    assert attempt.report() is None
    Path(attempt.place.report).write_text('{"result": "fail", "fail_reason": "why"}')
    assert attempt.report() == Outcome(Result.FAIL, "why")
    attempt.forget_report()
    assert attempt.report() is None
    attempt.forget_report()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "null",
        "{}",
        '{"result": "splendid"}',
        '{"result": []}',
        '{"result": "pass", "fail_reason": 7}',
        '{"result": "pass", "traceback": ["x"]}',
        '{"result": "pass", "returncode": "0"}',
        '{"result": "pass", "returncode": true}',
        '{"result": "pass", "contract": "no"}',
        "[" * 100_000,
        "\xff",
    ],
    ids=range(13),
)
def test_a_report_that_is_none_is_not_believed(attempt, content):
    Path(attempt.place.report).write_text(content, encoding="latin-1")
    assert attempt.report() is None


def test_a_pipe_or_link_in_place_of_a_report_is_not_waited_for_nor_followed(attempt, tmp_path):
    os.mkfifo(attempt.place.report)
    assert attempt.report() is None
    Path(attempt.place.report).unlink()
    (tmp_path / "forged").write_text('{"result": "pass"}')
    Path(attempt.place.report).symlink_to(tmp_path / "forged")
    assert attempt.report() is None


def test_what_the_payload_said_by_message_wins_over_a_file(attempt):
    Path(attempt.place.report).write_text('{"result": "fail"}')
    attempt.said = Outcome(Result.PASS)
    assert attempt.report() == Outcome(Result.PASS)


def test_a_story_has_what_there_is_to_tell(attempt):
    attempt.began, attempt.ended = 5.0, 7.5
    attempt.end = Exit(None, 9, core=True)
    attempt.leaks = [{"pid": 4}]
    attempt.outputs = ("stdout",)
    story = attempt.story(Outcome(Result.FAIL, "why"), "subreaper")
    assert story.pop("time") > 0
    assert story == {
        "result": "fail",
        "fail_reason": "why",
        "returncode": -9,
        "core": True,
        "elapsed": 2.5,
        "layer": "subreaper",
        "leaks": [{"pid": 4}],
        "outputs": ("stdout",),
    }


def test_a_runners_own_returncode_is_not_overruled(attempt):
    attempt.end = Exit(0)
    assert attempt.story(Outcome(Result.FAIL, returncode=7), "")["returncode"] == 7


def test_an_attempt_that_was_stopped_has_no_result_of_its_own(attempt):
    attempt.stop, attempt.stop_detail = "timeout", "past its 3 s limit"
    story = attempt.story(Outcome(Result.PASS), "")
    assert (story["result"], story["stop"]) == ("", "timeout")
    assert story["stop_detail"] == "past its 3 s limit"


def test_long_texts_are_cut_so_that_the_story_fits_into_a_frame(attempt):
    text = "\x00" * (1 << 20)
    story = attempt.story(Outcome(Result.FAIL, text, traceback=text), "")
    assert story["fail_reason"].endswith("...")
    assert len(json.dumps(story)) < 1 << 20


@pytest.mark.parametrize(
    "change",
    [
        {"task": True},
        {"task": "3"},
        {"task": 3.0},
        {"attempt": None},
        {"attempt": []},
        {"id": ["3-x"]},
        {"log_dir": 5},
        {"series": 1},
        {"next": {"uri": "x"}},
        {"limits": {"timeout": "1"}},
        {"limits": {"timeout": -1}},
        {"limits": {"timeout": float("nan")}},
        {"limits": {"grace": float("inf")}},
        {"limits": [1]},
        {"limits": "x"},
    ],
    ids=str,
)
def test_an_order_with_a_field_of_the_wrong_sort_is_refused(change):
    with pytest.raises((TypeError, AttributeError)):
        Order.from_json({**ORDER, **change}, {})


@pytest.mark.parametrize("env", [5, "A=1", ["A"], {"A": 1}, {"A": None}], ids=str)
def test_variables_that_are_no_texts_are_an_error_of_the_runnable(env):
    recipe = {"kind": "exec-test", "uri": "x", "config": {"runner.env": env}}
    order = Order.from_json({**ORDER, "runnable": recipe}, {})
    with pytest.raises(RunnerError, match=r"runner\.env"):
        _ = order.env


def test_settings_are_read_from_a_frame_that_may_say_more():
    settings = Settings.from_json(
        {"type": "settings", "slots": 3, "env": {"A": "1"}, "orphan_deadline": 5, "new": {}}
    )
    assert settings == Settings(slots=3, env={"A": "1"}, orphan_deadline=5)


@pytest.mark.parametrize(
    "change",
    [
        {"slots": "3"},
        {"slots": True},
        {"slots": 1.5},
        {"slots_dir": None},
        {"env": {"A": 1}},
        {"env": []},
        {"config": "x"},
        {"orphan_deadline": float("nan")},
        {"orphan_deadline": -1},
        {"orphan_deadline": None},
    ],
    ids=str,
)
def test_settings_of_the_wrong_sort_are_refused(change):
    with pytest.raises(TypeError):
        Settings.from_json(change)
