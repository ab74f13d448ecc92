"""Messages that no runner should send, to the sockets of a real job: they change nothing."""

from __future__ import annotations

import base64
import json
import os
import re
import resource
import select
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from nrunner.status.token import token_line
from tests.faults.attack import IDS, Held, Peer, crowd, held
from tests.functional.sandbox import Sandbox, wait_until


def line(**fields: Any) -> bytes:
    """Return a status message about the first task; None takes a field away."""
    message = {"id": IDS[0], "status": "running", "time": 1.5, **fields}
    kept = {key: value for key, value in message.items() if value is not None}
    return json.dumps(kept).encode() + b"\n"


def data(content: bytes) -> dict[str, str]:
    return {"__base64_encoded__": base64.b64encode(content).decode()}


GET = b"GET /api/v1/job HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /api/v1/tasks/9/cancel HTTP/1.1\r\nHost: x\r\n"
MALFORMED = (
    b"{\n",
    b"nonsense\n",
    b"\xff\xfe\x00\x01\n",
    os.urandom(2000).replace(b"\n", b"") + b"\n",
    b"[]\n",
    b'"text"\n',
    b"17\n",
    b"{}\n",
    b"[" * 100_000 + b"\n",
    b'{"a":' * 100_000 + b"\n",
    b'{"id": ' + b"[" * 100_000 + b"]" * 100_000 + b', "status": "running", "time": 1}\n',
    line(status="splendid"),
    line(status=None),
    line(status=["running"]),
    line(status=True),
    line(time=None),
    line(time="1.5"),
    line(time=float("nan")),
    line(time=float("inf")),
    line(time=True),
    line(time=10**400),
    b'{"id": "1-./waits.sh", "status": "running", "time": ' + b"9" * 100_000 + b"}\n",
    b'{"id": "1-./waits.sh", "status": "running", "time": 1e999}\n',
    line(id=None),
    line(id=1.5),
    line(id=True),
    line(id=[IDS[0]]),
    line(id={"id": IDS[0]}),
    b'{"status": "finished", "id": ' + b"7" * 100_000 + b', "time": 1, "result": "pass"}\n',
    line(type="stdout"),
    line(type="stdout", log="aGk="),
    line(type="stdout", log=data(b"x")["__base64_encoded__"]),
    line(type="stdout", log={"__base64_encoded__": "!!"}),
    line(type="log", log={"__base64_encoded__": 5}),
    line(type="log", log=data(b"x"), log_level=2**70),
    line(status="finished"),
    line(status="finished", result="splendid"),
    line(status="finished", result=None),
    line(status="finished", result="pass", returncode=1.5),
    line(status="finished", result="pass", returncode=2**64),
    # The last of two fields of one name counts, for every reader alike.
    b'{"id": "1-./waits.sh", "time": 1, "status": "running", "status": "splendid"}\n',
    b'{"id": "1-./waits.sh", "time": 1, "status": "running", "id": 1.5}\n',
)
UNKNOWN = (
    line(id="5-no-such-task", status="finished", result="pass"),
    line(id=1, status="finished", result="pass"),
    line(id=-1),
    line(id=10**30),
    line(id=""),
    line(id="1-./WAITS.sh"),
    line(id="\ud800"),
    line(id="x" * 500_000),
)
FOREIGN = (
    line(job_id="another", status="finished", result="fail"),
    line(job_id="", status="finished", result="fail"),
)
REPEATED = (
    line(status="started"),
    line(status="started"),
    line(status="finished", result="fail", fail_reason="forged"),
    line(status="finished", result="pass"),
    line(status="finished", result="error"),
)
"""A forged story of the first task: two of these are the second word of their sort."""
LATE = (line(), line(type="stdout", log=data(b"late\n")), line(status="started"))


@pytest.mark.parametrize("way", ["unix", "tcp"])
def test_no_message_to_the_collector_changes_a_verdict_and_each_is_counted(
    sandbox: Sandbox, way: str
) -> None:
    with held(sandbox, *(["--status-tcp", "127.0.0.1:0"] if way == "tcp" else [])) as job:
        address, first = (job.collector, b"") if way == "unix" else tcp(job)
        all_of_it = (*MALFORMED, *UNKNOWN, *FOREIGN, *REPEATED, *LATE)
        with Peer(address) as peer:
            peer.send(first, *all_of_it).finish()
        # Each by itself, too, cut in the middle: the first tells nothing after its end.
        for each in (*MALFORMED[:4], line(status="finished", result="pass")):
            with Peer(address) as peer:
                peer.send(first, each[: len(each) // 2]).finish()
        assert job.end().out.count("NOTICE") == (way == "tcp")
    messages = job.messages()
    assert messages["refused"] == {
        "malformed": len(MALFORMED) + 5,
        "unknown task": len(UNKNOWN),
        "wrong job": len(FOREIGN),
        "repeated": 3,
        "late": len(LATE),
    }
    assert messages["accepted"] == len(REPEATED) - 3
    assert all(len(text) < 1000 for texts in messages["samples"].values() for text in texts)
    assert "late" not in (sandbox.job / "test-results").rglob("stdout")


def tcp(job: Held) -> tuple[tuple[str, int], bytes]:
    address, token = job.address()
    return address, token_line(token)


def test_who_does_not_show_the_token_is_turned_away_and_starves_nobody(sandbox: Sandbox) -> None:
    with held(sandbox, "--status-tcp", "127.0.0.1:0") as job:
        address, first = tcp(job)
        story = line(status="finished", result="fail")
        wrong = (
            token_line("wrong"),
            token_line(""),
            b'{"token": null}\n',
            b'{"token": 5}\n',
            b'{"token": "\\ud800"}\n',
            b"[" * 4000 + b"\n",
            b"x" * 8192,
            story,
            b"\n" + first,
            first[:-3] + b'x"}\n',
            b"GET / HTTP/1.1\r\n\r\n",
        )
        for each in wrong:
            assert Peer(address).ask(each + b"\n", story) == []
        # Some who never say anything, and more of them than may wait.
        with crowd([address] * 200) as silent, Peer(address) as good:
            good.send(first, line(status="started"))
            job.wait_message()
            # Sooner than the ten seconds in which each would have to show a token.
            wait_until(lambda: hung_up(silent) >= 200 - 64, "makes room", 6)
            job.end()
    messages = job.messages()
    assert messages["accepted"] == 1
    assert messages["refused"] == {}
    assert messages["turned_away"] >= len(wrong) + 200 - 64


def hung_up(peers: Sequence[Peer]) -> int:
    """Return how many peers the other end has hung up on."""
    poll = select.poll()
    for peer in peers:
        poll.register(peer.socket, select.POLLRDHUP)
    return len(poll.poll(0))


def test_a_thousand_connections_that_say_nothing_or_little_keep_nobody_waiting(
    sandbox: Sandbox,
) -> None:
    """On all four sorts of socket: 250 each, of which some trickle, some stop in mid-sentence."""
    with held(sandbox) as job:
        addresses = [job.collector, job.control, job.agent, job.speakers[0]] * 250
        beginnings = (b"", b"{", line()[:-5], b'{"type": "hello', b"GET /api/v1/j")
        with crowd(addresses) as peers, Peer(job.collector) as good:
            for number, peer in enumerate(peers):
                peer.send(beginnings[number % len(beginnings)])
            for _ in range(5):
                for peer in peers[::5]:
                    peer.send(b" ")
            good.send(line(status="started"))
            job.wait_message()
            job.end()
    messages = job.messages()
    assert messages["connections"] == 251
    assert messages["accepted"] == 1
    assert set(messages["refused"]) <= {"malformed"}


def descriptors(pid: int) -> int:
    """Return how many files a process has open, once it has let in who waits."""
    folder = Path(f"/proc/{pid}/fd")
    count = -1
    for _ in range(100):
        before, count = count, len([*folder.iterdir()])
        if count == before:
            return count
        time.sleep(0.05)
    return count


def test_who_takes_all_descriptors_leaves_enough_to_the_job(sandbox: Sandbox) -> None:
    """A thousand connections to processes that may have 128 descriptors each."""

    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))

    with held(sandbox, preexec_fn=few) as job:
        with Peer(job.control) as first:  # the control API is loaded when it is first used
            assert first.send(GET + b"\r\n").socket.recv(5) == b"HTTP/"
        addresses = [job.collector, job.control, job.agent, *job.speakers] * 200
        with Peer(job.collector) as good:
            good.send(line(status="started"))
            job.wait_message()
        with crowd(addresses):
            counts = [descriptors(pid) for pid in (job.run.pid, *sandbox.agents())]
            assert max(counts) < 100, counts
            job.end()
    job.results()


REQUESTS = (
    b"GET\r\n\r\n",
    b"\0\xff" * 1000 + b"\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    (GET + b"\r\n") * 50,
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
    GET + b"X: y\r\n" * 50_000 + b"\r\n",
    GET + b"X: " + b"y" * 500_000 + b"\r\n\r\n",
    GET + b"Host: y\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    GET.replace(b"job", b"tasks?start=-1&limit=9e9&phase=\xff") + b"\r\n",
    GET.replace(b"job", b"tasks/99999999999999999999999") + b"\r\n",
    GET.replace(b"job", b"events?after=99999999999999999999") + b"\r\n",
    GET.replace(b"job", b"tasks/1/log/..%2f..%2fetc%2fpasswd") + b"\r\n",
    GET.replace(b"job", b"tasks/1/log/stdout") + b"Range: bytes=9999999999999999999-\r\n\r\n",
    POST + b"Content-Length: 99999999999\r\n\r\nxx",
    POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    POST + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
    POST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 50,
)


def test_requests_that_are_none_are_answered_and_nobody_else_hears_of_them(
    sandbox: Sandbox,
) -> None:
    with held(sandbox) as job, crowd([job.control] * len(REQUESTS)) as peers:
        for peer, request in zip(peers, REQUESTS, strict=True):
            peer.send(request)
        for peer in peers:
            assert peer.socket.recv(5) == b"HTTP/"
        job.end()
    job.results()


SILENT = ({"kind": "exec-test", "uri": "/bin/sleep", "args": ["60"]}, "INTERRUPT", "timeout")
SILENCE = 0.7


def flood(address: Path, piece: bytes, seconds: float, sent: list[int]) -> None:
    """Send a piece again and again, as fast as it is taken."""
    count = 0
    until = time.monotonic() + seconds
    with Peer(address) as peer:
        while time.monotonic() < until:
            peer.send(piece)
            count += piece.count(b"\n")
        peer.finish()
    sent.append(count)


def floods(streams: Sequence[tuple[Path, bytes]], seconds: float) -> int:
    """Flood several addresses at once; return how many lines were sent."""
    sent: list[int] = []
    threads = [threading.Thread(target=flood, args=(*each, seconds, sent)) for each in streams]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sent) == len(threads)
    return sum(sent)


@pytest.mark.parametrize("whose", ["collector", "agent"])
def test_a_hundred_thousand_messages_a_second_are_counted_and_delay_nothing(
    sandbox: Sandbox, whose: str
) -> None:
    """A test that is past a limit meanwhile is ended in time by the agent, and told in time."""
    sandbox.env["NRUNNER_RUN_GRACE"] = "0.1"
    sandbox.env["NRUNNER_RUN_TASK_SILENCE"] = str(SILENCE)
    with held(sandbox, beside=[SILENT]) as job:
        address = job.collector if whose == "collector" else job.speakers[0]
        pieces = (line() * 300, line(id="9-nobody") * 300, b"{]\n" * 1000)
        sent = floods([(address, piece) for piece in pieces], 1.2)
        # Two cores have to make, send and take them.
        assert sent > 30_000
        settled = [each for each in sandbox.records() if each["type"] == "settled"]
        assert [each["task"] for each in settled] == [5]
        job.end()
    (late,) = [each for each in job.results()["tests"] if each["status"] == "INTERRUPT"]
    assert SILENCE <= late["time_elapsed"] < SILENCE + 0.4
    if whose == "collector":
        messages = job.messages()
        assert messages["accepted"] + sum(messages["refused"].values()) == sent
        assert set(messages["refused"]) == {"unknown task", "malformed"}
    else:
        job_log = (sandbox.job / "job.log").read_text()
        (refused,) = re.findall(r"refused (\d+) status messages of 3-pass", job_log)
        assert sent / 2 < int(refused) <= sent


LARGE = 40 << 20


def content(size: int) -> Iterator[bytes]:
    """Yield so many bytes of data in base64, in pieces."""
    piece = b"YWFh" * (1 << 16)
    for _ in range(size * 4 // 3 // len(piece)):
        yield piece


HEAD, TAIL = line(type="stdout", log=data(b"")).split(b'""')
LINES: dict[str, tuple[bytes, bytes, bytes, str]] = {
    "text": (b'{"id": "', b"x", b'"}\n', "too long"),
    "deep": (b"", b"[", b"\n", "too long"),
    "deep objects": (b"", b'{"log":', b"\n", "too long"),
    "wide": (b"[", b"{},", b"0]\n", "too long"),
    "many fields": (b"{", b'"a": 1, ', b'"b": 2}\n', "too long"),
    "digits": (line()[:-2] + b', "n": ', b"1", b"}\n", "too long"),
    "reason": (line(status="finished", fail_reason="")[:-3], b"x", b'"}\n', "too long"),
    "other value": (b'{"x": {"__base64_encoded__": "', b"YWFh", b'"}}\n', "malformed"),
    "no base64": (HEAD + b'"', b"YW==", b'"' + TAIL, "too long"),
    "no newline": (b"", b"x", b"", "too long"),
    "no end": (HEAD + b'"', b"YWFh", b"", "malformed"),
}
"""Begin, repeat up to a size, end: and what such a line is refused for."""


@pytest.mark.parametrize("whose", ["collector", "agent"])
def test_lines_without_end_cost_neither_memory_nor_time(sandbox: Sandbox, whose: str) -> None:
    """Each is 40 MB; read as a whole, some of them would make a gigabyte of objects."""
    with held(sandbox) as job:
        address = job.collector if whose == "collector" else job.speakers[0]
        for begin, piece, end, _ in LINES.values():
            with Peer(address) as peer:
                peer.send(begin)
                many = piece * (LARGE // len(piece) // 40)
                for _ in range(40):
                    peer.send(many)
                peer.send(end).finish()
        job.end(more=LARGE)
    refused = Counter(reason for *_, reason in LINES.values())
    if whose == "collector":
        messages = job.messages()
        assert messages["accepted"] == 0
        assert messages["refused"] == refused
    else:
        job_log = (sandbox.job / "job.log").read_text()
        assert f"refused {len(LINES)} status messages of 3-pass" in job_log
    job.results()


@pytest.mark.parametrize("whose", ["collector", "agent"])
def test_a_message_of_forty_megabytes_is_kept_as_it_is(sandbox: Sandbox, whose: str) -> None:
    with held(sandbox) as job:
        task, address = (IDS[2], job.speakers[0]) if whose == "agent" else (IDS[0], job.collector)
        head, tail = line(id=task, type="stderr", log=data(b"")).split(b'""')
        with Peer(address) as peer:
            peer.send(head + b'"', *content(30 << 20), b'"' + tail)
        job.end(more=45 << 20)
    job.results()
    kept = next((sandbox.job / "test-results").rglob("stderr"))
    assert kept.read_bytes() == b"a" * (30 << 20)
