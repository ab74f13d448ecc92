"""What the agent of sh says, told as any agent tells it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nrunner.runnable import Runnable
from nrunner.runners.attempt import Limits, Order
from nrunner.spawners.shell_order import note_of, order_of
from nrunner.spawners.shell_story import Story, read_spool, remains_in


def order(folder: Path, **limits: float) -> Order:
    runnable = Runnable("exec-test", "./x", config={"runner.exectest.exitcodes.skip": [77]})
    return Order(1, 1, "1-x", runnable, str(folder / "log"), Limits(**limits))


def spool(folder: Path, *lines: str, **limits: float) -> Path:
    path = folder / "spool"
    begin = [f"slots {folder}/slots", f"order 1 1 {note_of(order(folder, **limits))}"]
    path.write_text("".join(line + "\n" for line in (*begin, *lines)))
    return path


def last(path: Path) -> dict[str, Any]:
    remains = read_spool(path)
    assert remains is not None
    return remains.events[-1]


def test_a_note_says_all_that_judging_needs(tmp_path):
    told = order_of(1, 1, note_of(order(tmp_path, timeout=2.5)))
    assert told == order(tmp_path, timeout=2.5)


def test_an_end_is_judged_by_the_runner_of_its_kind(tmp_path):
    head = last(spool(tmp_path, "event 1 1 1 5 started 7", "event 2 1 1 30 ended 77 0 0 25 -"))
    assert head["seq"] == 2
    assert (head["result"], head["returncode"], head["elapsed"]) == ("skip", 77, 0.25)


def test_a_signal_is_no_exit_status(tmp_path):
    head = last(spool(tmp_path, "event 1 1 1 30 ended 139 11 1 25 -"))
    assert (head["returncode"], head["core"]) == (-11, True)


@pytest.mark.parametrize(
    ("said", "stop", "detail"),
    [
        ("timeout ", "timeout", "past its 2 s limit"),
        ("silence ", "silence", "no output for 3 s"),
        ("cancelled by a person", "cancelled", "by a person"),
    ],
)
def test_who_was_stopped_has_no_word_of_its_own(tmp_path, said, stop, detail):
    lines = (f"stopped 1 1 {said}", "event 1 1 1 30 ended 0 0 0 25 -")
    head = last(spool(tmp_path, *lines, timeout=2, silence=3))
    assert (head["result"], head["stop"], head["stop_detail"]) == ("", stop, detail)


def test_what_was_left_and_what_does_not_die_is_named(tmp_path):
    lines = (
        "leak 1 1 12 150 hrtimer_nanosleep sleep 10",
        "stuck 1 1 13 20 0 dd\x1b if=x",
        "event 1 1 1 30 ended 0 0 0 25 -",
    )
    head = last(spool(tmp_path, *lines))
    leak = {"pid": 12, "command": "sleep 10", "age": 1.5, "wait_channel": "hrtimer_nanosleep"}
    assert head["leaks"] == [leak]
    stuck = {"pid": 13, "command": "dd? if=x", "age": 0.2, "wait_channel": ""}
    assert head["unkillable"] == [stuck]


def test_what_was_written_moves_to_the_folder_of_the_task_once(tmp_path):
    slots = tmp_path / "slots"
    (slots / "1.1.output").mkdir(parents=True)
    (slots / "1.1.output" / "kept").touch()
    (slots / "1.1.out").write_text("said")
    (slots / "1.1.err").touch()
    path = spool(tmp_path, "event 1 1 1 30 ended 0 0 0 25 -od")
    for _ in range(2):
        # A controller may be killed between that and saying so.
        assert last(path)["outputs"] == ["stdout", "output"]
        assert (tmp_path / "log" / "stdout").read_text() == "said"
        assert (tmp_path / "log" / "output" / "kept").exists()
        assert list(slots.iterdir()) == []


def test_what_a_test_put_in_place_of_its_output_is_not_taken(tmp_path):
    (tmp_path / "slots").mkdir()
    (tmp_path / "slots" / "1.1.out").symlink_to("/etc/passwd")
    head = last(spool(tmp_path, "event 1 1 1 30 ended 0 0 0 25 -o"))
    assert "outputs" not in head
    assert not (tmp_path / "log" / "stdout").exists()


@pytest.mark.parametrize(
    ("why", "cause", "words"),
    [("missing", "malformed", "no program"), ("files", "infra", "files could not be made")],
)
def test_who_could_not_be_started_is_told_why(tmp_path, why, cause, words):
    head = last(spool(tmp_path, f"event 1 1 1 30 unfit {why}"))
    assert (head["event"], head["cause"]) == ("not_started", cause)
    assert words in head["reason"]


def test_trouble_of_ours_before_a_start_is_no_fault_of_the_test(tmp_path):
    head = last(spool(tmp_path, "trouble 1 1 no space left", "event 1 1 1 30 unfit missing"))
    told = (head["event"], head["cause"], head["reason"])
    assert told == ("not_started", "infra", "no space left")


def test_who_was_cancelled_before_it_began_never_started(tmp_path):
    head = last(spool(tmp_path, "stopped 1 1 cancelled by a person", "event 1 1 1 3 unfit stopped"))
    told = (head["event"], head["cause"], head["reason"])
    assert told == ("not_started", "cancelled", "by a person")


def test_what_a_controller_has_found_out_comes_back_as_it_was(tmp_path):
    fields = {"event": "not_started", "cause": "malformed", "reason": "a  b\n 'c'"}
    head = last(spool(tmp_path, f"event 1 2 1 30 told {json.dumps(fields)}"))
    assert {name: head[name] for name in fields} == fields


def test_what_was_ordered_and_never_heard_of_may_have_begun(tmp_path):
    remains = read_spool(spool(tmp_path))
    assert remains is not None
    assert (remains.events, remains.taken) == ((), frozenset({(1, 1)}))


def test_a_line_that_was_not_written_to_its_end_does_not_count(tmp_path):
    path = spool(tmp_path, "event 1 1 1 5 started 7")
    path.write_text(path.read_text() + "event 2 1 1 30 ended 0 0 0 25")
    assert last(path)["event"] == "started"


def test_what_follows_nonsense_is_not_believed(tmp_path):
    path = spool(tmp_path, "event 1 1 1 5 started 7", "event x", "event 2 1 1 30 ended 0 0 0 25 -")
    assert last(path)["event"] == "started"


def test_what_only_its_output_tells_is_not_guessed_once_that_is_lost():
    note = '{"id":"1-x","log_dir":"/gone","runnable":{"kind":"%s","uri":"x"},"limits":{}}'
    for kind, result in (("exec-test", "pass"), ("tap", "")):
        lines = f"order 1 1 {note % kind}\nevent 1 1 1 1 ended 0 0 0 1 o\n"
        (end,) = remains_in(lines.encode(), shares_files=False).events
        assert end["result"] == result
        assert ("lost with its agent" in end.get("trouble", "")) is (kind == "tap")


def test_no_spool_says_nothing(tmp_path):
    assert read_spool(tmp_path / "gone") is None


def test_what_was_heard_before_is_forgotten(tmp_path):
    story = Story()
    story.take("order", f"1 1 {note_of(order(tmp_path))}")
    told = story.take("event", "1 1 1 30 ended 0 0 0 25 -")
    assert told is not None
    story.forget(told)
    assert story.orders == {}
