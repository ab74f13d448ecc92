"""The status server over real sockets: both faces, good peers and bad ones."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import json
import os
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import jsonschema
import pytest

from nrunner.errors import NrunnerError, UsageError
from nrunner.messages import Finished, Heartbeat, Message, Output, Started, dump
from nrunner.phase import Phase
from nrunner.result import Cause, Result
from nrunner.results.base import AttemptReport, JobReport, TaskReport
from nrunner.status import collector as collector_module
from nrunner.status import listener as listener_module
from nrunner.status.app import make_app
from nrunner.status.collector import Collector
from nrunner.status.history import History
from nrunner.status.intake import Accepted, Intake, Refusal, Sink
from nrunner.status.listener import TcpOptions, listen_tcp, listen_unix
from nrunner.status.openapi import describe
from nrunner.status.server import StatusServer
from nrunner.status.stream import EventStreams
from nrunner.status.token import make_token, token_line
from nrunner.status.view import ApiEvent, TaskView

JOB = "f59bd40"
TASKS = 60
KNOWN = {f"{number:02d}-x": number for number in range(1, TASKS + 1)}
WIRE = Path(__file__).parents[1] / "fixtures" / "wire"


class FakeView:
    """A job of 60 tasks: the first 20 have their verdict, the 21st runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.history = History()
        self.cancelled: list[int] = []
        self.job_cancelled = 0
        self.job_killed = 0
        self.broken = False

    def job(self) -> JobReport:
        if self.broken:
            raise RuntimeError("a bug")
        tally = {Result.PASS: 15, Result.FAIL: 5}
        return JobReport(JOB, self.folder, ("nrunner", "run"), TASKS, 1e9, 2.5, tally)

    def is_over(self) -> bool:
        return False

    def task(self, number: int) -> TaskView | None:
        if not 1 <= number <= TASKS:
            return None
        phase = Phase.FINISHED if number <= 20 else Phase.READY
        report = a_report(number) if number <= 20 else None
        name = f"{number:02d}-x"
        return TaskView(number, name, "noop", None, "x", "", phase, 1, "local", None, report)

    def tasks(self, start: int, limit: int) -> Sequence[TaskView]:
        numbers = range(start, min(start + limit, TASKS + 1))
        return [task for number in numbers if (task := self.task(number))]

    def log_path(self, number: int, stream: str) -> Path | None:
        path = self.folder / "test-results" / str(number) / stream
        return path if os.path.lexists(path) else None

    def cancel_task(self, number: int) -> bool:
        self.cancelled.append(number)
        return number > 20

    def cancel_job(self, *, kill: bool = False) -> None:
        self.job_cancelled += 1
        self.job_killed += kill

    def newest(self) -> int:
        return self.history.newest

    def events_after(self, event_id: int, limit: int) -> Sequence[ApiEvent] | None:
        return self.history.after(event_id, limit)

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        return self.history.subscribe(wake)


def a_report(number: int) -> TaskReport:
    result = Result.FAIL if number % 4 == 0 else Result.PASS
    attempt = AttemptReport(1, "local", result, Cause.TEST, "", 1e9, 1e9 + 1, 1.0, 0)
    return TaskReport(
        number,
        f"{number:02d}-x",
        "x",
        "",
        "noop",
        None,
        None,
        {},
        result,
        Cause.TEST,
        "",
        (attempt,),
        ((Phase.REQUESTED, 0.0), (Phase.FINISHED, 1.0)),
        1e9,
        1e9 + 1,
        1.0,
        outputs={"stdout": "test-results/1/stdout"},
    )


class Running:
    """A server with its fake job, and what its sink was given."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.view = FakeView(folder)
        self.accepted: list[Accepted] = []
        self.sockets = folder / "s"
        self.server = StatusServer(
            self.sockets, self.view, KNOWN.get, self.accepted.extend, job_id=JOB, **options
        )

    def refused(self) -> dict[Refusal, int]:
        refused = self.server.statistics().intake.refused
        return {reason: count for reason, count in refused.items() if count}

    @property
    def turned_away(self) -> int:
        return self.server.statistics().collector.turned_away


@contextlib.asynccontextmanager
async def running(folder: Path, **options: Any) -> AsyncIterator[Running]:
    it = Running(folder, **options)
    async with asyncio.TaskGroup() as group:
        await it.server.open(group)
        try:
            yield it
        finally:
            await it.server.close(grace=0.05)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event to a test
            await asyncio.sleep(0.002)


async def send(address: str, *parts: bytes) -> None:
    host, _, port = address.rpartition(":")
    if port.isdigit():
        _, writer = await asyncio.open_connection(host, int(port))
    else:
        _, writer = await asyncio.open_unix_connection(address)
    with contextlib.suppress(ConnectionError):
        for part in parts:
            writer.write(part)
            await writer.drain()
        writer.close()
        await writer.wait_closed()


def story(task_id: str, between: int = 1) -> list[Message]:
    return [
        Started(task_id, 1.0, JOB, "/o"),
        *(Heartbeat(task_id, 1.0 + number, JOB) for number in range(between)),
        Finished(task_id, 99.0, JOB, Result.PASS),
    ]


def wire(messages: Sequence[Message]) -> bytes:
    return b"".join(map(dump, messages))


@pytest.fixture
def wide_folder() -> Iterator[Path]:
    """A folder that other users may enter."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o711)
        yield folder


# The collector.


def test_sockets_are_for_their_owner_alone_and_vanish_at_the_end(tmp_path: Path) -> None:
    async def main() -> None:
        (tmp_path / "s").mkdir(mode=0o755)
        old = os.umask(0)
        try:
            async with running(tmp_path) as it:
                modes = {
                    path.name: stat.filemode(path.stat().st_mode) for path in it.sockets.iterdir()
                }
                assert modes == {"status.sock": "srw-------", "control.sock": "srw-------"}
                assert stat.S_IMODE(it.sockets.stat().st_mode) == 0o700
        finally:
            os.umask(old)
        assert list(it.sockets.iterdir()) == []

    asyncio.run(main())


def test_messages_reach_the_sink_in_the_order_of_their_stream(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as it:
            messages = story("01-x", between=3_000)
            await send(it.server.uris[0], wire(messages))
            await until(lambda: len(it.accepted) == len(messages))

            assert it.accepted == [Accepted(1, message) for message in messages]
            assert it.refused() == {}

    asyncio.run(main())


def test_fifty_connections_at_once_lose_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as it, asyncio.TaskGroup() as group:
            for name in list(KNOWN)[:50]:
                parts = [dump(message) for message in story(name, between=38)]
                cut = [byte for part in parts for byte in (part[:7], part[7:])]
                group.create_task(send(it.server.uris[0], *cut))
            await until(lambda: len(it.accepted) == 50 * 40)

            for number in range(1, 51):
                mine = [entry.message for entry in it.accepted if entry.number == number]
                assert mine == story(f"{number:02d}-x", between=38)
            assert it.refused() == {}

    asyncio.run(main())


def test_a_line_of_five_megabytes_is_taken_whole(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as it:
            data = os.urandom(1 << 20) * 5
            await send(it.server.uris[0], dump(Output("01-x", 1.0, JOB, "stdout", data)))
            await until(lambda: it.accepted)

            assert it.accepted[0].message == Output("01-x", 1.0, JOB, "stdout", data)
            assert it.server.statistics().collector.held == 0

    asyncio.run(main())


def test_a_line_beyond_the_budget_costs_that_line_alone(tmp_path: Path) -> None:
    async def main() -> None:
        accepted: list[Accepted] = []
        intake = Intake(KNOWN.get, JOB)
        collector = Collector(intake, accepted.extend, budget=100_000)
        collector.listen(listen_unix(tmp_path / "s"))
        huge = dump(Output("01-x", 1.0, JOB, "stdout", b"x" * 1_000_000))
        await send(str(tmp_path / "s"), wire(story("01-x")[:2]), huge, wire(story("01-x")[2:]))
        await until(lambda: len(accepted) == 3)
        await collector.close()

        assert [entry.message for entry in accepted] == story("01-x")
        assert intake.statistics().refused[Refusal.TOO_LONG] == 1
        assert collector.statistics().held == 0

    asyncio.run(main())


def test_the_last_line_counts_even_without_its_newline(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as it:
            await send(it.server.uris[0], wire(story("01-x"))[:-1])
            await send(it.server.uris[0], wire(story("02-x"))[:-9])
            await until(lambda: len(it.accepted) == 5 and it.refused())

            assert [entry.number for entry in it.accepted] == [1, 1, 1, 2, 2]
            assert it.refused() == {Refusal.MALFORMED: 1}

    asyncio.run(main())


def test_unknown_late_repeated_and_foreign_messages_change_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as it:
            bad = [
                Started("99-nobody", 1.0, JOB),
                Finished("02-x", 1.0, "another-job", Result.FAIL),
                Started("01-x", 1.0, JOB),
                Finished("01-x", 1.0, JOB, Result.FAIL),
                Heartbeat("01-x", 1.0, JOB),
            ]
            await send(it.server.uris[0], wire(story("01-x")), b"{nonsense\n", wire(bad))
            await send(it.server.uris[0], wire(story("02-x")))
            await until(lambda: len(it.accepted) == 6)

            expected = story("01-x") + story("02-x")
            assert [entry.message for entry in it.accepted] == expected
            assert it.refused() == {
                Refusal.UNKNOWN_TASK: 1,
                Refusal.WRONG_JOB: 1,
                Refusal.LATE: 2,
                Refusal.REPEATED: 1,
                Refusal.MALFORMED: 1,
            }
            samples = it.server.statistics().intake.samples
            assert "99-nobody" in samples[Refusal.UNKNOWN_TASK][0]

    asyncio.run(main())


@contextlib.asynccontextmanager
async def collecting(folder: Path, sink: Sink | None = None) -> AsyncIterator[Collecting]:
    it = Collecting(folder, sink)
    try:
        yield it
    finally:
        await it.collector.close(grace=0)


class Collecting:
    """A collector whose clock is a millisecond on at each look."""

    def __init__(self, folder: Path, sink: Sink | None = None) -> None:
        self.accepted: list[Accepted] = []
        self.intake = Intake(KNOWN.get, JOB)
        looks = itertools.count()
        self.collector = Collector(
            self.intake, sink or self.accepted.extend, clock=lambda: next(looks) / 1000
        )
        self.path = folder / "c"
        self.collector.listen(listen_unix(self.path))

    def peer(self, data: bytes) -> socket.socket:
        """Return a peer that has sent `data`, or so much of it as is taken without reading."""
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(str(self.path))
        peer.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            for start in range(0, len(data), 4096):
                peer.sendall(data[start : start + 4096])
        return peer

    async def most_at_once(self, count: Callable[[], int], target: int) -> int:
        """Wait for `target`; return by how much the count grew in one turn of the loop."""
        counts = [count()]
        while counts[-1] < target:
            await asyncio.sleep(0)
            counts.append(count())
        return max(after - before for before, after in itertools.pairwise(counts))


def test_a_flood_of_garbage_does_not_hold_up_the_loop(tmp_path: Path) -> None:
    async def main() -> None:
        async with collecting(tmp_path) as it, asyncio.TaskGroup() as group:
            flood = b"{\n" * 200_000

            def refused() -> int:
                return it.intake.statistics().refused[Refusal.MALFORMED]

            group.create_task(send(str(it.path), flood, wire(story("01-x"))))
            assert await it.most_at_once(refused, 200_000) <= 500
            await until(lambda: len(it.accepted) == 3)

    asyncio.run(main())


def test_many_peers_that_talk_at_once_do_not_hold_up_the_loop(tmp_path: Path) -> None:
    async def main() -> None:
        async with collecting(tmp_path) as it:
            peers = [it.peer(wire(story(name, between=400))) for name in KNOWN]
            assert await it.most_at_once(lambda: len(it.accepted), TASKS * 402) <= 500
            for peer in peers:
                peer.close()

        for number, name in enumerate(KNOWN, 1):
            mine = [entry.message for entry in it.accepted if entry.number == number]
            assert mine == story(name, between=400)

    asyncio.run(main())


def test_a_peer_that_never_stops_holds_up_no_other(tmp_path: Path) -> None:
    async def main() -> None:
        async with collecting(tmp_path) as it:
            talk = wire([Heartbeat("01-x", 1.0, JOB)] * 5_000)
            with it.peer(talk) as greedy, it.peer(wire(story("02-x"))):
                while not any(entry.number == 2 for entry in it.accepted):
                    await asyncio.sleep(0)
                    with contextlib.suppress(BlockingIOError):
                        greedy.send(talk)
                assert len(it.accepted) < 5_000

    asyncio.run(main())


def test_a_sink_that_fails_costs_what_it_was_given(tmp_path: Path) -> None:
    async def main() -> None:
        complaints: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, said: complaints.append(said))
        batches: list[Sequence[Accepted]] = []

        def sink(batch: Sequence[Accepted]) -> None:
            batches.append(batch)
            if len(batches) == 1:
                raise OSError("disk full")

        async with collecting(tmp_path, sink) as it:
            await send(str(it.path), b"\n" * 10_000 + wire(story("01-x")) + b"\n" * 10_000)
            await until(lambda: batches)
            await send(str(it.path), wire(story("02-x")))
            await until(lambda: sum(map(len, batches)) == 6)
        assert [str(said["exception"]) for said in complaints] == ["disk full"]

    asyncio.run(main())


def test_peers_that_cannot_be_accepted_now_are_accepted_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector_module, "_RECOVERY", 0.01)
    tries: list[int] = []

    class Exhausted(socket.socket):
        def accept(self) -> Any:
            tries.append(1)
            if len(tries) == 1:
                raise OSError(errno.EMFILE, "Too many open files")
            return super().accept()

    async def main() -> None:
        accepted: list[Accepted] = []
        collector = Collector(Intake(KNOWN.get, JOB), accepted.extend)
        listener = listen_unix(tmp_path / "s")
        collector.listen(Exhausted(fileno=listener.detach()))
        await send(str(tmp_path / "s"), wire(story("01-x")))
        await until(lambda: len(accepted) == 3)
        await collector.close()

    asyncio.run(main())


@pytest.mark.parametrize("tcp", [False, True])
def test_what_a_peer_has_sent_when_it_is_cut_off_is_taken_in(tmp_path: Path, tcp: bool) -> None:
    async def main() -> None:
        accepted: list[Accepted] = []
        collector = Collector(Intake(KNOWN.get, JOB), accepted.extend)
        with listen_tcp(TcpOptions("t"), loopback_only=True) as port:
            listener = port if tcp else listen_unix(tmp_path / "s")
            peer = socket.socket(listener.family)
            peer.connect(listener.getsockname())
            collector.listen(listener)
            peer.sendall(wire(story("01-x", between=1_000)))
            await collector.close(grace=0)

        assert len(accepted) == 1_002
        assert collector.statistics().open == 0
        peer.close()

    asyncio.run(main())


def test_a_tcp_peer_that_goes_on_talking_is_dropped_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector_module, "_LAST_WORDS", 0.05)

    async def main() -> None:
        token = make_token()
        async with running(tmp_path, collector_tcp=TcpOptions(token)) as it:
            host, port = it.server.uris[1].split(":")
            _, writer = await asyncio.open_connection(host, int(port))
            writer.write(token_line(token))

            async def talk() -> None:
                with contextlib.suppress(ConnectionError):
                    while True:
                        writer.write(wire([Heartbeat("01-x", 1.0, JOB)] * 1_000))
                        await writer.drain()

            talking = asyncio.create_task(talk())
            await until(lambda: it.accepted)
        await talking
        writer.close()
        assert it.server.statistics().collector.open == 0

    asyncio.run(main())


def test_what_was_sent_before_the_end_is_taken_in_and_idle_peers_are_cut(tmp_path: Path) -> None:
    async def main() -> None:
        idle = socket.socket(socket.AF_UNIX)
        async with running(tmp_path) as it:
            idle.connect(it.server.uris[0])
            idle.sendall(wire(story("02-x")[:1]))
            with socket.socket(socket.AF_UNIX) as peer:
                peer.connect(it.server.uris[0])
                peer.sendall(wire(story("01-x")))
        idle.settimeout(5)
        assert idle.recv(1) == b""
        idle.close()

        assert {entry.number for entry in it.accepted} == {1, 2}
        assert len(it.accepted) == 4
        assert it.server.statistics().collector.open == 0

    asyncio.run(main())


def test_tcp_peers_must_show_the_token_first(tmp_path: Path) -> None:
    async def main() -> None:
        token = make_token()
        async with running(tmp_path, collector_tcp=TcpOptions(token)) as it:
            _, address = it.server.uris
            assert address.startswith("127.0.0.1:")
            await send(address, wire(story("01-x")))
            await send(address, token_line("wrong"), wire(story("01-x")))
            await send(address, b'{"token": 1}\n')
            await send(address, b"[" * 100_000)
            await send(address, b"\xff" * 100_000)
            await until(lambda: it.turned_away == 5)
            assert it.accepted == []

            await send(address, token_line(token)[:5])
            await send(address, token_line(token) + wire(story("01-x")))
            await send(address, token_line(token)[:5], token_line(token)[5:], wire(story("02-x")))
            await until(lambda: len(it.accepted) == 6)
            assert it.turned_away == 5
            assert it.refused() == {}

    asyncio.run(main())


def test_a_tcp_peer_that_shows_no_token_in_time_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector_module, "_TOKEN_SECONDS", 0.05)

    async def main() -> None:
        async with running(tmp_path, collector_tcp=TcpOptions("t")) as it:
            host, port = it.server.uris[1].split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(b'{"tok')
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
            writer.close()
            assert it.turned_away == 1

    asyncio.run(main())


def test_more_connections_than_allowed_are_turned_away(tmp_path: Path) -> None:
    async def main() -> None:
        accepted: list[Accepted] = []
        collector = Collector(Intake(KNOWN.get, JOB), accepted.extend, most=2)
        collector.listen(listen_unix(tmp_path / "s"))
        peers = [await asyncio.open_unix_connection(tmp_path / "s") for _ in range(3)]
        await until(lambda: collector.statistics().turned_away)
        for _, writer in peers:
            writer.close()
        await until(lambda: collector.statistics().open == 0)
        await send(str(tmp_path / "s"), wire(story("01-x")))
        await until(lambda: len(accepted) == 3)
        await collector.close()

        assert collector.statistics().turned_away == 1

    asyncio.run(main())


def test_every_recorded_stream_passes_over_a_real_socket(tmp_path: Path) -> None:
    async def main() -> None:
        for number, path in enumerate(sorted(WIRE.glob("*.ndjson"))):
            lines = path.read_bytes().splitlines(keepends=True)
            ids = {str(json.loads(line)["id"]): 1 for line in lines}
            accepted: list[Accepted] = []
            intake = Intake(ids.get)
            collector = Collector(intake, accepted.extend)
            collector.listen(listen_unix(tmp_path / str(number)))
            await send(str(tmp_path / str(number)), *lines)
            await collector.close(grace=5)

            assert intake.statistics().refused[Refusal.MALFORMED] == 0
            assert len(accepted) == len(lines) or path.stem == "exec-two-interleaved-uris"

    asyncio.run(main())


def test_peers_of_another_user_are_refused_on_both_sockets(
    wide_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(path: Path) -> socket.socket:
        peer = socket.socket(socket.AF_UNIX)
        peer.settimeout(5)
        if os.geteuid() == 0:
            os.seteuid(65534)
            try:
                peer.connect(str(path))
            finally:
                os.seteuid(0)
        else:  # then let the server belong to another user instead
            peer.connect(str(path))
            monkeypatch.setattr(listener_module.os, "geteuid", lambda: 65534)
        return peer

    async def main() -> None:
        async with running(wide_folder) as it:
            it.sockets.chmod(0o711)
            for path in it.sockets.iterdir():
                path.chmod(0o666)
            with connect(it.sockets / "status.sock") as peer:
                with contextlib.suppress(ConnectionError):
                    peer.sendall(wire(story("01-x")))
                await until(lambda: it.turned_away == 1)
            with connect(it.sockets / "control.sock") as peer:
                peer.sendall(b"POST /api/v1/cancel HTTP/1.0\r\n\r\n")
                answer = await asyncio.to_thread(peer.recv, 4096)
                assert b" 403 " in answer
            assert it.accepted == []
            assert it.view.job_cancelled == 0

    asyncio.run(main())


def test_a_socket_path_that_is_too_long_is_a_clear_error(tmp_path: Path) -> None:
    async def main() -> None:
        with pytest.raises(ExceptionGroup) as caught:
            async with running(tmp_path / ("long" * 30)):
                pass
        assert caught.group_contains(NrunnerError, match=r"status\.sock: the path has \d+ bytes")

    asyncio.run(main())


def test_a_port_that_is_taken_is_a_clear_error_and_leaves_nothing_open(tmp_path: Path) -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(ExceptionGroup) as caught:
                async with running(tmp_path, control_tcp=TcpOptions("t", port=port)):
                    pass
        assert caught.group_contains(NrunnerError, match=f"listen on 127.0.0.1:{port}")
        assert list((tmp_path / "s").iterdir()) == []

    asyncio.run(main())


@pytest.mark.parametrize("options", [TcpOptions(""), TcpOptions("t", host="0.0.0.0")])
def test_the_control_api_is_offered_neither_openly_nor_to_the_network(
    tmp_path: Path, options: TcpOptions
) -> None:
    async def main() -> None:
        with pytest.raises(ExceptionGroup) as caught:
            async with running(tmp_path, control_tcp=options):
                pass
        assert caught.group_contains(UsageError)

    asyncio.run(main())


# The control API.


@contextlib.asynccontextmanager
async def client_of(it: Running) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.UnixConnector(it.server.control_uris[0])
    async with aiohttp.ClientSession("http://job", connector=connector) as client:
        yield client


async def get(client: aiohttp.ClientSession, path: str, **options: Any) -> tuple[int, Any]:
    async with client.get(f"/api/v1/{path}", **options) as response:
        return response.status, await response.json()


def fits(document: Any, name: str) -> bool:
    description = describe()
    schema = {"$ref": f"#/components/schemas/{name}", "components": description["components"]}
    jsonschema.Draft202012Validator(schema).validate(document)
    return True


LAZY = """
import asyncio, sys
from pathlib import Path
from nrunner.status.server import StatusServer
from nrunner.messages import Heartbeat, dump

async def main(folder):
    accepted = []
    async with asyncio.TaskGroup() as group:
        server = StatusServer(folder, object(), {"1": 1}.get, accepted.extend)
        await server.open(group)
        _, writer = await asyncio.open_unix_connection(server.uris[0])
        writer.write(dump(Heartbeat("1", 1.0, None)))
        writer.close()
        while not accepted:
            await asyncio.sleep(0.001)
        print([name for name in ("aiohttp", "msgspec", "ssl") if name in sys.modules])
        reader, writer = await asyncio.open_unix_connection(server.control_uris[0])
        writer.write(b"GET /api/v1/openapi.json HTTP/1.0\\r\\n\\r\\n")
        print((await reader.readline()).decode().strip())
        writer.close()
        print("aiohttp" in sys.modules)
        await server.close()

asyncio.run(main(Path(sys.argv[1])))
"""


def test_a_job_that_nobody_watches_does_not_pay_for_aiohttp(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", LAZY, str(tmp_path / "s")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    assert done.stderr == ""
    heavy, answer, loaded = done.stdout.splitlines()
    assert "aiohttp" not in heavy
    assert "msgspec" not in heavy
    assert answer == "HTTP/1.0 200 OK"
    assert loaded == "True"


def test_a_server_whose_group_is_cancelled_at_once_still_closes(tmp_path: Path) -> None:
    async def main() -> None:
        it = Running(tmp_path)

        async def fail() -> None:
            async with asyncio.TaskGroup() as group:
                await it.server.open(group)
                raise RuntimeError("something else went wrong")

        with pytest.raises(ExceptionGroup):
            await fail()
        async with asyncio.timeout(5):
            await it.server.close()
        assert list(it.sockets.iterdir()) == []

    asyncio.run(main())


def test_the_job_and_its_tasks_can_be_read(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as it, client_of(it) as client:
            status, job = await get(client, "job")
            assert status == 200
            assert fits(job, "Job")
            assert (job["id"], job["total"], job["remaining"]) == (JOB, 60, 40)
            assert job["results"] == {"PASS": 15, "FAIL": 5}

            status, task = await get(client, "tasks/4")
            assert status == 200
            assert fits(task, "Task")
            assert task["verdict"]["result"] == "FAIL"
            status, task = await get(client, "tasks/21")
            assert fits(task, "Task")
            assert task["verdict"] is None

    asyncio.run(main())


def test_pages_of_tasks_add_up_to_all_of_them(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as it, client_of(it) as client:
            numbers, start = [], 1
            while start is not None:
                _, page = await get(client, f"tasks?start={start}&limit=7")
                assert fits(page, "TaskPage")
                assert len(page["tasks"]) <= 7
                numbers += [task["number"] for task in page["tasks"]]
                start = page["next"]
            assert numbers == list(range(1, 61))

    asyncio.run(main())


def test_tasks_can_be_picked_by_phase_and_result(tmp_path: Path) -> None:
    async def numbers(client: aiohttp.ClientSession, query: str) -> list[int]:
        status, page = await get(client, f"tasks?{query}")
        assert status == 200
        return [task["number"] for task in page["tasks"]]

    async def main() -> None:
        async with running(tmp_path) as it, client_of(it) as client:
            assert await numbers(client, "result=fail") == [4, 8, 12, 16, 20]
            assert await numbers(client, "result=FAIL&start=9&limit=2") == [12, 16]
            assert await numbers(client, "phase=ready") == list(range(21, 61))
            assert await numbers(client, "phase=READY,FINISHED") == list(range(1, 61))
            assert await numbers(client, "phase=ready&result=pass") == []

    asyncio.run(main())


@pytest.mark.parametrize(
    ("path", "code", "words"),
    [
        ("tasks/0", 404, "no task '0'"),
        ("tasks/61", 404, "no task '61'"),
        ("tasks/abc", 404, "no task 'abc'"),
        ("tasks/" + "9" * 5000, 404, "no task '999"),
        ("tasks/-1", 404, "no task"),
        ("tasks/1/log/passwd", 404, "only stdout and stderr"),
        ("tasks/1/log/..%2F..%2Fid", 404, "only stdout and stderr"),
        ("tasks/1/log/stdout", 404, "has no stdout yet"),
        ("tasks?limit=0", 400, "from 1 to 1000"),
        ("tasks?limit=x", 400, "from 1 to 1000"),
        ("tasks?phase=startd", 400, "did you mean 'STARTED'?"),
        ("tasks?result=green", 400, "known are PASS, FAIL"),
        ("tasks?lmit=5", 400, "did you mean 'limit'?"),
        ("events?after=x", 400, "expected the number of an event"),
        ("events?from=1", 400, "unknown parameter 'from'"),
        ("nothing", 404, "Not Found"),
    ],
)
def test_a_wrong_request_is_answered_with_what_is_wrong(
    tmp_path: Path, path: str, code: int, words: str
) -> None:
    async def main() -> None:
        async with running(tmp_path) as it, client_of(it) as client:
            status, document = await get(client, path)
            assert status == code
            assert fits(document, "Error")
            assert document["error"]["code"] == code
            assert words in document["error"]["message"]

    asyncio.run(main())


def test_a_wrong_method_says_which_is_right(tmp_path: Path) -> None:
    async def main() -> None:
        async with (
            running(tmp_path) as it,
            client_of(it) as client,
            client.post("/api/v1/job") as response,
        ):
            assert response.status == 405
            assert response.headers["Allow"] == "GET"
            assert fits(await response.json(), "Error")

    asyncio.run(main())


def test_a_bug_behind_the_api_is_an_error_500_and_the_server_lives(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as it, client_of(it) as client:
            it.view.broken = True
            status, document = await get(client, "job")
            assert status == 500
            assert document["error"]["message"] == "internal error; the job goes on"
            it.view.broken = False
            assert (await get(client, "job"))[0] == 200

    asyncio.run(main())


def test_who_leaves_without_the_answer_is_nobodys_trouble(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that complained would do so on the terminal of the job."""

    async def main() -> None:
        async with running(tmp_path) as it, client_of(it) as client:
            assert (await get(client, "job"))[0] == 200
            for target in ("events", "job") * 20:
                with socket.socket(socket.AF_UNIX) as peer:
                    peer.connect(str(it.sockets / "control.sock"))
                    peer.sendall(f"GET /api/v1/{target} HTTP/1.0\r\n\r\n".encode())
            for _ in range(20):
                assert (await get(client, "job"))[0] == 200

    asyncio.run(main())
    assert caplog.text == ""


def test_cancelling_reaches_the_job(tmp_path: Path) -> None:
    async def post(client: aiohttp.ClientSession, path: str) -> tuple[int, Any]:
        async with client.post(f"/api/v1/{path}") as response:
            return response.status, await response.json()

    async def main() -> None:
        async with running(tmp_path) as it, client_of(it) as client:
            assert await post(client, "tasks/21/cancel") == (202, {"cancelled": True})
            status, document = await post(client, "tasks/1/cancel")
            assert status == 409
            assert "has its verdict already" in document["error"]["message"]
            assert (await post(client, "tasks/99/cancel"))[0] == 404
            assert it.view.cancelled == [21, 1]
            assert await post(client, "cancel") == (202, {"cancelled": True})
            assert await post(client, "cancel?kill=false") == (202, {"cancelled": True})
            assert (it.view.job_cancelled, it.view.job_killed) == (2, 0)
            assert await post(client, "cancel?kill=true") == (202, {"cancelled": True})
            assert (it.view.job_cancelled, it.view.job_killed) == (3, 1)
            for wrong in ("cancel?kill=yes", "cancel?kil=true"):
                assert (await post(client, wrong))[0] == 400
            assert it.view.job_cancelled == 3

    asyncio.run(main())


@pytest.mark.parametrize(
    ("header", "status", "data", "part"),
    [
        (None, 200, b"0123456789", None),
        ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
        ("bytes=4-", 206, b"456789", "bytes 4-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=-300", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=8-300", 206, b"89", "bytes 8-9/10"),
        ("bytes=10-", 416, None, "bytes */10"),
        ("bytes=5-4", 416, None, "bytes */10"),
        ("lines=1-2", 200, b"0123456789", None),
        ("bytes=abc", 200, b"0123456789", None),
        ("bytes=-", 200, b"0123456789", None),
        ("bytes=0-0,2-3", 200, b"0123456789", None),
    ],
)
def test_a_log_can_be_read_in_parts(
    tmp_path: Path, header: str | None, status: int, data: bytes | None, part: str | None
) -> None:
    async def main() -> None:
        folder = tmp_path / "test-results" / "1"
        folder.mkdir(parents=True)
        (folder / "stdout").write_bytes(b"0123456789")
        headers = {} if header is None else {"Range": header}
        async with (
            running(tmp_path) as it,
            client_of(it) as client,
            client.get("/api/v1/tasks/1/log/stdout", headers=headers) as response,
        ):
            assert response.status == status
            assert response.headers.get("Content-Range") == part
            if data is not None:
                assert await response.read() == data
                assert response.headers["X-Content-Type-Options"] == "nosniff"

    asyncio.run(main())


def test_an_empty_log_has_no_parts_and_is_had_as_a_whole(tmp_path: Path) -> None:
    async def main() -> None:
        folder = tmp_path / "test-results" / "1"
        folder.mkdir(parents=True)
        (folder / "stdout").touch()
        async with running(tmp_path) as it, client_of(it) as client:
            for header, status, part in (("bytes=0-", 416, "bytes */0"), ("lines=1-", 200, None)):
                path, headers = "/api/v1/tasks/1/log/stdout", {"Range": header}
                async with client.get(path, headers=headers) as response:
                    assert response.status == status
                    assert response.headers.get("Content-Range") == part

    asyncio.run(main())


def test_a_log_is_never_read_from_outside_the_job(tmp_path: Path) -> None:
    job, outside = tmp_path / "job", tmp_path / "outside"
    for folder in (job / "test-results" / "1", job / "test-results" / "2", outside):
        folder.mkdir(parents=True)
    (outside / "stdout").write_bytes(b"secret")
    (job / "test-results" / "1" / "stdout").symlink_to(outside / "stdout")
    (job / "test-results" / "1" / "stderr").mkdir()
    os.mkfifo(job / "test-results" / "2" / "stdout")
    (job / "test-results" / "3").symlink_to(outside)

    async def main() -> None:
        async with running(job) as it, client_of(it) as client:
            for path in ("1/log/stdout", "1/log/stderr", "2/log/stdout", "3/log/stdout"):
                status, document = await get(client, f"tasks/{path}")
                assert status == 404
                assert "no readable" in document["error"]["message"]

    asyncio.run(main())


def test_a_large_log_is_sent_whole(tmp_path: Path) -> None:
    folder = tmp_path / "test-results" / "1"
    folder.mkdir(parents=True)
    data = os.urandom(1_000_000)
    (folder / "stderr").write_bytes(data)

    async def main() -> None:
        async with (
            running(tmp_path) as it,
            client_of(it) as client,
            client.get("/api/v1/tasks/1/log/stderr") as response,
        ):
            assert await response.read() == data

    asyncio.run(main())


async def next_event(response: aiohttp.ClientResponse) -> dict[str, str]:
    """Return the fields of the next event that is not a comment or a setting."""
    fields: dict[str, str] = {}
    async with asyncio.timeout(5):
        while line := (await response.content.readline()).decode():
            name, _, value = line.rstrip("\n").partition(": ")
            if name:
                fields[name] = value
            elif "event" in fields:
                return fields
            else:
                fields = {}
    return {}


def settle(view: FakeView, *numbers: int) -> None:
    for number in numbers:
        view.history.append("task_settled", {"number": number}, terminal=True)


def test_events_arrive_as_they_happen_and_the_stream_ends_with_the_job(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as it, client_of(it) as client:
            settle(it.view, 1)
            async with client.get("/api/v1/events") as response:
                assert response.headers["Content-Type"] == "text/event-stream"
                expected = {"id": "1", "event": "task_settled", "data": '{"number":1}'}
                assert await next_event(response) == expected
                settle(it.view, 2)
                assert (await next_event(response))["id"] == "2"
                assert it.server.statistics().event_readers == 1
                it.view.history.append("job_closed", {}, terminal=True)
                await it.server.close(grace=0)
                assert (await next_event(response))["event"] == "job_closed"
                assert await next_event(response) == {}

    asyncio.run(main())


def test_a_reader_resumes_after_the_last_event_it_saw(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as it, client_of(it) as client:
            settle(it.view, *range(1, 11))
            headers = {"Last-Event-ID": "7"}
            async with client.get("/api/v1/events", headers=headers) as response:
                ids = [(await next_event(response))["id"] for _ in range(3)]
            assert ids == ["8", "9", "10"]
            async with client.get("/api/v1/events?after=9") as response:
                assert (await next_event(response))["id"] == "10"
            await until(lambda: it.server.statistics().event_readers == 0)
            assert it.view.history._wakers == {}

    asyncio.run(main())


def test_a_reader_that_knows_events_of_another_run_is_told_to_read_all_again(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        async with running(tmp_path) as it, client_of(it) as client:
            settle(it.view, 1)
            async with client.get("/api/v1/events?after=5000") as response:
                assert (await next_event(response))["event"] == "reset"
                assert (await next_event(response))["id"] == "1"

    asyncio.run(main())


def test_a_reader_that_stalls_is_dropped_and_can_come_back_for_everything(tmp_path: Path) -> None:
    count = 5_000

    async def main() -> None:
        async with running(tmp_path) as it, client_of(it) as client:
            assert (await get(client, "job"))[0] == 200
            streams = it.server._api.streams
            assert streams is not None
            streams._stalled = 0.2
            stalled = socket.socket(socket.AF_UNIX)
            stalled.connect(it.server.control_uris[0])
            stalled.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: job\r\n\r\n")
            await until(lambda: it.server.statistics().event_readers == 1)
            for number in range(count):
                it.view.history.append("notice", {"text": "x" * 1000, "number": number})
            await until(lambda: it.server.statistics().event_readers_dropped == 1)
            stalled.close()
            streams._stalled = 30.0
            assert it.server.statistics().event_readers == 0

            async with client.get("/api/v1/events?after=10") as response:
                ids = [int((await next_event(response))["id"]) for _ in range(count - 10)]
            assert ids == list(range(11, count + 1))

    asyncio.run(main())


def test_a_quiet_stream_shows_that_it_is_alive(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as it, client_of(it) as client:
            assert (await get(client, "job"))[0] == 200
            streams = it.server._api.streams
            assert streams is not None
            streams._alive = 0.02
            async with client.get("/api/v1/events") as response:
                async with asyncio.timeout(5):
                    while await response.content.readline() != b": alive\n":
                        pass

    asyncio.run(main())


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Basic TOKEN"}, 401),
        ({"Authorization": "Bearer t\udce9"}, 401),
        ({"Authorization": "Bearer TOKEN"}, 200),
        ({"Authorization": "bearer TOKEN", "Origin": "http://localhost:PORT"}, 200),
        ({"Authorization": "Bearer TOKEN", "Host": "localhost:PORT"}, 200),
        ({"Authorization": "Bearer TOKEN", "Host": "evil.example"}, 403),
        ({"Authorization": "Bearer TOKEN", "Host": "127.0.0.1"}, 403),
        ({"Authorization": "Bearer TOKEN", "Origin": "http://evil.example"}, 403),
        ({"Authorization": "Bearer TOKEN", "Origin": "null"}, 403),
    ],
)
def test_on_tcp_the_token_and_the_headers_decide(
    tmp_path: Path, headers: dict[str, str], code: int
) -> None:
    async def main() -> None:
        token = make_token()
        async with running(tmp_path, control_tcp=TcpOptions(token)) as it:
            uri = it.server.control_uris[1]
            port = uri.rpartition(":")[2]
            lines = {"Host": f"127.0.0.1:{port}", **headers}
            request = "GET /api/v1/job HTTP/1.1\r\nConnection: close\r\n" + "".join(
                f"{name}: {value}\r\n" for name, value in lines.items()
            )
            request = request.replace("TOKEN", token).replace("PORT", port) + "\r\n"
            reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
            writer.write(request.encode("utf-8", "surrogateescape"))
            answer = await reader.read()
            writer.close()
            assert answer.startswith(f"HTTP/1.1 {code} ".encode())
            head, _, body = answer.partition(b"\r\n\r\n")
            if code == 200:
                assert json.loads(body)["id"] == JOB
            else:
                assert fits(json.loads(body), "Error")
                assert token.encode() not in answer
            assert (b"WWW-Authenticate: Bearer" in head) is (code == 401)

    asyncio.run(main())


def test_the_description_names_exactly_the_routes_there_are(tmp_path: Path) -> None:
    view = FakeView(tmp_path)
    routes = {
        (route.method.lower(), route.resource.canonical)
        for route in make_app(view, EventStreams(view), None).router.routes()
        if route.resource is not None
    }
    described = {
        (method, path) for path, methods in describe()["paths"].items() for method in methods
    }

    assert described == routes


def test_the_description_is_served(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as it, client_of(it) as client:
            status, document = await get(client, "openapi.json")
            assert status == 200
            assert document == describe()

    asyncio.run(main())
