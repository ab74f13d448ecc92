"""A place for runs of the real command line, and eyes for what they leave behind.

Each sandbox has a mark that every payload started from it inherits, so that what still runs
afterwards can be found, whoever its parent is by then.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nrunner.journal import read_records
from nrunner.phase import MOVES, Phase
from nrunner.schema import problems

MARK = "SANDBOX_MARK"
WITHIN = 40.0
"""Seconds after which something that has to happen has not happened."""

_OUR_OWN = ("NRUNNER_", "AVOCADO_", "XDG_", "TMPDIR", "NO_COLOR", "TERM")


def wait_until(holds: Callable[[], Any], what: str, within: float = WITHIN) -> Any:
    """Wait for a fact of another process; return what `holds` returned at last."""
    deadline = time.monotonic() + within
    while not (found := holds()):
        assert time.monotonic() < deadline, f"{what}: not within {within:g} s"
        time.sleep(0.01)
    return found


TAKES_WORDS = """verb=$1
while [ $# -gt 0 ]; do
    case $1 in
        -i) id=$2; shift ;;
        -s) socket=$2; shift ;;
        -u) uri=$2; shift ;;
    esac
    shift
done
"""
"""How a runner executable of sh takes its command line."""


@dataclass(frozen=True)
class End:
    """How a run ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """What was printed, line by line, without its times."""
        return self.out.splitlines()


class Sandbox:
    """Folders, environment and mark of one test."""

    def __init__(self, folder: Path, here: Path | None = None) -> None:
        self.mark = f"mark-{os.urandom(8).hex()}"
        self.here = here or folder / "here"
        self.here.mkdir(exist_ok=True)
        self.base = folder / "results"
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.env = {key: value for key, value in os.environ.items() if not key.startswith(_OUR_OWN)}
        self.env.update(
            {name: str(folder / name.lower()) for name in _homes()},
            PATH=f"{self.bin}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            PYTHONDONTWRITEBYTECODE="1",
            NRUNNER_RUN_RESULTS_DIR=str(self.base),
            NRUNNER_AGENT_ORPHAN_DEADLINE="1",
            **{MARK: self.mark},
        )

    def write(self, name: str, text: str, *, executable: bool = True) -> Path:
        """Write a file to where nrunner is started."""
        return _write(self.here / name, text, executable)

    def plug_in(self, name: str, text: str) -> Path:
        """Put an executable on PATH."""
        return _write(self.bin / name, text, True)

    def start(self, *argv: str, **more: Any) -> Run:
        """Start nrunner."""
        pipe = subprocess.PIPE
        more = {"stdin": subprocess.DEVNULL, "stdout": pipe, "stderr": pipe, **more}
        env = {**self.env, **more.pop("env", {})}
        words = [sys.executable, "-m", "nrunner", *argv]
        process = subprocess.Popen(words, cwd=self.here, env=env, **more)
        return Run(self, process)

    def run(self, *argv: str, **more: Any) -> End:
        """Run nrunner to its end."""
        return self.start(*argv, **more).wait()

    @property
    def job(self) -> Path:
        """The folder of the latest job."""
        return (self.base / "latest").resolve()

    def results(self) -> dict[str, Any]:
        """Return the latest job's results.json, which must follow its schema and add up."""
        data: dict[str, Any] = json.loads((self.job / "results.json").read_text("utf-8"))
        assert problems(data, "results") == []
        check_counts(data)
        return data

    def tests(self) -> dict[str, dict[str, Any]]:
        """Return the tests of results.json by their names."""
        return {each["name"]: each for each in self.results()["tests"]}

    def records(self) -> list[dict[str, Any]]:
        """Return the records of the latest job's journal; each of its lines must be whole."""
        return read_journal(self.job / "journal.jsonl")

    def moves(self) -> list[dict[str, Any]]:
        """Return the moves that the journal holds of the job that runs now, or ran."""
        path = self.job / "journal.jsonl"
        if not path.exists():
            return []
        return [each for each in read_records(path) if each["type"] == "move"]

    def running(self) -> dict[int, str]:
        """Return pid and command of each process that lives and carries our mark."""
        return {pid: command for pid, command in _marked(self.mark.encode()) if pid != os.getpid()}

    def payloads(self) -> dict[int, str]:
        """Return pid and command of each process of a test that runs."""
        mark = b"NRUNNER_ATTEMPT="
        return {pid: text for pid, text in self.running().items() if mark in _read(pid, "environ")}

    def agents(self) -> list[int]:
        """Return the pids of agents, and of the guardians above them."""
        return [pid for pid, command in self.running().items() if " agent " in command]

    def wait_nothing_runs(self, within: float = WITHIN) -> None:
        """Wait until no process of this sandbox is left."""
        wait_until(lambda: not self.running(), f"still running: {self.running()}", within)


class Run:
    """A run of nrunner that goes on."""

    def __init__(self, sandbox: Sandbox, process: subprocess.Popen[bytes]) -> None:
        self.sandbox = sandbox
        self.process = process
        self.pid = process.pid
        self._said = b""

    def wait_started(self, count: int) -> None:
        """Wait until the payloads of so many tasks run."""

        def started() -> bool:
            assert self.process.poll() is None, self.wait()
            moves = self.sandbox.moves()
            return sum(1 for each in moves if each["phase"] == "STARTED") >= count

        wait_until(started, f"{count} tasks started")

    def wait_said(self, pattern: str) -> None:
        """Wait until it has printed a line that begins like this."""
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)

        def said() -> bool:
            assert self.process.stdout is not None
            self._said += self.process.stdout.read() or b""
            return re.search(f"^{pattern}", self._said.decode(), re.M) is not None

        wait_until(said, f"says {pattern!r}")

    def signal(self, number: int) -> None:
        """Send a signal to the controller alone."""
        os.kill(self.pid, number)

    def wait(self, within: float = WITHIN) -> End:
        """Wait for its end; it may say anything but a traceback."""
        out, err = self.process.communicate(timeout=within)
        code = self.process.returncode
        end = End(code, (self._said + (out or b"")).decode(), (err or b"").decode())
        assert "Traceback" not in end.out + end.err, end
        assert "bug in nrunner" not in end.err, end
        return end


def read_journal(path: Path) -> list[dict[str, Any]]:
    """Return all records of a journal; each of its lines must be whole."""
    lines = path.read_bytes().count(b"\n")
    records = list(read_records(path))
    assert len(records) >= lines  # more if the job goes on
    return records


def check_counts(data: Mapping[str, Any]) -> None:
    """Every planned task has one verdict, and the counts add up."""
    names = ("pass", "failures", "errors", "skip", "warn", "interrupt", "cancel")
    assert sum(data[name] for name in names) == data["total"] == len(data["tests"])
    assert sum(data["causes"].values()) == data["total"]
    assert [each["number"] for each in data["tests"]] == list(range(1, data["total"] + 1))


def check_moves(records: Sequence[Mapping[str, Any]]) -> dict[int, list[tuple[str, float]]]:
    """Each task made legal moves only, in order of time, to one verdict; return its way."""
    ways: dict[int, list[tuple[str, float]]] = {}
    settled: dict[int, int] = {}
    for record in records:
        if record["type"] == "planned":
            ways[record["task"]] = [("REQUESTED", 0.0)]
        elif record["type"] == "move":
            way = ways[record["task"]]
            source, target = Phase(way[-1][0]), Phase(record["phase"])
            assert target in MOVES[source], (record["task"], way, target)
            assert record["time"] >= way[-1][1]
            assert record["task"] not in settled
            way.append((record["phase"], record["time"]))
        elif record["type"] == "settled":
            settled[record["task"]] = settled.get(record["task"], 0) + 1
    assert settled == dict.fromkeys(ways, 1)
    return ways


def _homes() -> Iterator[str]:
    yield from ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME")


def _write(path: Path, text: str, executable: bool) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    if executable:
        path.chmod(0o755)
    return path


def _marked(mark: bytes) -> Iterator[tuple[int, str]]:
    for pid in [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()]:
        command = _read(pid, "cmdline")
        if (mark in command or mark in _read(pid, "environ")) and _is_alive(pid):
            yield pid, command.replace(b"\0", b" ").decode("utf-8", "replace").strip()


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def _is_alive(pid: int) -> bool:
    stat = _read(pid, "stat")
    return bool(stat) and stat[stat.rfind(b")") + 2 :][:1] not in (b"Z", b"X")
