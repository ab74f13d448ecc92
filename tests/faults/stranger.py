"""Another user of the machine, for as long as a function takes.

In a fork, so that no program has to be readable for them. They have no rights but their own:
neither groups nor capabilities. Only root can be somebody else; where the tests are run by another
user, the modes of files are checked, and that is all.
"""

from __future__ import annotations

import ctypes
import os
import socket
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

__all__ = ["STRANGER", "attempts", "be_stranger", "everything"]

STRANGER = 54321
"""A user that nobody is."""


def be_stranger(deed: Callable[[], Sequence[str]]) -> list[str]:
    """Have somebody else do something; return what it returns."""
    assert os.geteuid() == 0
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reading)
            os.setgroups([])
            os.setresgid(STRANGER, STRANGER, STRANGER)
            os.setresuid(STRANGER, STRANGER, STRANGER)
            said = msgspec.json.encode([*deed()])
        except BaseException as error:
            said = msgspec.json.encode([f"failed: {error!r}"])
        with open(writing, "wb") as file:  # noqa: PTH123 - a descriptor
            file.write(said)
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as file:  # noqa: PTH123 - a descriptor
        said = file.read()
    os.waitpid(pid, 0)
    return msgspec.json.decode(said, type=list[str])


def everything(*roots: Path) -> Iterator[Path]:
    """Yield all that is at and below some folders, as those see it who may."""
    for root in roots:
        yield root
        if root.is_dir() and not root.is_symlink():
            for path in sorted(root.iterdir()):
                yield from everything(path)


def attempts(paths: Sequence[Path], processes: Sequence[int]) -> list[str]:
    """Try to read, change, enter and stop what is not ours; return what could be done."""
    done: list[str] = []

    def attempt(what: str, deed: Callable[[], object], *refusals: type[OSError]) -> None:
        try:
            deed()
        except (PermissionError, *refusals):
            return
        except OSError as error:
            done.append(f"{what}: {error!r}")
        else:
            done.append(what)

    for path in paths:
        for what, deed in _deeds(path):
            # Of a folder the kernel tells what it is before it asks who wants to write to it.
            attempt(f"{what} {path}", deed, IsADirectoryError)
    for pid in processes:
        for what, deed in _deeds_on(pid):
            attempt(f"{what} {pid}", deed, FileNotFoundError, ProcessLookupError)  # it has ended
    return done


def _deeds(path: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    yield "list", lambda: list(path.iterdir())
    yield "read", lambda: path.read_bytes()
    yield "write", lambda: os.close(os.open(path, os.O_WRONLY | os.O_APPEND))
    yield "put into", lambda: (path / "planted").touch()
    yield "rename", lambda: path.rename(path.with_name("renamed"))
    yield "unlink", lambda: path.unlink()
    yield "open", lambda: path.chmod(0o777)
    yield "connect to", lambda: _connect(path)


def _deeds_on(pid: int) -> Iterator[tuple[str, Callable[[], object]]]:
    yield "signal", lambda: os.kill(pid, 0)
    yield "trace", lambda: _trace(pid)
    for name in ("environ", "mem", "maps"):
        yield f"read {name} of", lambda name=name: _read(Path(f"/proc/{pid}/{name}"))
    yield "list files of", lambda: list(Path(f"/proc/{pid}/fd").iterdir())
    yield "enter folder of", lambda: os.chdir(f"/proc/{pid}/cwd")


def _read(path: Path) -> None:
    if not path.read_bytes():
        raise ProcessLookupError  # it has just ended: of nobody's memory anybody may see nothing


def _connect(path: Path) -> None:
    if stat.S_ISSOCK(path.lstat().st_mode):
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(path))
    else:
        _refuse()


def _trace(pid: int) -> None:
    trace = ctypes.CDLL(None, use_errno=True).ptrace
    trace.argtypes = [ctypes.c_long] * 4
    if trace(16, pid, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no")


def _refuse() -> None:
    raise PermissionError
