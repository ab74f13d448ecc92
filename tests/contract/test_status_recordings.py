"""What Avocado's runners were seen to send, through our parser, decoder and gate."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nrunner.messages import Finished, dump, parse
from nrunner.result import Result
from nrunner.runners.line import Budget, Lines
from nrunner.status.decoder import decode
from nrunner.status.intake import Intake, Refusal

RECORDINGS = sorted((Path(__file__).parents[1] / "fixtures" / "wire").glob("*.ndjson"))
TWO_STREAMS_IN_ONE = "exec-two-interleaved-uris"


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


def test_the_recordings_are_there() -> None:
    assert len(RECORDINGS) >= 31


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_a_recorded_stream_is_let_in_whole_and_ends_its_task_once(path: Path) -> None:
    lines = lines_of(path)
    ids = {str(json.loads(line)["id"]) for line in lines}
    intake = Intake({name: number for number, name in enumerate(ids)}.get)
    cutter = Lines(Budget(0), lambda line: None)

    accepted = intake.take(cutter.feed(path.read_bytes().rstrip(b"\n")) + cutter.finish())

    finished = [entry for entry in accepted if isinstance(entry.message, Finished)]
    refused = intake.statistics().refused
    assert refused[Refusal.MALFORMED] == refused[Refusal.UNKNOWN_TASK] == 0
    if path.stem == TWO_STREAMS_IN_ONE:
        assert len(finished) == 1
        assert refused[Refusal.REPEATED] == 2
        assert refused[Refusal.LATE] + refused[Refusal.REPEATED] == len(lines) - len(accepted)
    else:
        assert len(accepted) == len(lines)
        assert len(finished) <= 1


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_nothing_that_was_recorded_is_lost_by_reading_and_writing(path: Path) -> None:
    for line in lines_of(path):
        message = parse(line)
        kept, given = json.loads(dump(message)), json.loads(line)

        assert decode(line) == message
        assert kept == {key: value for key, value in given.items() if value is not None}


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("exec-true", Result.PASS),
        ("exec-false", Result.FAIL),
        ("tap-skip", Result.SKIP),
        ("python-unittest-error", Result.ERROR),
        ("noop", Result.PASS),
    ],
)
def test_a_recording_ends_with_the_result_it_was_made_for(name: str, result: Result) -> None:
    [path] = [each for each in RECORDINGS if each.stem == name]
    last = parse(lines_of(path)[-1])

    assert isinstance(last, Finished)
    assert last.result is result
