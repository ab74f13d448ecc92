"""A survey of a system: what some commands print, and what is in some files, each in a file.

Run as a process of its own, with a JSON argument: ``folder``, ``commands``, ``files``, ``packages``
(whether to list those that are installed), ``locale``, ``timeout`` (seconds for each command) and
``report``, where to leave an Outcome. What cannot be had is named in ``left-out.txt``. Not
responsible for what is worth knowing (``nrunner.sysinfo``).
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
from collections.abc import Iterator, Mapping, Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

__all__ = ["LEFT_OUT", "PACKAGES", "collect", "file_names", "main"]

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
    # Asked to end, it ends what it has started, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        left_out = collect(spec)
        outcome = {"result": "pass"}
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


def collect(spec: Mapping[str, Any]) -> list[str]:
    """Make the survey; return what was left out, and why. Raise OSError if it cannot be written."""
    folder = spec["folder"]
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
    left_out += _run_all(jobs, folder, spec)
    if left_out:
        path = os.path.join(folder, LEFT_OUT)
        with open(path, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(f"{line}\n" for line in left_out)
    return left_out


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


def _run_all(jobs: list[tuple[str, str]], folder: str, spec: Mapping[str, Any]) -> list[str]:
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
                reason = _run(command, os.path.join(folder, name), spec)
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


def _run(command: str, target: str, spec: Mapping[str, Any]) -> Optional[str]:
    """Keep what a command prints; return what is to be said of it."""
    env = dict(os.environ)
    env.setdefault("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
    if spec.get("locale"):
        env["LC_ALL"] = spec["locale"]
    process = subprocess.Popen(
        ["/bin/sh", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=env,
        start_new_session=True,
    )
    try:
        reason = _keep(process, target, spec.get("timeout") or None)
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except OSError:
            pass  # nobody is left
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
    return reason or _end(process.returncode)


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
