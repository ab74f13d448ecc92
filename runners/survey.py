"""A survey of a system: what some commands print, and what is in some files, each in a file.

Run as a process of its own, with a JSON argument: ``folder``, ``commands``, ``files``, ``packages``
(whether to list those that are installed), ``locale``, ``timeout`` (seconds for each command),
``report``, where to leave an Outcome, and ``leashed``: whether it is to end once nobody holds the
other end of its standard input any more. Asked to end by that or by SIGTERM, it ends its commands,
and keeps what it has. What cannot be had is named in ``left-out.txt``. Not responsible for what is
worth knowing (``nrunner.sysinfo``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import io
import json
import os
import select
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

__all__ = ["LEFT_OUT", "PACKAGES", "Survey", "file_names", "main"]

LEFT_OUT = "left-out.txt"
"""Names what could not be had, and why."""
PACKAGES = "installed_packages"
"""Holds the packages that are installed, one a line."""

_LIST_PACKAGES = (
    "if command -v dpkg-query >/dev/null; then exec dpkg-query -W;"
    " elif command -v rpm >/dev/null; then rpm -qa | sort;"
    " elif command -v pacman >/dev/null; then exec pacman -Q;"
    " else exec apk list --installed; fi"
)
_ENDED = "it was ended before it was complete"
_TOGETHER = 4
_PIECE = 1 << 16
_LOOK = 0.1
"""Seconds after which one looks whether a command is over whose children hold its output."""
_LONGEST_NAME = 120
_MOST = 1 << 20
"""Bytes that are kept of each."""


def main(argv: list[str]) -> int:
    """Make the survey that the JSON argument describes; return the exit status."""
    spec = json.loads(argv[0])
    survey = Survey(spec)
    signal.signal(signal.SIGTERM, lambda *_: survey.end())
    if spec.get("leashed"):
        threading.Thread(target=_feel, args=(survey.end,), daemon=True).start()
    try:
        left_out = survey.make()
        outcome = {"result": "pass"}
        if survey.is_ended:
            outcome = {"result": "error", "fail_reason": _ENDED}
    except OSError as error:
        left_out = []
        outcome = {"result": "error", "fail_reason": f"cannot write {error.filename}: {error}"}
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    for line in left_out:
        print(f"left out: {line}")
    if spec.get("report"):
        with open(spec["report"], "w", encoding="ascii") as file:
            json.dump(outcome, file)
    elif "fail_reason" in outcome:
        print(outcome["fail_reason"], file=sys.stderr)
    return 0 if outcome["result"] == "pass" else 1


def _feel(end: Callable[[], None]) -> None:
    """Wait until nobody holds the other end of the standard input any more."""
    while os.read(0, _PIECE):
        pass
    end()


def file_names(commands: Sequence[str], files: Sequence[str]) -> list[str]:
    """Return the name under which each command and each file is kept, all different.

    As Avocado has them: commands by their words, files by their last part.
    """
    names: list[str] = []
    for long, short in [(each, each) for each in commands] + [
        (each, os.path.basename(each)) for each in files
    ]:
        name = _safe(short)
        if name in (*names, "", ".", "..", LEFT_OUT):
            name = _safe(long.strip("/"))
        number = 2
        while name in (*names, "", ".", "..", LEFT_OUT):
            name, number = f"{_safe(long.strip('/'))} ({number})", number + 1
        names.append(name)
    return names


def _safe(name: str) -> str:
    name = "".join("_" if c == "/" or not c.isprintable() else c for c in name)
    return name.encode()[:_LONGEST_NAME].decode("utf-8", "ignore")


class Survey:
    """One survey; it can be ended early, from any thread and in a signal's handler."""

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self._spec = spec
        self._folder: str = spec["folder"]
        self._running: set[int] = set()
        """The processes of commands, each the first of a session."""
        self.is_ended = False

    def end(self) -> None:
        """End the commands that run, and start no more."""
        self.is_ended = True
        for pid in tuple(self._running):
            _kill(pid)

    def make(self) -> list[str]:
        """Make it; return what was left out, and why. Raise OSError if it cannot be written."""
        spec, folder = self._spec, self._folder
        os.makedirs(folder, exist_ok=True)
        commands, files = list(spec.get("commands", ())), list(spec.get("files", ()))
        names = file_names(commands, files)
        jobs = list(zip(names[: len(commands)], commands))  # noqa: B905 - strict is newer than 3.9
        if spec.get("packages"):
            jobs.append((PACKAGES, _LIST_PACKAGES))
        left_out = [
            f"{path}: {reason}"
            for name, path in zip(names[len(commands) :], files)  # noqa: B905
            for reason in _copy(path, os.path.join(folder, name))
        ]
        left_out += self._run_all(jobs)
        if left_out:
            path = os.path.join(folder, LEFT_OUT)
            with open(path, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.writelines(f"{line}\n" for line in left_out)
        return left_out

    def _run_all(self, jobs: list[tuple[str, str]]) -> list[str]:
        """Run commands, some at once; return what is to be said of them."""
        said: dict[str, str] = {}
        rest = iter(list(jobs))
        lock = threading.Lock()

        def work() -> None:
            while True:
                with lock:
                    job = next(rest, None)
                if job is None:
                    return
                name, command = job
                try:
                    reason = self._run(command, os.path.join(self._folder, name))
                except (OSError, ValueError) as error:
                    reason = _reason(error)
                if reason:
                    said[name] = reason

        threads = [threading.Thread(target=work, daemon=True) for _ in range(_TOGETHER)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return [f"{name}: {said[name]}" for name, _ in jobs if name in said]

    def _run(self, command: str, target: str) -> Optional[str]:
        """Keep what a command prints; return what is to be said of it."""
        if self.is_ended:
            return _ENDED
        process = _start(command, self._spec.get("locale") or "")
        self._running.add(process.pid)
        if self.is_ended:
            _kill(process.pid)  # it was not known yet to whoever ended the others
        try:
            reason = _keep(process, target, self._spec.get("timeout") or None)
        finally:
            _kill(process.pid)
            self._running.discard(process.pid)
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
        return _ENDED if self.is_ended else reason or _end(process.returncode)


def _copy(path: str, target: str) -> Iterator[str]:
    """Keep the beginning of a file; yield the reason if that cannot be."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            yield "it is no regular file"
            return
        with open(path, "rb", opener=_without_waiting) as file:
            data = file.read(_MOST + 1)
    except (OSError, ValueError) as error:
        yield _reason(error)
        return
    if data is None:
        yield "there is nothing in it to be read at once"
        return
    with open(target, "wb") as kept:
        kept.write(data[:_MOST])
    if len(data) > _MOST:
        yield f"all but its first {_MOST} bytes"


def _reason(error: Exception) -> str:
    """Return what an error says: an OSError, or a ValueError where a text names nothing at all."""
    return ((isinstance(error, OSError) and error.strerror) or str(error)).lower()


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def _start(command: str, locale: str) -> subprocess.Popen[bytes]:
    env = dict(os.environ)
    env.setdefault("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
    if locale:
        env["LC_ALL"] = locale
    return subprocess.Popen(
        ["/bin/sh", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=env,
        start_new_session=True,
    )


def _kill(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except OSError:
        pass  # nobody is left


def _keep(process: subprocess.Popen[bytes], target: str, timeout: Optional[float]) -> Optional[str]:
    """Keep what a command prints until it has ended; return why that is not all of it."""
    assert process.stdout is not None
    output = process.stdout.fileno()
    poll = select.poll()
    poll.register(output, select.POLLIN)
    until = None if timeout is None else time.monotonic() + timeout
    size = 0
    with open(target, "wb") as kept:
        while until is None or time.monotonic() < until:
            # First whether it has ended, then whether there is more: all that it printed is there.
            has_ended = process.poll() is not None
            if poll.poll(0 if has_ended else _LOOK * 1000):
                piece = os.read(output, _PIECE)
                if not piece:
                    break
                kept.write(piece[: _MOST - size])
                size += len(piece)
                if size > _MOST:
                    return f"all but its first {_MOST} bytes"
            elif has_ended:
                return None
    try:
        process.wait(None if until is None else max(0.0, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        return f"did not end within {timeout:g} s"
    return None


def _end(returncode: int) -> Optional[str]:
    """Return what is to be said of a command that ended so."""
    if returncode < 0:
        try:
            name = f" ({signal.Signals(-returncode).name})"
        except ValueError:
            name = ""
        return f"was killed by signal {-returncode}{name}"
    return {126: "it cannot be executed here", 127: "there is no such command here"}.get(returncode)
