"""Sends the messages of one task to status URIs, or to standard output where there are none.

Messages are built as plain objects here: frozen types would double the start-up time of a runner
executable, which sends two or three. What they look like is said in docs/protocol.md.
Not responsible for what is sent when.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from binascii import b2a_base64
from collections.abc import Mapping
from typing import Any, Optional, Union

from nrunner.runners.base import Outcome

__all__ = ["Sender", "connect"]

_PIECE = 4 << 20
"""Output is sent in messages of so many bytes: stock status servers drop those above 32 MiB."""

_PATIENCE = 60.0
"""Seconds after which a receiver that takes nothing is given up."""

_SAID = ("fail_reason", "returncode", "class_name", "fail_class", "traceback")


class Sender:
    """Speaks for one task; a receiver that fails is given up with a word on stderr."""

    def __init__(
        self,
        uris: tuple[str, ...],
        task_id: Union[str, int, None] = None,
        job_id: Optional[str] = None,
    ) -> None:
        self._uris = uris
        self._sockets: Optional[dict[str, socket.socket]] = None
        self._rest: dict[str, Any] = {}
        if task_id is not None:
            self._rest["id"] = task_id
        if job_id is not None:
            self._rest["job_id"] = job_id

    def started(self, output_dir: str) -> None:
        """Say that work on the task has begun."""
        self._send({"status": "started", "output_dir": output_dir})

    def running(self) -> None:
        """Say that it still runs."""
        self._send({"status": "running"})

    def output(self, stream: str, number: int, *, log_only: bool) -> None:
        """Send what an open file holds, in one message unless that would be huge.

        With `log_only` the receiver is told that the runner has written it to the task's folder
        already; without, an empty file is not worth a message.
        """
        size, place = os.fstat(number).st_size, 0
        while place < size or (log_only and size == 0):
            data = os.pread(number, _PIECE, place)
            place += len(data)
            message: dict[str, Any] = {"status": "running", "type": stream}
            encoded = b2a_base64(data, newline=False).decode("ascii")
            message["log"] = {"__base64_encoded__": encoded}
            if log_only:
                message["log_only"] = True
            elif _is_text(data):
                message["encoding"] = "utf-8"
            self._send(message)
            if not data:
                break

    def finished(self, outcome: Outcome) -> None:
        """Say how it ended; nothing may follow."""
        said = outcome.to_json()
        message = {key: said[key] for key in _SAID if key in said}
        self._send({"status": "finished", "result": said["result"], **message})

    def close(self) -> None:
        """Close all connections."""
        for each in (self._sockets or {}).values():
            each.close()

    def _send(self, message: Mapping[str, Any]) -> None:
        data = json.dumps({**message, "time": time.monotonic(), **self._rest}).encode() + b"\n"
        if not self._uris:
            _print(data)
            return
        if self._sockets is None:
            self._sockets = {}
            for uri in self._uris:
                self._open(self._sockets, uri)
        for uri, connection in list(self._sockets.items()):
            try:
                connection.sendall(data)
            except OSError as error:
                _complain(uri, error)
                self._sockets.pop(uri).close()

    def _open(self, sockets: dict[str, socket.socket], uri: str) -> None:
        try:
            sockets[uri] = connect(uri)
        except (OSError, ValueError) as error:
            _complain(uri, error)


def connect(uri: str) -> socket.socket:
    """Connect to ``host:port`` or the path of a unix socket; raise OSError or ValueError."""
    host, colon, port = uri.rpartition(":")
    if colon and uri[:1] != "/":
        return socket.create_connection((host.strip("[]"), int(port)), _PATIENCE)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(_PATIENCE)
    try:
        connection.connect(uri)
    except OSError:
        connection.close()
        raise
    return connection


def _is_text(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _print(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


def _complain(uri: str, error: Exception) -> None:
    print(f"status server {uri!r}: {error}; going on without it", file=sys.stderr)
