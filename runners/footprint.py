"""What importing a module did to its process, beside making a module.

A module whose import leaves nothing behind that forks would share, or that would be different in
another process, can be imported once for all its tests. Whatever is in doubt speaks against it:
each test then imports the module by itself, as a new interpreter would.
It imports nothing of nrunner. Not responsible for what follows from it: ``nrunner.runners.zygote``.
Portable: runs on Python 3.7 with the standard library alone.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Optional

__all__ = ["Footprint"]

_TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
_CONSTANT = ("_VERSION", "_BASEDIR")
"""Ends of the names of those variables that are the same for all tests of a module."""

_EXIT_HANDLERS = {
    "concurrent.futures.process": 1 if sys.version_info < (3, 9) else 0,
    "concurrent.futures.thread": 1 if sys.version_info < (3, 9) else 0,
    "logging": 1,
    "multiprocessing.util": 1,
    "rlcompleter": 1,
}
"""How many exit handlers, harmless in a fork, these modules register."""

_EXCUSED = "/_pytest/assertion/rewrite.py"
"""Asks for the process to name a file that it writes, and forgets it."""


class Footprint:
    """Watches an import while it is entered, and looks for its traces afterwards."""

    def __init__(self, own: Mapping[str, str]) -> None:
        """`own` are the variables of the attempt for which the module is imported."""
        self._own = own
        self._noted = {os.fsencode(name) for name in own if not name.endswith(_CONSTANT)}
        self._folders = [own[name] for name in own if name.endswith(("TMPDIR", "_OUTPUTDIR"))]
        self._asked: list[str] = []
        self._real = {"getpid": os.getpid, "urandom": os.urandom}
        self._watched = {name: self._watch(name) for name in self._real}
        self._register: Optional[Callable[..., None]] = getattr(os, "register_at_fork", None)
        self._chance: list[tuple[Any, Any]] = []
        self.seconds = 0.0

    def __enter__(self) -> Footprint:
        self._before = _trail()
        self._handlers = _exit_handlers()
        self._modules = set(sys.modules)
        if "random" in sys.modules:
            chance: Any = sys.modules["random"]
            self._chance = [(chance, chance.getstate())]
        for name, watched in self._watched.items():
            setattr(os, name, watched)
        if self._register is not None:
            setattr(os, "register_at_fork", self._note_register)  # noqa: B010 - mypy forbids it
        self._environs = [vars(os.environ), vars(os.environb)]
        self._data = self._environs[0]["_data"]  # the one place that all readers pass
        self._keep_variables_in(_Variables(self._data, self._noted, self._asked))
        self._began = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.monotonic() - self._began
        variables = dict(self._environs[0]["_data"])
        self._data.clear()
        self._data.update(variables)
        self._keep_variables_in(self._data)
        if self._register is not None:
            setattr(os, "register_at_fork", self._register)  # noqa: B010
        # To look through all that were there before would touch each of their objects.
        new = [sys.modules.get(name) for name in set(sys.modules) - self._modules]
        _replace(self._watched, self._real, [os, *new])

    def reason(self) -> str:
        """Return why the module must not be shared, empty if nothing speaks against it."""
        if self._asked:
            return f"asks for {self._asked[0]}"
        if any(os.environ.get(name) != value for name, value in self._own.items()):
            return "changes variables of a test"
        if any(instance.getstate() != state for instance, state in self._chance):
            return "draws or seeds random numbers"
        if any(_entries(folder) for folder in self._folders):
            return "writes files into the folders of a test"
        if _exit_handlers() > self._handlers + self._harmless_handlers():
            return "registers an exit handler"
        after = _trail()
        for what, value in self._before.items():
            if value != after[what]:
                return what
        return ""

    def _watch(self, name: str) -> Callable[..., Any]:
        real, asked = self._real[name], self._asked

        def watched(*args: Any) -> Any:
            if not _asker().endswith(_EXCUSED):
                asked.append(f"os.{name}")
            return real(*args)  # type: ignore[operator]

        return watched

    def _keep_variables_in(self, data: dict[bytes, bytes]) -> None:
        for each in self._environs:
            each["_data"] = data

    def _note_register(self, **callbacks: Any) -> None:
        """Note the state of generators that see to it that they differ after a fork."""
        assert self._register is not None
        self._register(**callbacks)
        instance: Any = getattr(callbacks.get("after_in_child"), "__self__", None)
        if hasattr(instance, "getstate"):
            self._chance.append((instance, instance.getstate()))

    def _harmless_handlers(self) -> int:
        new = set(sys.modules) - self._modules
        return sum(count for name, count in _EXIT_HANDLERS.items() if name in new)


class _Variables(dict):  # type: ignore[type-arg]
    """The content of ``os.environ``, of bytes and of text; notes when certain ones are read."""

    def __init__(self, data: dict[bytes, bytes], noted: set[bytes], asked: list[str]) -> None:
        super().__init__(data)
        self._noted = noted
        self._asked = asked

    def __getitem__(self, key: bytes) -> Any:
        if key in self._noted and key in self:
            self._asked.append(f"${os.fsdecode(key)}")
        return super().__getitem__(key)


def _trail() -> dict[str, object]:
    """Return what forks would share or miss, by what a module is said to do to it."""
    return {
        "starts threads": os.listdir("/proc/self/task"),
        "starts processes": _has_children(),
        "opens files": _files(),
        "redirects standard files": [os.fstat(number)[1:3] for number in (0, 1, 2)],
        "sets a timer": [signal.getitimer(each)[0] > 0 for each in _TIMERS],
        "shares memory": _shared_memory(),
    }


def _asker() -> str:
    """Return the file of whoever called what is watched."""
    return sys._getframe(2).f_code.co_filename  # noqa: SLF001 - there is no other way to know


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _files() -> list[str]:
    """Return what is open; two processes that share the null device do not notice it."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            path = os.readlink("/proc/self/fd/" + name)
        except OSError:  # the folder itself, while it was listed
            continue
        if path != os.devnull or int(name) < 3:
            found.append(f"{name} {path}")
    return sorted(found)


def _shared_memory() -> list[str]:
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as file:
        return [line for line in file if line.split(" ", 2)[1][1::2] == "ws"]


def _exit_handlers() -> int:
    return int(atexit._ncallbacks())  # noqa: SLF001 - nothing else tells


def _entries(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _replace(
    old: Mapping[str, object], new: Mapping[str, object], modules: Iterable[object]
) -> None:
    """Undo what ``from os import getpid`` kept of our own functions."""
    wanted = {id(each): new[name] for name, each in old.items()}
    for module in modules:
        names = getattr(module, "__dict__", {})
        for name, value in list(names.items()):
            if id(value) in wanted:
                names[name] = wanted[id(value)]
