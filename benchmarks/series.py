"""Runs the tools of a case in turn, round after round: A B C, A B C, ...

A first round warms caches up and is thrown away. Each run gets a new folder, in memory where that
is possible: making files on a disk can cost ten times as much for minutes after many were removed.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from subprocess import SubprocessError

from benchmarks.gauge import Memory, Run, run, run_watched
from benchmarks.peer import Shed
from benchmarks.tool import Broken, Case, Command, Reading, Site, Tool

__all__ = ["Outcome", "Series", "scratch_folder"]

_ENOUGH = 4 << 30


@dataclass(slots=True)
class Outcome:
    """What was measured of one tool in one case, one value per round."""

    tool: Tool
    tests: int
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    first_output: list[float] = field(default_factory=list)
    one: list[float] = field(default_factory=list)
    one_cpu: list[float] = field(default_factory=list)
    figures: dict[str, list[float]] = field(default_factory=dict)
    memory: Memory | None = None
    broken: str = ""


@dataclass(slots=True)
class Series:
    """All rounds of one case."""

    case: Case
    shed: Shed
    rounds: int
    scratch: Path
    say: Callable[[str], None]
    _inputs: dict[tuple[str, int], tuple[Path, tuple[str, ...]]] = field(default_factory=dict)

    def measure(self) -> list[Outcome]:
        """Run all rounds; a tool that fails once is out."""
        outcomes = [Outcome(tool, self.case.tests_for(tool)) for tool in self.case.tools]
        for number in range(self.rounds + 1):
            self.say(f"{self.case.key}: " + (f"round {number}" if number else "warming up"))
            for outcome in outcomes:
                self._attempt(outcome, partial(self._round, outcome, keep=number > 0))
        if self.case.memory:
            self.say(f"{self.case.key}: memory")
            for outcome in outcomes:
                self._attempt(outcome, partial(self._watch, outcome))
        for made, _ in self._inputs.values():
            shutil.rmtree(made, ignore_errors=True)
        return outcomes

    def _attempt(self, outcome: Outcome, step: Callable[[], None]) -> None:
        if not outcome.broken:
            try:
                step()
            except (Broken, OSError, SubprocessError, LookupError, ValueError) as error:
                # Not to be started, not to be prepared, or with a report that cannot be read.
                kind = "" if isinstance(error, Broken) else f"{type(error).__name__}: "
                outcome.broken = f"{kind}{error}"
                self.say(f"{self.case.key}: {outcome.tool.name} is out: {outcome.broken}")

    def _round(self, outcome: Outcome, *, keep: bool) -> None:
        one = self._run(outcome.tool, 1)[0] if self.case.with_one else None
        many, reading = self._run(outcome.tool, outcome.tests)
        if not keep:
            return
        if one is not None:
            outcome.one.append(one.seconds)
            outcome.one_cpu.append(one.cpu)
        outcome.seconds.append(many.seconds)
        outcome.cpu.append(many.cpu)
        if many.first_output is not None:
            outcome.first_output.append(many.first_output)
        for name, value in reading.figures.items():
            outcome.figures.setdefault(name, []).append(value)

    def _run(self, tool: Tool, tests: int) -> tuple[Run, Reading]:
        with _new_folder(self.scratch) as name:
            folder = Path(name)
            site, command = self._prepare(tool, tests, folder)
            result = run(command, folder, self._environment(folder))
            if result.status != command.status:
                raise Broken(f"status {result.status} of {tests} tests: {_tail(result.output)}")
            reading = tool.read(site, result.output)
        if reading.tests is not None and reading.tests != tests:
            raise Broken(f"ran {reading.tests} tests, not {tests}: {_tail(result.output)}")
        return result, reading

    def _watch(self, outcome: Outcome) -> None:
        with _new_folder(self.scratch) as name:
            folder = Path(name)
            _, command = self._prepare(outcome.tool, outcome.tests, folder)
            outcome.memory = run_watched(command, folder, self._environment(folder))

    def _environment(self, folder: Path) -> dict[str, str]:
        temporary = folder / "tmp"
        temporary.mkdir(exist_ok=True)
        return self.shed.environment(temporary)

    def _prepare(self, tool: Tool, tests: int, folder: Path) -> tuple[Site, Command]:
        key = (tool.name, tests)
        if key not in self._inputs:
            made = Path(tempfile.mkdtemp(prefix="in-", dir=self.scratch))
            self._inputs[key] = (made, self.case.make_input(made, tests))
        where, programs = self._inputs[key]
        find = partial(self.shed.find, tool.peer)
        site = Site(where, folder, tests, self.case.parallel, programs, find)
        return site, tool.prepare(site)


def scratch_folder() -> Path:
    """Make a folder for all rounds, in memory if there is enough of it."""
    memory = Path("/dev/shm")
    with suppress(OSError):
        if shutil.disk_usage(memory).free > _ENOUGH:
            return Path(tempfile.mkdtemp(prefix="nrb-", dir=memory))
    return Path(tempfile.mkdtemp(prefix="nrb-"))


def _new_folder(parent: Path) -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="run-", dir=parent, ignore_cleanup_errors=True)


def _tail(output: str) -> str:
    return " / ".join(output.strip().splitlines()[-3:])[-400:]
