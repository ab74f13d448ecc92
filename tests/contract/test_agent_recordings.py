"""What Avocado and its runners were seen to say, at an agent: its ears and its words.

The streams of runners go through the reception of an attempt, and of the command lines that
Avocado's job was seen to give to runners, ours are compared with.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from nrunner.runnable import Runnable
from nrunner.runners.attempt import Attempt, Order, Settings
from nrunner.runners.call import read_call
from nrunner.runners.executable_runner import task_run_words
from nrunner.runners.loop import Loop
from nrunner.runners.reception import Reception
from nrunner.runners.slot import Slot

WIRE = Path(__file__).parents[1] / "fixtures" / "wire"
STREAMS = sorted(WIRE.glob("*.ndjson"))
TWO_STREAMS_IN_ONE = "exec-two-interleaved-uris"
BROKEN = frozenset({"exec-sigterm", "python-unittest-exit", "python-unittest-term"})
"""Streams that have no end, since the runner hung or died."""


@pytest.fixture
def reception(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Reception]:
    """Return what hears of an attempt at the task that a stream is about."""
    first = json.loads(request.param.read_text().splitlines()[0])
    (tmp_path / "log").mkdir()
    order = Order(1, 1, str(first["id"]), Runnable("strange", "x"), str(tmp_path / "log"))
    slot = Slot(str(tmp_path / "slot"))
    slot.open()
    attempt = Attempt(order)
    attempt.place_in(slot, Settings())
    loop = Loop()
    made = Reception(loop, str(tmp_path / "status"), attempt, lambda _: None)
    for line in request.param.read_bytes().splitlines():
        made.take(line)
    yield made
    slot.remove()
    loop._poll.close()
    os.close(loop._woken)
    os.close(loop._wake)


def said(path: Path, kind: str) -> bytes:
    """Return what the messages of a sort hold that the receiver is to keep."""
    messages = [json.loads(line) for line in path.read_text().splitlines()]
    return b"".join(
        base64.b64decode(each["log"]["__base64_encoded__"])
        for each in messages
        if each.get("type") == kind and not each.get("log_only")
    )


@pytest.mark.parametrize(
    ("reception", "path"),
    [(each, each) for each in STREAMS],
    ids=[each.stem for each in STREAMS],
    indirect=["reception"],
)
def test_an_agent_takes_all_of_a_recorded_stream(reception: Reception, path: Path) -> None:
    attempt = reception._attempt
    messages = [json.loads(line) for line in path.read_text().splitlines()]
    last = messages[-1]
    if path.stem == TWO_STREAMS_IN_ONE:
        assert (reception.refused, reception.reason) == (1, "finished twice")
        return
    assert reception.refused == 0, reception.reason
    assert (attempt.said is None) == (path.stem in BROKEN)
    if attempt.said is not None:
        kept = {key: last[key] for key in _FIELDS if last.get(key) is not None}
        assert attempt.said.to_json() == kept
    assert reception.words + reception.beats == len(messages)
    for name in ("stdout", "stderr", "whiteboard"):
        file = Path(attempt.order.log_dir) / name
        assert (file.read_bytes() if file.exists() else b"") == said(path, name)


_FIELDS = ("result", "fail_reason", "returncode", "class_name", "fail_class", "traceback")

CALLS = [
    words
    for file in sorted(WIRE.glob("*.argv.jsonl"))
    for words in map(json.loads, filter(None, file.read_text().splitlines()))
    if words[1] == "task-run"
]


def test_the_recorded_command_lines_are_there() -> None:
    assert len(CALLS) > 5


@pytest.mark.parametrize("words", CALLS, ids=lambda words: words[3])
def test_a_runner_is_called_by_an_agent_as_it_is_by_avocado(words: list[str]) -> None:
    call = read_call(words[2:], None, task=True)
    [socket] = call.status_uris
    ours = task_run_words(
        call.runnable, str(call.task_id), str(call.job_id), str(call.output_dir), socket
    )
    assert [_decoded(word) for word in ours] == [_decoded(word) for word in words[1:]]


def _decoded(word: str) -> object:
    """Return what a word means: there is more than one way to write it."""
    key, equals, value = word.partition("=json:")
    try:
        if word.startswith("base64:"):
            return base64.b64decode(word.removeprefix("base64:"), validate=True).decode()
        if word.startswith("{") or equals:
            found = json.loads(value if equals else word)
            return key if equals else "", _settings(found) if not equals else found
    except ValueError:
        return (key, f"json:{value}") if equals else word
    return word


def _settings(config: dict[str, object]) -> dict[str, object]:
    """Leave out those that are null, which Avocado gives where nobody has set one."""
    return {key: value for key, value in config.items() if value is not None}
