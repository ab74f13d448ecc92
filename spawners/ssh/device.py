"""A device of a job: the one connection to it, which is made anew where it was lost, and its agent.

Looks it over, brings the agent's file, and asks that file for what has to be done there. Not
responsible for what follows from an answer (``handle``, ``opening``).
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING

from nrunner.dutcare import REBOOT
from nrunner.errors import LinkError, SpawnError
from nrunner.inventory import Dut
from nrunner.labhook import Console, run_hook
from nrunner.offload import offload
from nrunner.spawners.ssh.agent import PYTHON, SHELL, AgentFile, Asked, sort_of
from nrunner.spawners.ssh.connection import Connection, Output, connect
from nrunner.spawners.ssh.dial import ATTEMPTS
from nrunner.spawners.ssh.host import label
from nrunner.spawners.ssh.survey import Survey, read_survey, survey_command
from nrunner.spawners.ssh.witness import last_words
from nrunner.spawners.ssh.words import Answer, copy_command, read_answer, shown

if TYPE_CHECKING:
    from paramiko.channel import Channel

__all__ = ["Device"]

_WITHIN = 15.0
_RESTART_WITHIN = 15.0
_LONGEST = 120.0
_WATCHED_FOR = 20.0
"""Seconds for which a device waits for the end of an agent when asked to."""
_PIECE = 1 << 16
_WORDS = {
    "look": "look at the agent",
    "watch": "wait for the end of the agent",
    "remove": "end the agent",
    "lease": "learn who has the lease",
    "release": "end who has the lease",
}
"""What fits after "could not", of words that are asked."""


class Device:
    """One device."""

    def __init__(self, dut: Dut) -> None:
        self.dut = dut
        self.survey: Survey | None = None
        """What it was like when it was looked over."""
        self.clock_offset = 0.0
        """Seconds that our clock is ahead of its clock, within a second or so."""
        self._connection: Connection | None = None
        self._connecting = asyncio.Lock()
        self._console: Console | None = None

    @property
    def label(self) -> str:
        """What errors call it."""
        return label(self.dut)

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
        console, self._console = self._console, None
        if console is not None:
            await console.close()
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def watch(self) -> None:
        """Read its console from now on, if there is one; a console that fails harms nobody."""
        if self._console is None and self.dut.hooks.console:
            console = Console(self.dut)
            with contextlib.suppress(SpawnError):
                await console.open()
                self._console = console

    @property
    def last_words(self) -> str:
        """What its console says that may tell why it was lost; empty if nothing."""
        return "" if self._console is None else last_words(self._console.tail())

    async def restart(self, command: str) -> None:
        """Have it reboot by a command, or as devices usually do; raise SpawnError.

        It may not have begun to go down when this returns.
        """
        connection = await self.connected()
        try:
            output = await connection.run("reboot", command or REBOOT, within=_RESTART_WITHIN)
        except SpawnError:
            return  # it hung up, or says no more
        if output.status > 0:
            if not command and self.dut.hooks.power_cycle:
                await run_hook(self.dut, "power_cycle")
            else:
                raise SpawnError(f"reboot {self.label}: {output.complaint}")

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
        self.clock_offset = (begun + time.time()) / 2 - survey.clock
        self.survey = survey
        return survey

    async def equip(self, archive: Path) -> str:
        """Look it over, and have the agent's file that will do there; return its name there.

        `archive` is the usual agent, here. Raise LinkError, or SpawnError if nothing can run there.
        """
        sort = PYTHON if self.survey is None or self.survey.has_python else SHELL
        while True:
            file = await offload(sort.file, archive)
            survey = await self.look_over(file.name)
            complaint = survey.complaint()
            if complaint:
                raise SpawnError(f"use {self.label}: {complaint}")
            fit = PYTHON if survey.has_python else SHELL
            if fit is sort:
                return await self._bring(file)
            sort = fit

    async def _bring(self, file: AgentFile) -> str:
        assert self.survey is not None
        work = self.survey.work
        digest = await offload(lambda: file.digest)
        if self.survey.agent != digest:
            nonce = secrets.token_hex(6)
            command = copy_command(work, file.name, len(file.data), digest, nonce)
            connection = await self.connected()
            output = await connection.run(
                "copy the agent", command, data=file.data, within=self.patience
            )
            if output.status != 0:
                raise SpawnError(f"copy the agent to {work} on {self.label}: {_why(output)}")
        return f"{work}/agents/{file.name}"

    # By way of the agent's file.

    async def ask(
        self,
        archive: str,
        word: str,
        argument: str,
        *,
        attempts: int = ATTEMPTS,
        more: float = 0.0,
    ) -> Answer:
        """Have the agent's file do what a word says; return the answer.

        It takes so many seconds `more` by itself. Raise LinkError, or SpawnError if it could not
        be done.
        """
        connection = await self.connected(attempts)
        what = _WORDS[word]
        command = sort_of(archive).command(self.dut.python, archive, word, argument)
        output = await connection.run(what, command, within=self.patience + more)
        try:
            found = read_answer(output.stdout)
        except ValueError as error:
            raise SpawnError(f"{what} on {self.label}: {error}") from error
        if found is None:
            raise SpawnError(f"{what} on {self.label}: {output.complaint}")
        return self._checked(what, found[0])

    async def wait_end(self, archive: str, folder: str) -> Answer:
        """Wait for the end of an agent for a while; return what is said of it then.

        Raise LinkError or SpawnError.
        """
        return await self.ask(archive, "watch", folder, attempts=1, more=_WATCHED_FOR)

    async def execute(self, command: str, data: bytes) -> str:
        """Have a command run that reads `data`; return what it complains of, empty if nothing.

        Raise LinkError or SpawnError.
        """
        connection = await self.connected(attempts=1)
        output = await connection.run("put files", command, data=data, within=self.patience)
        return "" if output.status == 0 else output.complaint

    async def start(self, archive: str, asked: Asked) -> Answer:
        """Have an agent started; return who it is, or who has the device.

        Raise LinkError, or SpawnError if it could not be done.
        """
        connection = await self.connected(attempts=1)
        command, data = sort_of(archive).start(self.dut.python, archive, asked)
        channel = await connection.channel("start the agent", command, self.patience)
        try:
            answer, _ = await self._first_answer("start the agent", channel, data)
        finally:
            # What was started may be the guardian: it goes on.
            await offload(channel.close)
        return self._checked("start the agent", answer)

    def _checked(self, what: str, answer: Answer) -> Answer:
        if "error" in answer.fields:
            raise SpawnError(f"{what} on {self.label}: {shown(answer.fields['error'])}")
        return answer

    async def relay(self, archive: str, folder: str) -> tuple[Channel, Answer, bytes]:
        """Return a channel to an agent, what is said of it there, and its first bytes.

        Raise LinkError, or SpawnError for what another attempt does not help.
        """
        was = self._connection
        try:
            return await self._relay(archive, folder)
        except LinkError:
            if was is None or self._connection is not was:
                raise
            # That a connection was lost shows when it is used: it is not the agent's fault.
            self.abort()
        return await self._relay(archive, folder)

    async def _relay(self, archive: str, folder: str) -> tuple[Channel, Answer, bytes]:
        sort = sort_of(archive)
        command = sort.command(self.dut.python, archive, sort.relay, folder)
        connection = await self.connected(attempts=1)
        channel = await connection.channel("reach the agent", command, self.patience)
        try:
            return channel, *await self._first_answer("reach the agent", channel)
        except BaseException:
            await offload(channel.close)
            raise

    async def _first_answer(
        self, what: str, channel: Channel, data: bytes = b""
    ) -> tuple[Answer, bytes]:
        """Return what is answered first to `data`, and what came with it; raise LinkError."""
        try:
            async with asyncio.timeout(self.patience):
                return await offload(_first_answer, channel, data, self.patience)
        except (OSError, EOFError, ValueError) as error:
            reason = str(error) or "no answer in time"
            raise LinkError(f"{what} on {self.label}: {reason}") from error


def _first_answer(channel: Channel, said: bytes, within: float) -> tuple[Answer, bytes]:
    """Return the answer, and what came with it; raise OSError, EOFError or ValueError."""
    channel.settimeout(within)
    channel.sendall(said)
    data = b""
    while True:
        piece = channel.recv(_PIECE)
        if not piece:
            words = channel.recv_stderr(_PIECE).decode("utf-8", "replace").strip().splitlines()
            raise EOFError(shown(words[-1]) if words else "the connection was lost")
        data += piece
        found = read_answer(data)
        if found is not None:
            return found


def _why(output: Output) -> str:
    if output.stderr.strip():
        return output.complaint
    return "it did not arrive as it was sent"
