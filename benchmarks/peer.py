"""Which installations there are, where each comes from, and which could not be had.

What is on PATH is taken as it is. What is missing comes from the distribution where that is allowed
(root on Debian), or from Python's package index into a virtual environment of its own below the
cache folder. Nothing else on the machine is touched.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.gauge import clean_environment
from benchmarks.snapshot import install_snapshot

__all__ = ["PEERS", "Installed", "Peer", "Shed", "default_cache", "system_python"]


@dataclass(frozen=True, slots=True)
class Peer:
    """An installation of another tool."""

    name: str
    executable: str
    apt: str = ""
    pip: tuple[str, ...] = ()
    version: tuple[str, ...] = ("--version",)


PEERS = (
    Peer("xargs", "xargs", apt="findutils"),
    Peer("make", "make", apt="make"),
    Peer("ninja", "ninja", apt="ninja-build"),
    Peer("ctest", "ctest", apt="cmake"),
    Peer("kyua", "kyua", apt="kyua", version=("about",)),
    Peer("parallel", "parallel", apt="parallel"),
    Peer("bats", "bats", apt="bats"),
    Peer("prove", "prove", apt="perl"),
    Peer("meson", "meson", pip=("meson", "ninja")),
    Peer("lit", "lit", pip=("lit",)),
    Peer("stestr", "stestr", pip=("stestr",)),
    Peer("pytest", "pytest", pip=("pytest", "pytest-xdist")),
    # Every test fails with pytest-forked under pytest 9.
    Peer("pytest-forked", "pytest", pip=("pytest<9", "pytest-xdist", "pytest-forked")),
    Peer("unittest-parallel", "unittest-parallel", pip=("unittest-parallel",)),
    Peer("avocado", "avocado", pip=("avocado-framework",)),
    Peer("kirk", "kirk", pip=("kirk",)),
    Peer("podman", "podman", apt="podman"),
    Peer("asyncssh", "python", pip=("asyncssh",)),
    Peer("ssh", "ssh", apt="openssh-client", version=("-V",)),
)


@dataclass(frozen=True, slots=True)
class Installed:
    """What came of an installation: where its executables are, or why there are none."""

    name: str
    folder: Path | None = None
    version: str = ""
    reason: str = ""


@dataclass(slots=True)
class Shed:
    """The cache folder with all installations."""

    root: Path
    python: str
    may_install: bool = True
    installed: dict[str, Installed] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        """The home folder of all tools, so that nobody's settings change what is measured."""
        path = self.root / "home"
        path.mkdir(parents=True, exist_ok=True)
        return path

    def environment(self, temporary: Path | None = None) -> dict[str, str]:
        """Return the environment for a tool that may write to a folder."""
        return clean_environment(self.home, temporary or self.home, self.python)

    def get(self, name: str) -> Installed:
        """Return an installation, made now if need be."""
        if name not in self.installed:
            peer = next(peer for peer in PEERS if peer.name == name)
            self.installed[name] = self._install(peer)
        return self.installed[name]

    def add_ours(self, name: str, executable: Path | None) -> None:
        """Add nrunner: an executable that is there, or a snapshot of this checkout."""
        if executable is None:
            venv = self._venv(name)
            install_snapshot(venv / "bin" / "python", self.root / "snapshot")
            executable = venv / "bin" / "nrunner"
        folder = executable.absolute().parent
        version = _distribution("nrunner", folder, self.environment())
        self.installed[name] = Installed(name, folder, version)

    def knows(self, name: str, option: str) -> bool:
        """Say whether an installation of nrunner takes an option with its value."""
        with tempfile.TemporaryDirectory() as results:
            words = ("run", option, "--dry-run", "--job-results-dir", results, "/bin/true")
            return (
                _call_tool([self.find(name, "nrunner"), *words], self.environment()).returncode == 0
            )

    def find(self, name: str, executable: str) -> str:
        """Return the path of an executable of an installation."""
        folder = self.get(name).folder
        own = None if folder is None else folder / executable
        if own is not None and own.exists():
            return str(own)
        return shutil.which(executable) or executable

    def _install(self, peer: Peer) -> Installed:
        try:
            found = self._by_pip(peer) if peer.pip else self._by_apt(peer)
        except (OSError, subprocess.CalledProcessError) as error:
            return Installed(peer.name, reason=_reason(error))
        if found is None:
            return Installed(peer.name, reason=f"{peer.executable} is not here, and may not be got")
        version = _version(peer, found, self.environment())
        return Installed(peer.name, found, version)

    def _by_apt(self, peer: Peer) -> Path | None:
        found = shutil.which(peer.executable)
        if found is None and self.may_install and os.geteuid() == 0 and shutil.which("apt-get"):
            words = ["apt-get", "install", "--yes", "--no-install-recommends", peer.apt]
            _call(words, {**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
            found = shutil.which(peer.executable)
        return None if found is None else Path(found).parent

    def _by_pip(self, peer: Peer) -> Path | None:
        folder = self.root / "venvs" / peer.name / "bin"
        if not (folder / peer.executable).exists():
            if not self.may_install:
                return None
            python = self._venv(peer.name) / "bin" / "python"
            _call([str(python), "-m", "pip", "install", "--quiet", *peer.pip], _own_environment())
        return folder

    def _venv(self, name: str) -> Path:
        folder = self.root / "venvs" / name
        if not (folder / "bin" / "pip").exists():
            _call([self.python, "-m", "venv", "--clear", str(folder)], _own_environment())
        return folder


def default_cache() -> Path:
    """Return the folder that installations are kept in."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nrunner-bench"


def system_python(running: str) -> str:
    """Return the interpreter for all tools: the distribution's if it is new enough.

    It is built with all optimisations, which one that was compiled in a home folder may not be.
    """
    for candidate in ("/usr/bin/python3", running):
        check = "import sys, ensurepip; sys.exit(sys.version_info < (3, 11))"
        if Path(candidate).exists() and not subprocess.call(
            [candidate, "-c", check], stderr=subprocess.DEVNULL
        ):
            return candidate
    return running


def _own_environment() -> dict[str, str]:
    """Return our environment without what would change Python: byte code is to be written."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def _call(words: list[str], environment: dict[str, str]) -> None:
    subprocess.run(words, env=environment, check=True, capture_output=True, text=True)


def _version(peer: Peer, folder: Path, environment: dict[str, str]) -> str:
    if peer.pip:
        return _distribution(peer.pip[0].partition("<")[0], folder, environment)
    lines = _said([str(folder / peer.executable), *peer.version], environment).strip().splitlines()
    return lines[0] if lines else ""


def _distribution(name: str, folder: Path, environment: dict[str, str]) -> str:
    say = f"import importlib.metadata as m; print(m.version({name!r}))"
    return _said([str(folder / "python"), "-c", say], environment).strip()


def _said(words: list[str], environment: dict[str, str]) -> str:
    return _call_tool(words, environment).stdout


def _call_tool(words: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def _reason(error: OSError | subprocess.CalledProcessError) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        lines = (error.stderr or "").strip().splitlines()
        return lines[-1] if lines else f"{error.cmd[0]} ended with status {error.returncode}"
    return str(error)
