"""Floods a status server with messages and says how many it took a second, and with what lag.

Runs in nrunner's own environment: ``collector.py CONNECTIONS MESSAGES KIND``. The server is set up
as a job sets it up, with a journal; the messages come from a process of their own, one a system
call, as runners send them. Prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import tempfile
import time
from asyncio.subprocess import PIPE
from datetime import datetime
from pathlib import Path
from typing import Any

from nrunner.event import Begin, Started, Triaged
from nrunner.journal import Journal
from nrunner.layout import create_job_folder, new_job_id
from nrunner.limits import Limits
from nrunner.machine import Machine
from nrunner.runnable import Runnable
from nrunner.status.server import STATUS_SOCKET, StatusServer
from nrunner.task import Task
from nrunner.watch import Watch

_TASKS = 1_000
_TICK = 0.005
_PATIENCE = 120.0


async def _measure(connections: int, messages: int, kind: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        job_id = new_job_id()
        folder = create_job_folder(root / "results", job_id, datetime.now())
        journal = Journal(folder.journal)
        tasks = [_task(number) for number in range(1, _TASKS + 1)]
        nothing: Any = None
        watch = Watch(tasks, _running(tasks), nothing, journal, nothing, folder)
        server = StatusServer(root / "run", watch, watch.known, watch.take_messages, job_id=job_id)
        async with asyncio.TaskGroup() as group:
            await server.open(group)
            address = str(root / "run" / STATUS_SOCKET)
            words = (__file__, "send", address, str(connections), str(messages), kind)
            sender = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=PIPE)
            lags = await _take(server, messages)
            end = time.monotonic()
            begin = float((await sender.communicate())[0])
            await server.close()
        if journal.records != messages:
            raise SystemExit(f"{journal.records} records in the journal, not {messages}")
        return {
            "messages/s": messages / (end - begin),
            "lag p99 ms": lags[int(len(lags) * 0.99)] * 1000,
            "lag max ms": lags[-1] * 1000,
        }


async def _take(server: StatusServer, messages: int) -> list[float]:
    """Wait until all messages were taken; return how late the loop was for a timer, in order."""
    lags: list[float] = []
    give_up = time.monotonic() + _PATIENCE
    while (taken := server.intake.statistics().accepted) < messages:
        due = time.monotonic() + _TICK
        await asyncio.sleep(_TICK)
        late = time.monotonic() - due
        # The ticks that would have been due meanwhile were late, too.
        while late > 0:
            lags.append(late)
            late -= _TICK
        if time.monotonic() > give_up:
            raise SystemExit(f"{taken} of {messages} messages came")
    return sorted(lags)


def _running(tasks: list[Task]) -> Machine:
    """Return the state of a job all of whose tasks run: others may not speak."""
    machine = Machine(tasks, Limits(len(tasks)))
    machine.handle(Begin(0.0))
    for task in tasks:
        machine.handle(Triaged(0.0, task.number, "process"))
    for task in tasks:
        machine.handle(Started(0.0, task.number, 1))
    return machine


def _task(number: int) -> Task:
    return Task(number, f"{number}-noop", Runnable("noop", "n"))


def _send(address: str, connections: int, messages: int, kind: str) -> None:
    """Send from all connections in turn; each speaks for a task."""
    peers = []
    for number in range(connections):
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(address)
        peers.append((peer, _line(number % _TASKS + 1, kind)))
    os.write(1, f"{time.monotonic()}\n".encode())
    for number in range(messages):
        peer, line = peers[number % connections]
        peer.sendall(line)
    for peer, _ in peers:
        peer.close()


def _line(number: int, kind: str) -> bytes:
    message: dict[str, object] = {"status": "running", "id": f"{number}-noop", "time": 1.5}
    if kind == "log":
        text = {"__base64_encoded__": "T25lIGxpbmUgb2YgYSBsb2c="}
        message |= {"type": "log", "log": text, "encoding": "utf-8"}
    return json.dumps(message).encode() + b"\n"


def main() -> None:
    """Do what the command line says."""
    if sys.argv[1] == "send":
        _send(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
        return
    connections, messages, kind = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    os.write(1, json.dumps(asyncio.run(_measure(connections, messages, kind))).encode() + b"\n")


if __name__ == "__main__":
    main()
