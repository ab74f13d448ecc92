from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nrunner.errors import MessageError
from nrunner.messages import (
    FileData,
    Finished,
    Heartbeat,
    Ignored,
    Log,
    Message,
    Output,
    Started,
    Whiteboard,
    dump,
    parse,
)
from nrunner.result import Result
from nrunner.runners.line import Budget, Lines
from nrunner.status.decoder import decode
from nrunner.status.intake import Accepted, Intake

text = st.text(st.characters(codec="utf-8"), max_size=20)
maybe = st.none() | text
common: dict[str, Any] = {
    "task_id": text,
    "time": st.floats(allow_nan=False, allow_infinity=False),
    "job_id": maybe,
}
body: dict[str, Any] = {"data": st.binary(max_size=50), "encoding": maybe}
number = st.none() | st.integers(-(2**63), 2**63 - 1)
messages: st.SearchStrategy[Message] = st.one_of(
    st.builds(Started, **common, output_dir=maybe),
    st.builds(Heartbeat, **common),
    st.builds(Log, **common, **body, log_name=maybe, log_level=number, log_levelname=maybe),
    st.builds(
        Output,
        **common,
        **body,
        stream=st.sampled_from(["stdout", "stderr"]),
        log_only=st.booleans(),
    ),
    st.builds(Whiteboard, **common, **body),
    st.builds(FileData, **common, **body, path=text),
    st.builds(Ignored, **common, type=st.sampled_from(["", "new", "Stdout"])),
    st.builds(
        Finished,
        **common,
        result=st.none() | st.sampled_from(Result),
        fail_reason=maybe,
        returncode=number,
        class_name=maybe,
        fail_class=maybe,
        traceback=maybe,
    ),
)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**400),
    st.floats(),
    st.text(max_size=10),
    st.sampled_from(["started", "running", "finished", "log", "stdout", "file", "pass", "aGk="]),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["__base64_encoded__", "x"]), inner, max_size=2)
    ),
    max_leaves=5,
)
keys = st.sampled_from(
    [
        "status",
        "time",
        "id",
        "job_id",
        "type",
        "log",
        "encoding",
        "log_only",
        "log_level",
        "result",
        "log_name",
        "log_levelname",
        "output_dir",
        "path",
        "fail_reason",
        "returncode",
        "other",
    ]
)
nearly = st.fixed_dictionaries(
    {
        "status": st.sampled_from(["started", "running", "finished"]) | values,
        "time": st.floats() | st.integers() | values,
        "id": st.text(max_size=5) | st.integers() | values,
    },
    optional={
        "type": st.sampled_from(["log", "stdout", "stderr", "whiteboard", "file"]) | values,
        "log": st.fixed_dictionaries({"__base64_encoded__": st.text("aA0+/=", max_size=8)})
        | values,
    },
)
objects = st.tuples(nearly, st.dictionaries(keys, values, max_size=4)).map(
    lambda pair: {**pair[1], **pair[0]}
)
lines = st.one_of(
    objects.map(lambda data: json.dumps(data).encode()),
    objects.map(lambda data: json.dumps(data, ensure_ascii=False).encode("utf-8", "surrogatepass")),
    st.tuples(objects, objects).map(
        lambda pair: (json.dumps(pair[0])[:-1] + ", " + json.dumps(pair[1])[1:]).encode()
    ),
    st.binary(max_size=60),
)


def outcome(read: Any, line: bytes) -> Message | None:
    try:
        message: Message = read(line)
    except MessageError:
        return None
    return message


@given(messages)
def test_what_is_dumped_is_parsed_back(message: Message) -> None:
    assert parse(dump(message)) == message


@given(messages)
def test_the_fast_decoder_reads_every_message_as_the_plain_one_does(message: Message) -> None:
    line = dump(message)

    assert decode(line) == parse(line)


@given(lines)
def test_the_fast_decoder_refuses_and_accepts_what_the_plain_one_does(line: bytes) -> None:
    plain, fast = outcome(parse, line), outcome(decode, line)

    assert fast == plain
    assert type(fast) is type(plain)


@given(lines, st.data())
def test_a_line_with_a_byte_changed_is_never_read_differently(line: bytes, data: Any) -> None:
    changed = bytearray(line)
    for _ in range(data.draw(st.integers(1, 3))):
        if changed:
            place = data.draw(st.integers(0, len(changed) - 1))
            changed[place : place + data.draw(st.integers(0, 2))] = data.draw(
                st.sampled_from([b"", b"\x00", b'"', b"\\", b"{", b"}", b"0", b"e", b"-", b"\xff"])
            )

    assert outcome(decode, bytes(changed)) == outcome(parse, bytes(changed))


@given(st.lists(st.binary(max_size=30)), st.data())
def test_lines_do_not_depend_on_how_the_stream_was_cut(parts: list[bytes], data: Any) -> None:
    stream = b"\n".join(parts)
    cutter = Lines(Budget(0), lambda line: None)
    found = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += cutter.feed(stream[:size])
        stream = stream[size:]
    found += cutter.finish()

    whole = b"\n".join(parts).split(b"\n")
    assert found == (whole if whole[-1] else whole[:-1])


@given(st.lists(messages | st.just(b"garbage"), max_size=30))
def test_every_line_is_accepted_or_refused_and_each_task_finishes_once(stream: list[Any]) -> None:
    intake = Intake(lambda task_id: len(task_id) % 3, None)

    accepted: list[Accepted] = intake.take(
        [line if isinstance(line, bytes) else dump(line)[:-1] for line in stream]
    )

    statistics = intake.statistics()
    assert statistics.accepted == len(accepted)
    assert len(accepted) + sum(statistics.refused.values()) == len(stream)
    for task in range(3):
        mine = [entry.message for entry in accepted if entry.number == task]
        assert sum(isinstance(message, Finished) for message in mine) <= 1
        assert not any(isinstance(message, Finished) for message in mine[:-1])
