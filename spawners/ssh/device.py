"""A device of a job: the one connection to it, which is made anew where it was lost, and its agent.

Looks it over, brings the agent's file, and asks that file for what has to be done there. Not
responsible for what follows from an answer (``handle``, ``opening``).
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING

from nrunner.errors import LinkError, SpawnError
from nrunner.inventory import Dut
from nrunner.offload import offload
from nrunner.spawners.ssh.connection import Connection, Output, connect
from nrunner.spawners.ssh.dial import ATTEMPTS
from nrunner.spawners.ssh.host import label
from nrunner.spawners.ssh.survey import Survey, read_survey, survey_command
from nrunner.spawners.ssh.words import Answer, copy_command, dut_command, read_answer

if TYPE_CHECKING:
    from paramiko.channel import Channel

__all__ = ["Device"]

_WITHIN = 15.0
_LONGEST = 120.0
_PIECE = 1 << 16


class Device:
    """One device."""

    def __init__(self, dut: Dut) -> None:
        self.dut = dut
        self.survey: Survey | None = None
        """What it was like when it was looked over."""
        self._connection: Connection | None = None
        self._connecting = asyncio.Lock()

    @property
    def label(self) -> str:
        """What errors call it."""
        return label(self.dut)

    @property
    def clock_offset(self) -> float:
        """Seconds that our clock is ahead of its clock, within a second or so."""
        return self._offset

    _offset = 0.0

    @property
    def patience(self) -> float:
        """Seconds in which it has to answer: more where it is busy."""
        return min(_LONGEST, _WITHIN * (self.survey.slowness if self.survey is not None else 1.0))

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection that nobody has seen to be lost."""
        return self._connection is not None and self._connection.is_alive

    async def connected(self, attempts: int = ATTEMPTS) -> Connection:
        """Return the connection, made anew if need be; raise LinkError or SpawnError."""
        async with self._connecting:
            if self._connection is None or not self._connection.is_alive:
                if self._connection is not None:
                    self._connection.abort()
                    self._connection = None
                self._connection = await connect(self.dut, attempts=attempts)
            return self._connection

    def abort(self) -> None:
        """Hang up: what is lost already may not have been noticed."""
        if self._connection is not None:
            self._connection.abort()
            self._connection = None

    async def close(self) -> None:
        """Hang up."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    # Before there is an agent.

    async def look_over(self, agent: str = "") -> Survey:
        """Return what it is like; `agent` is the name of a file that may be there.

        Raise LinkError or SpawnError.
        """
        connection = await self.connected()
        command = survey_command(self.dut.work, self.dut.python, agent)
        begun = time.time()
        output = await connection.run("look around", command, within=self.patience)
        try:
            survey = read_survey(output.stdout.decode("utf-8", "replace"))
        except (LookupError, ValueError) as error:
            raise SpawnError(f"look around on {self.label}: {output.complaint}") from error
        self._offset = (begun + time.time()) / 2 - survey.clock
        self.survey = survey
        return survey

    async def bring(self, archive: Path) -> str:
        """Have the agent's file there, unless it is there already; return its name there.

        Raise LinkError or SpawnError; the device has to have been looked over for it.
        """
        assert self.survey is not None
        data = await offload(archive.read_bytes)
        digest = hashlib.sha256(data).hexdigest()
        work = self.survey.work
        if self.survey.agent != digest:
            nonce = secrets.token_hex(6)
            command = copy_command(work, archive.name, len(data), digest, nonce)
            connection = await self.connected()
            output = await connection.run(
                "copy the agent", command, data=data, within=self.patience
            )
            if output.status != 0:
                raise SpawnError(f"copy the agent to {work} on {self.label}: {_why(output)}")
        return f"{work}/agents/{archive.name}"

    # By way of the agent's file.

    async def ask(
        self,
        archive: str,
        word: str,
        argument: str,
        *,
        data: bytes = b"",
        attempts: int = ATTEMPTS,
    ) -> Answer:
        """Have the agent's file do what a word says; return the answer.

        Raise LinkError, or SpawnError if it could not be done.
        """
        connection = await self.connected(attempts)
        command = dut_command(self.dut.python, archive, word, argument)
        output = await connection.run(word, command, data=data, within=self.patience)
        try:
            found = read_answer(output.stdout)
        except ValueError as error:
            raise SpawnError(f"{word} on {self.label}: {error}") from error
        if found is None:
            raise SpawnError(f"{word} on {self.label}: {output.complaint}")
        answer, _ = found
        if "error" in answer.fields:
            raise SpawnError(f"{word} on {self.label}: {answer.fields['error']}")
        return answer

    async def relay(self, archive: str, folder: str) -> tuple[Channel, Answer, bytes]:
        """Return a channel to an agent, what is said of it there, and its first bytes.

        Raise LinkError, or SpawnError for what another attempt does not help.
        """
        command = dut_command(self.dut.python, archive, "relay", folder)
        try:
            channel = await self._channel(command)
        except LinkError:
            if self.is_connected:
                raise
            # That the connection was lost shows when it is used: it is not the agent's fault.
            channel = await self._channel(command)
        try:
            async with asyncio.timeout(self.patience):
                answer, rest = await offload(_first_answer, channel, self.patience)
        except BaseException as error:
            await offload(channel.close)
            if isinstance(error, OSError | EOFError | ValueError):
                reason = str(error) or "no answer in time"
                raise LinkError(f"reach the agent on {self.label}: {reason}") from error
            raise
        return channel, answer, rest

    async def _channel(self, command: str) -> Channel:
        connection = await self.connected(attempts=1)
        try:
            return await connection.channel("reach the agent", command, self.patience)
        except LinkError as error:
            if isinstance(error.__cause__, TimeoutError):
                self.abort()
            raise


def _first_answer(channel: Channel, within: float) -> tuple[Answer, bytes]:
    """Return the answer, and what came with it; raise OSError or ValueError."""
    channel.settimeout(within)
    data = b""
    while True:
        piece = channel.recv(_PIECE)
        if not piece:
            said = channel.recv_stderr(_PIECE).decode("utf-8", "replace").strip().splitlines()
            raise EOFError(said[-1] if said else "the connection was lost")
        data += piece
        found = read_answer(data)
        if found is not None:
            return found


def _why(output: Output) -> str:
    if output.stderr.strip():
        return output.complaint
    return "it did not arrive as it was sent"
