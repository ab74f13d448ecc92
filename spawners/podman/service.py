"""The podman service: one that listens on this machine, or one of our own.

Our own is started on a socket that only this user can reach. It ends with this process, however
that ends. Not responsible for what is asked of it (``nrunner.spawners.podman.client``).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from nrunner.errors import SpawnError
from nrunner.spawners.podman.monitor import own_conmon

__all__ = ["Service", "needs_runc", "socket_paths"]

_BACKLOG = 128
_LEAVE_WITHIN = 3.0
_ENDS_WITHIN = 0.5
_UNIFIED = Path("/sys/fs/cgroup/unified/cgroup.controllers")

# The end of the process that started it is told to podman by a signal. It finds a socket that
# listens already, so nobody has to ask again and again whether it is ready.
_BEGINNING = """
import ctypes, os, sys
listening, starter = int(sys.argv[1]), int(sys.argv[2])
ctypes.CDLL(None).prctl(1, 15, 0, 0, 0)
if os.getppid() != starter:
    sys.exit(1)
if listening == 3:
    os.set_inheritable(3, True)
else:
    os.dup2(listening, 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
try:
    os.execvp(sys.argv[3], sys.argv[3:])
except OSError as error:
    sys.exit(f"{sys.argv[3]}: {error.strerror}")
"""


class Service:
    """The podman service that a job uses."""

    def __init__(self, folder: Path, asked: str, runtime: str, environ: Mapping[str, str]) -> None:
        """`folder` is where our own would listen, `asked` the socket that people name."""
        self._folder = folder
        self._asked = asked
        self._runtime = runtime
        self._environ = environ
        self._path = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0
        self._own = folder
        """The socket of our own."""

    @property
    def is_own(self) -> bool:
        """Whether it was started by us."""
        return self._process is not None

    @property
    def pid(self) -> int:
        """The process of our own, 0 if it is somebody else's."""
        return self._process.pid if self._process is not None else 0

    @property
    def runtime(self) -> str:
        """The OCI runtime that our own was told to use, empty if podman chooses."""
        return self._runtime or ("runc" if needs_runc() and shutil.which("runc") else "")

    def ensure(self) -> str:
        """Return the path of a socket where a service listens; raise SpawnError.

        One of ours that has ended is replaced.
        """
        if self._process is not None and self._process.poll() is not None:
            self._process, self._path = None, ""
            self._clear()
        if not self._path:
            self._path = self._found() or self._start()
        return self._path

    def trouble(self) -> str:
        """Say how our own ended, empty if it has not or is not ours.

        For whoever was cut off by it: waits a moment for an end that nobody was told of yet.
        """
        process = self._process
        if process is None:
            return ""
        try:
            process.wait(_ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            return ""
        code = process.returncode
        how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
        return f"the podman service (pid {process.pid}) {how}{_last_words(self._log)}"

    def close(self) -> None:
        """End our own, and wait for that; others are left alone."""
        process, self._process, self._path = self._process, None, ""
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_LEAVE_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._clear()

    def _monitor(self) -> tuple[str, ...]:
        conmon = own_conmon(self._folder, self._environ)
        return () if conmon is None else (f"--conmon={conmon}",)

    def _new_socket(self) -> Path:
        """Return a name that nobody has: an earlier controller of the job may have left some."""
        while True:
            self._started += 1
            self._own = self._folder / f"podman-{self._started}"
            if not os.path.lexists(self._own):
                return self._own

    def _clear(self) -> None:
        """Remove what the one that was started last has left."""
        for path in (self._own, self._log, self._folder / "oom", self._folder / "conmon"):
            with contextlib.suppress(OSError):
                path.unlink()

    @property
    def _log(self) -> Path:
        return self._own.with_suffix(".log")

    def _found(self) -> str:
        """Return where a service listens already, empty if none does; raise SpawnError."""
        if self._asked:
            path = _path_of(self._asked, "podman.socket")
            _connect(path, f"use the podman service at {path}, as podman.socket says")
            return path
        named = self._environ.get("CONTAINER_HOST", "")
        if named:
            path = _path_of(named, "CONTAINER_HOST")
            _connect(path, f"use the podman service at {path}, as CONTAINER_HOST says")
            return path
        for path in socket_paths(self._environ, os.geteuid()):
            with contextlib.suppress(SpawnError):
                _connect(path, "use it")
                return path
        return ""

    def _start(self) -> str:
        program = shutil.which("podman", path=self._environ.get("PATH"))
        if program is None:
            tried = ", ".join(socket_paths(self._environ, os.geteuid()))
            raise SpawnError(
                f"run containers: no podman service listens ({tried}), and there is no podman on"
                " PATH to start one (install podman 4 or newer)"
            )
        path = str(self._new_socket())
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
                listener.bind(path)
                Path(path).chmod(0o600)
                listener.listen(_BACKLOG)
                self._process = self._spawn(program, listener.fileno())
        except OSError as error:
            raise SpawnError(f"start a podman service: {error.strerror or error}") from error
        return path

    def _spawn(self, program: str, listening: int) -> subprocess.Popen[bytes]:
        runtime = ("--runtime", self.runtime) if self.runtime else ()
        words = [sys.executable, "-I", "-S", "-c", _BEGINNING, str(listening), str(os.getpid())]
        words += [program, *runtime, *self._monitor(), "--events-backend=none"]
        words += ["system", "service", "--time=0"]
        with os.fdopen(os.open(self._log, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as log:
            return subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(self._environ),
                # Podman's monitors leave a file where they are started once memory was short.
                cwd=self._folder,
                pass_fds=(listening,),
                # Ctrl-C is for us: containers are still to be removed then.
                start_new_session=True,
            )


def socket_paths(environ: Mapping[str, str], user: int) -> tuple[str, ...]:
    """Return where a podman service of this user listens, if there is one."""
    runtime = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{user}"
    if user == 0:
        return ("/run/podman/podman.sock",)
    return (f"{runtime}/podman/podman.sock",)


def needs_runc() -> bool:
    """Whether control groups are hybrid in the way that crun refuses and runc takes."""
    try:
        return bool(_UNIFIED.read_text("ascii").split())
    except OSError:
        return False


def _path_of(address: str, source: str) -> str:
    scheme, separator, rest = address.partition("://")
    path = rest if separator else scheme
    if (separator and scheme != "unix") or not path.startswith("/"):
        raise SpawnError(
            f"use the podman service {address!r}, as {source} says: it has to be a socket on this"
            " machine, such as unix:///run/podman/podman.sock"
        )
    return path


def _connect(path: str, what: str) -> None:
    """Raise SpawnError if nobody listens there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except OSError as error:
            raise SpawnError(f"{what}: {error.strerror or error}") from error


def _last_words(log: Path) -> str:
    return "".join(f": {line}" for line in _last_line(log))


def _last_line(log: Path) -> Iterator[str]:
    with contextlib.suppress(OSError):
        lines = log.read_text(errors="replace").strip().splitlines()
        # podman's own lines are made for machines: time and level come first.
        yield from (line.partition("msg=")[2].strip('"') or line for line in lines[-1:])
