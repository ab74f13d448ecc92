"""A job that is held while it is attacked, and what has to hold of it afterwards.

Its tasks wait at a gate, so an attack lasts as long as it takes and nothing has to be timed. Then
the gate is opened, and the job has to end by itself: with the verdicts that it would have had,
each task tried once, no traceback anywhere, its processes' memory bounded and its loop on time.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nrunner.journal import read_records
from tests.functional.sandbox import End, Run, Sandbox, check_moves, wait_until

__all__ = ["IDS", "Held", "Peer", "crowd", "held", "peak"]

MOST_CONTROLLER = 60 << 20
MOST_AGENT = 40 << 20
MOST_LAG = 0.5
"""Seconds: this is a promise about us, and the machine may have others to serve as well."""

_PATIENCE = 10.0

WAITS = """#!/bin/sh
until [ -e go ]; do echo waits; sleep 0.03; done
exit "$1"
"""

SPEAKS = """#!/usr/bin/env python3
import json, os, socket, sys, time
words = sys.argv
name, path = words[words.index("-i") + 1], words[words.index("-s") + 1]
result = words[words.index("-u") + 1]
peer = socket.socket(socket.AF_UNIX)
peer.connect(path)
def say(**message):
    peer.sendall(json.dumps({"id": name, "time": 1.0, **message}).encode() + b"\\n")
say(status="started", output_dir="")
while not os.path.exists("go"):
    print("waits", flush=True)
    time.sleep(0.03)
say(status="running", type="stdout", log={"__base64_encoded__": "aGVsbG8="})
say(status="finished", result=result)
"""

Beside = tuple[Mapping[str, Any], str, str]
"""Recipe, result and cause."""

TASKS: Sequence[Beside] = (
    ({"kind": "exec-test", "uri": "./waits.sh", "args": ["0"]}, "PASS", "test"),
    ({"kind": "exec-test", "uri": "./waits.sh", "args": ["3"]}, "FAIL", "test"),
    ({"kind": "speaks", "uri": "pass"}, "PASS", "test"),
    ({"kind": "speaks", "uri": "fail"}, "FAIL", "test"),
)
"""What runs, and what comes of it."""
IDS = ("1-./waits.sh", "2-./waits.sh", "3-pass", "4-fail")


class Peer:
    """A connection to one of a job's sockets; sending to who hung up is no error."""

    def __init__(self, address: Path | tuple[str, int], *, wait: bool = True) -> None:
        """Without `wait` it does not wait until there is room among those who wait to get in."""
        family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
        self.socket = socket.socket(family)
        self.socket.settimeout(_PATIENCE if wait or family == socket.AF_INET else 0)
        where = address if isinstance(address, tuple) else str(address)
        try:
            self.socket.connect(where)
        except BlockingIOError:
            assert not wait
        self.socket.settimeout(_PATIENCE)

    def send(self, *pieces: bytes) -> Peer:
        with contextlib.suppress(OSError):
            for piece in pieces:
                self.socket.sendall(piece)
        return self

    def ask(self, *pieces: bytes, last: bytes = b"\0") -> list[Any]:
        """Send, and return what is answered, line by line, until `last` or the end."""
        sender = threading.Thread(target=self.send, args=pieces)
        sender.start()
        answer = b""
        with contextlib.suppress(OSError):
            while last not in answer and (piece := self.socket.recv(1 << 16)):
                answer += piece
        sender.join()
        self.close()
        return [json.loads(line) for line in answer.splitlines()]

    def finish(self) -> None:
        """Say that nothing follows, and wait until all of it was read and the other hung up."""
        with contextlib.suppress(ConnectionError):
            self.socket.shutdown(socket.SHUT_WR)
            while self.socket.recv(1 << 16):
                pass

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Held:
    """A job all of whose tasks run, and wait at a gate."""

    def __init__(self, sandbox: Sandbox, run: Run, tasks: Sequence[Beside]) -> None:
        self.sandbox = sandbox
        self._tasks = tasks
        self.run = run
        self.folder = (sandbox.job / "control").readlink().parent
        self.job_id = (sandbox.job / "id").read_text().strip()
        self.collector = self.folder / "status.sock"
        self.control = self.folder / "control.sock"
        self.agent = self.folder / "agent-1" / "socket"
        self.token = (self.folder / "agent-1" / "token").read_text()
        self._agent_log = (self.folder / "agent-1" / "agent.log").open()
        self._peak = 0

    @property
    def speakers(self) -> list[Path]:
        """The status sockets of the agent's attempts, in order of their tasks."""
        return sorted((self.folder / "agent-1").glob("status-*"))

    def address(self) -> tuple[tuple[str, int], str]:
        """Where status messages are taken on TCP, and the token that is asked for."""
        said: list[str] = []

        def found() -> bool:
            text = (self.sandbox.job / "job.log").read_text()
            words = (word for word in text.split() if word.startswith("127.0.0.1:"))
            said[:] = [word for word in words if not word.endswith(":0")]  # as it was asked for
            return bool(said)

        wait_until(found, "says where it listens")
        host, port = said[0].split(":")
        return (host, int(port)), (self.sandbox.job / "status-token").read_text().strip()

    def hello(self, **fields: Any) -> bytes:
        """Return what a controller says to the agent first."""
        head = {"type": "hello", "protocol": 1, "token": self.token, "epoch": 1, "acknowledged": 0}
        return json.dumps({**head, **fields}).encode() + b"\n"

    def wait_message(self) -> None:
        """Wait until a status message was let in: afterwards its task may have ended."""

        def is_there() -> bool:
            records = read_records(self.sandbox.job / "journal.jsonl")
            return any(each["type"] == "message" for each in records)

        wait_until(is_there, "takes a message")

    def assert_small(self, more: int = 0) -> None:
        """What was sent until now has cost neither controller nor agent much memory."""
        controller = peak(self.run.pid)
        agent = max(map(peak, self.sandbox.agents()), default=0)
        assert 0 < controller < MOST_CONTROLLER + more, controller >> 20
        assert 0 < agent < MOST_AGENT + more, agent >> 20

    def open_gate(self) -> None:
        """Let the tasks go on."""
        (self.sandbox.here / "go").touch()

    def end(self, more: int = 0) -> End:
        """Open the gate and wait for the end of the job, which must be as if nothing had been."""
        self.assert_small(more)
        self.open_gate()
        end = self.run.wait()
        assert end.code == 1 + 8 * ("INTERRUPT" in [result for _, result, _ in self._tasks]), end
        assert end.err == ""
        self._agent_log.seek(0)
        assert self._agent_log.read() == ""
        assert "Traceback" not in (self.sandbox.job / "job.log").read_text()
        assert not (self.sandbox.job / "mishaps.txt").exists()
        return end

    def results(self, attempts: int = 1) -> dict[str, Any]:
        """Return the job's results, in which nothing has changed for the tasks."""
        data = self.sandbox.results()
        tests = data["tests"]
        verdicts = [(each["status"], each["cause"], len(each["attempts"])) for each in tests]
        assert verdicts == [(result, cause, attempts) for _, result, cause in self._tasks], tests
        for each in tests[2:4]:
            assert (self.sandbox.job / each["outputs"]["stdout"]).read_bytes() == b"hello"
        assert data["loop_lag_max"] < MOST_LAG
        check_moves(self.sandbox.records())
        self.sandbox.wait_nothing_runs()
        return data

    def messages(self) -> Mapping[str, Any]:
        """Return what the job's results say of messages that came to the collector."""
        found: Mapping[str, Any] = self.results()["facts"].get("messages", {})
        return found

    def close(self) -> None:
        self._agent_log.close()


@contextlib.contextmanager
def held(
    sandbox: Sandbox, *flags: str, beside: Sequence[Beside] = (), **more: Any
) -> Iterator[Held]:
    """Start a job whose tasks wait, and others beside them that need not."""
    sandbox.write("waits.sh", WAITS)
    sandbox.plug_in("nrunner-runner-speaks", SPEAKS)
    tasks = (*TASKS, *beside)
    recipes = json.dumps([recipe for recipe, _, _ in tasks])
    sandbox.write("tasks.json", recipes, executable=False)
    run = sandbox.start("run", "tasks.json", "--max-parallel-tasks", "8", *flags, **more)
    run.wait_started(len(tasks))
    job = Held(sandbox, run, tasks)
    wait_until(lambda: len(job.speakers) >= 2, "listens to its speakers")
    try:
        yield job
    finally:
        job.close()
        if run.process.poll() is None:
            run.process.kill()
            run.process.communicate()


@contextlib.contextmanager
def crowd(addresses: Sequence[Any]) -> Iterator[list[Peer]]:
    """Connect to each address, as far as that is possible at once."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Peer(address, wait=False)) for address in addresses]


def peak(pid: int) -> int:
    """Return the most memory that a process ever held, in bytes, as the kernel knows it."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(found[0]) << 10 if found else 0
