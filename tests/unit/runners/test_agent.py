"""How the agent tells what becomes of attempts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nrunner.runners.agent import _encode_event
from nrunner.runners.wire import MAX_HEAD

ENDED = {"type": "event", "seq": 7, "task": 3, "attempt": 1, "event": "ended", "result": "pass"}


def told(**fields: Any) -> dict[str, Any]:
    frame = _encode_event({**ENDED, **fields})
    assert len(frame) <= MAX_HEAD + 1
    found: dict[str, Any] = json.loads(frame)
    assert ENDED.items() <= found.items()
    return found


@pytest.mark.parametrize("name", ["fail_reason", "traceback", "whiteboard", "reason", "text"])
@pytest.mark.parametrize("letter", ["x", "\N{GRINNING FACE}"])
def test_of_a_text_that_does_not_fit_its_beginning_is_told(name, letter):
    text = told(**{name: letter * (2 << 20)})[name]
    assert text == letter * len(text)
    assert len(text) >= 1000


def test_of_names_that_do_not_fit_the_first_are_told():
    names = tuple(f"{number:05}" + "\udcff" * 250 for number in range(50_000))
    outputs = told(outputs=names, fail_reason="because", files=[["stdout", 0o600, "b3V0"]])
    assert outputs["fail_reason"] == "because"
    assert outputs["files"] == [["stdout", 0o600, "b3V0"]]
    assert outputs["outputs"] == list(names[: len(outputs["outputs"])])
    assert len(outputs["outputs"]) >= 100
